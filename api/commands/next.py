"""`gridbeat next MEMBER`: what a member should walk next, stop by stop, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.map import checked_target, language
from gis.errors import ParameterInvalid

Minutes = Annotated[float | None, typer.Option(min=0, max=1_440, help="Default: what is left of the shift.")]
Lon = Annotated[float | None, typer.Option(help="Start, WGS 84; default the last known place of today.")]
Lat = Annotated[float | None, typer.Option(help="Start, WGS 84.")]
Seed = Annotated[
    int | None, typer.Option(min=0, help="The same seed, the same walk; default the member's and the day's own.")
]
Output = Annotated[Path | None, typer.Option("--output", "-o", metavar="OUT.geojson", help="The walk and its stops.")]
Service = Annotated[float, typer.Option(min=0, max=120, help="Minutes that a place takes.")]


def register(app: typer.Typer) -> None:
    """Afterwards `app` has the command `next`."""
    app.command("next")(what_next)


def what_next(
    member: Annotated[str, typer.Argument(help="Code of the member.")],
    *,
    minutes: Minutes = None,
    lon: Lon = None,
    lat: Lat = None,
    seed: Seed = None,
    service_minutes: Service = 5.0,
    layer: Annotated[str, typer.Option("--layer", help="Whose grids.")] = "general",
    lang: Annotated[str, typer.Option("--lang", help="zh or en")] = "zh",
    output: Output = None,
) -> None:
    """The walk over the streets that clears the most debt in the time: how overdue x how much happens there x the minutes it takes."""
    from api.session import opened
    from api.settings import Settings
    from data.coverage import LiveCoverage
    from data.coverageground import LiveGround
    from data.evidence import LiveEvidence
    from data.nextwalk import NextWish, asked_for, next_walk_json
    from gis.store.live import Live

    if (lon is None) != (lat is None):
        raise ParameterInvalid("a start needs both --lon and --lat", place="lon")
    if output is not None:
        checked_target(output, ".geojson")
    settings, told = Settings(), language(lang)
    zone, live = settings.zone, Live(2)
    kept = LiveCoverage(LiveEvidence(zone, settings.coverage_days), LiveGround())
    start = None if lon is None or lat is None else (lon, lat)
    with opened(settings) as engine, engine.connect() as connection:
        wish = NextWish(member, minutes, start, seed, service_minutes)
        asked = asked_for(live.now(connection).at, layer, settings.revisit_days, settings.sight_m)
        found = next_walk_json(connection, live, kept, wish, asked, zone)
    typer.echo(found[f"summary_{told}"])
    for i, errand in enumerate(found["errands"], 1):
        typer.echo(f"  {i}. {errand[f'reason_{told}']}")
    if output is not None:
        _write(output, found)
        typer.echo(f"{output}: {output.stat().st_size:,} bytes")


def _write(out: Path, found: dict[str, Any]) -> None:
    """The walk as a line and its stops as points, in the order of going."""
    import orjson

    line = {key: value for key, value in found.items() if key not in {"errands", "geometry"}}
    stops = [
        {
            "type": "Feature",
            "properties": {"stop": i} | one,
            "geometry": {"type": "Point", "coordinates": [one["lon"], one["lat"]]},
        }
        for i, one in enumerate(found["errands"], 1)
    ]
    features = [{"type": "Feature", "properties": line, "geometry": found["geometry"]}, *stops]
    out.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": features}, option=orjson.OPT_INDENT_2))
