"""`gridbeat map grids -o OUT.html|OUT.png`: the grids map as a file that opens anywhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, cast

import typer

from gis.errors import GridError, ParameterInvalid, Unavailable

if TYPE_CHECKING:
    from maps.grids import GridsView

Lang = Literal["zh", "en"]


@dataclass(frozen=True)
class MapRequest:
    """What a map is asked to show: boundaries at (`at`, `known_at`), reports received in [`since`, `until`); None: now, all."""

    at: datetime | None = None
    known_at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    lang: Lang = "zh"


#: Gives the view of a request; the application passes the one that reads the store.
ViewSource = Callable[[MapRequest], "GridsView"]


def no_source(_request: MapRequest) -> GridsView:
    """Raises Unavailable: this program was put together without a store."""
    raise Unavailable("no database is connected: run `gridbeat db start`")


def register(app: typer.Typer, source: ViewSource = no_source, **more: Callable[..., None]) -> None:
    """`map` with its commands is part of `app`; `source` says where the data comes from; `more` are further maps by name."""
    maps = typer.Typer(help="Maps as files: HTML that opens without a server, or PNG.", no_args_is_help=True)

    @maps.callback()
    def group() -> None:
        """Maps as files: HTML that opens without a server, or PNG."""

    @maps.command("grids")
    def grids(
        out: Annotated[Path, typer.Option("--out", "-o", help="OUT.html or OUT.png")],
        at: Annotated[str | None, typer.Option("--at", help="Boundaries in force then (RFC 3339); default now")] = None,
        known_at: Annotated[str | None, typer.Option("--known-at", help="... as known then")] = None,
        since: Annotated[str | None, typer.Option("--from", help="Reports received from then on")] = None,
        until: Annotated[str | None, typer.Option("--to", help="Reports received before then")] = None,
        lang: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
        size: Annotated[
            str, typer.Option("--size", help="Pixels of a PNG; the default has the ratio of A3")
        ] = "2400x1697",
    ) -> None:
        """Grids by layer, with names, and the reports counted by grid."""
        try:
            request = MapRequest(
                instant(at, "--at"),
                instant(known_at, "--known-at"),
                instant(since, "--from"),
                instant(until, "--to"),
                language(lang),
            )
            written = write_map(source, request, out, pixels(size))
        except ParameterInvalid as fault:
            typer.echo(fault.message, err=True)
            raise typer.Exit(2) from fault
        except GridError as fault:
            typer.echo(fault.message, err=True)
            raise typer.Exit(1) from fault
        typer.echo(f"{out}: {written:,} bytes")

    for name, command in more.items():
        maps.command(name)(command)
    app.add_typer(maps, name="map")


def write_map(source: ViewSource, request: MapRequest, out: Path, size: tuple[int, int]) -> int:
    """The map of `request` stands in `out`; returned is its size in bytes.

    The ending decides: .html or .png, else ParameterInvalid, before anything is read.
    """
    kind = checked_target(out, ".html", ".png")
    from maps import grids as page

    view = source(request)
    content = page.render_png(view, *size) if kind == ".png" else page.render_html(view, "inline").encode()
    out.write_bytes(content)
    return len(content)


def checked_target(out: Path, *kinds: str) -> str:
    """The ending of a file that can be written; ParameterInvalid for another ending, or a folder that is not there."""
    kind = out.suffix.lower()
    if kind not in kinds:
        raise ParameterInvalid(f"{out.name}: it is written as {' or '.join(kinds)}", place="out")
    if not out.absolute().parent.is_dir():
        raise ParameterInvalid(f"the folder {out.absolute().parent} does not exist", place="out")
    return kind


def instant(text: str | None, option: str) -> datetime | None:
    """The instant an option names; None without one. Raises what `parse_time` raises."""
    from data.report import parse_time

    return None if text is None else parse_time(text, option)


def language(text: str) -> Lang:
    """The language code zh or en. Raises ParameterInvalid for another."""
    if text not in {"zh", "en"}:
        raise ParameterInvalid(f"--lang {text}: zh or en", place="lang")
    return cast("Lang", text)


def pixels(text: str) -> tuple[int, int]:
    """Width and height of "1600x1000". Raises ParameterInvalid when unreadable."""
    width, _, height = text.lower().partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise ParameterInvalid(f"--size {text}: write 2400x1697", place="size")
    return int(width), int(height)
