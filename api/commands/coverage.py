"""`gridbeat map coverage` and `gridbeat certificate`: what patrols saw, as files that open anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from api.commands.map import checked_target, instant, language, pixels
from api.coveragesource import CoverageRequest, coverage_from_store
from gis.errors import ParameterInvalid

if TYPE_CHECKING:
    from maps.coverage import By

Since = Annotated[
    str | None, typer.Option("--from", help="The window begins then (RFC 3339); default a revisit interval before --to")
]
Until = Annotated[str | None, typer.Option("--to", help="The window ends before then; default now")]
Layer = Annotated[str, typer.Option("--layer", help="Whose grids")]
RevisitDays = Annotated[float | None, typer.Option("--revisit-days", min=0.01, help="Default: GRIDBEAT_REVISIT_DAYS")]
SightM = Annotated[float | None, typer.Option("--sight-m", min=5, max=500, help="Default: GRIDBEAT_SIGHT_M")]
Enough = Annotated[float, typer.Option("--enough", min=0.01, max=1, help="Share of a street that makes it seen")]
TrackedMin = Annotated[
    float, typer.Option("--tracked-min", min=0.01, max=1, help="Tracked share below which nothing is missed")
]
Lang = Annotated[str, typer.Option("--lang", help="zh or en")]


def map_coverage(
    out: Annotated[Path, typer.Option("--out", "-o", help="OUT.html or OUT.png")],
    *,
    since: Since = None,
    until: Until = None,
    layer: Layer = "general",
    revisit_days: RevisitDays = None,
    sight_m: SightM = None,
    enough: Enough = 0.8,
    tracked_min: TrackedMin = 0.8,
    by: Annotated[str, typer.Option("--by", help="What is coloured: grid or street")] = "grid",
    day: Annotated[str | None, typer.Option("--day", help="Whose tracks: any instant of the day (RFC 3339)")] = None,
    lang: Lang = "zh",
    size: Annotated[str, typer.Option("--size", help="Pixels of a PNG; the default has the ratio of A3")] = "2400x1697",
) -> None:
    """Who saw what when, what is overdue, where nobody can say; the tracks of a day."""
    kind = checked_target(out, ".html", ".png")
    if by not in {"grid", "street"}:
        raise ParameterInvalid(f"--by {by}: grid or street", place="by")
    width, height = pixels(size)
    asked = CoverageRequest(
        instant(since, "--from"), instant(until, "--to"), layer, revisit_days, sight_m, enough, tracked_min
    )
    shown, of = language(lang), instant(day, "--day")
    from data.coveragemap import CoverageMapWish, coverage_view
    from maps.coverage import render_html, render_png

    with coverage_from_store(asked) as opened:
        wish = CoverageMapWish(opened.zone, shown, names=True, positions=True, day=of)
        view = coverage_view(opened.connection, opened.kept, opened.found, wish)
    asked_by = cast("By", by)
    page = kind == ".html"
    _write(
        out, render_html(view, "inline", by=asked_by).encode() if page else render_png(view, width, height, by=asked_by)
    )


def register(app: typer.Typer) -> None:
    """`certificate` is part of `app`."""

    @app.command("certificate")
    def certificate(
        out: Annotated[Path, typer.Option("--out", "-o", help="OUT.pdf, OUT.html or OUT.json")],
        *,
        since: Since = None,
        until: Until = None,
        layer: Layer = "general",
        revisit_days: RevisitDays = None,
        sight_m: SightM = None,
        enough: Enough = 0.8,
        tracked_min: TrackedMin = 0.8,
        lang: Lang = "zh",
    ) -> None:
        """What can be certified of a cycle that ends at --to: share on time, share unknown, the oldest place, each grid."""
        kind = checked_target(out, ".pdf", ".html", ".json")
        asked = CoverageRequest(
            instant(since, "--from"), instant(until, "--to"), layer, revisit_days, sight_m, enough, tracked_min
        )
        with coverage_from_store(asked) as opened:
            content = _certified(opened, kind, language(lang))
        _write(out, content)


def _certified(opened: Any, kind: str, lang: Any) -> bytes:
    if kind == ".json":
        import orjson

        from data.overdue import certificate_json

        return orjson.dumps(certificate_json(opened.found, opened.now), option=orjson.OPT_INDENT_2)
    from data.certificate import certificate_view
    from maps.certificate import render_html, render_pdf

    view = certificate_view(opened.found, opened.now, opened.zone, lang)
    return render_pdf(view) if kind == ".pdf" else render_html(view, "inline").encode()


def _write(out: Path, content: bytes) -> None:
    out.write_bytes(content)
    typer.echo(f"{out}: {len(content):,} bytes")
