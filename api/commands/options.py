"""What several commands share: options by name, and how their texts are read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from gis.errors import ParameterInvalid

#: Rejected rows and findings that are shown on the screen; all of them are in the files.
SHOWN = 10

File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]
Commit = Annotated[bool, typer.Option("--commit", help="Store it; without this it is a dry run.")]
Rule = Annotated[str, typer.Option(help="What becomes of open events: move (by their place) or stay.")]
Crs = Annotated[str | None, typer.Option(help="wgs84, cgcs2000, gcj02, bd09 or EPSG:n.")]
Mapped = Annotated[list[str] | None, typer.Option("--map", metavar="FIELD=COLUMN", help="Which column feeds a field.")]
Constant = Annotated[list[str] | None, typer.Option("--set", metavar="FIELD=VALUE", help="One value for all rows.")]
Lon = Annotated[str | None, typer.Option("--lon", metavar="COLUMN", help="Column of the longitude or easting.")]
Lat = Annotated[str | None, typer.Option("--lat", metavar="COLUMN", help="Column of the latitude or northing.")]
Zone = Annotated[
    str | None, typer.Option("--tz", metavar="ZONE", help="Zone of times without offset, as Asia/Shanghai.")
]
Encoding = Annotated[str | None, typer.Option(help="utf-8 or gb18030; found by itself if left out.")]
Rejected = Annotated[Path | None, typer.Option("--rejected", metavar="OUT.csv", help="Where rejected rows go.")]


def lon_lat(text: str) -> tuple[float, float]:
    """The place that --enclave names; BadParameter for what is none."""
    parts = text.replace("，", ",").split(",")
    try:
        lon, lat = (float(part) for part in parts)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not LON,LAT", param_hint="--enclave") from None
    if not (-180 <= lon <= 180 and -90 <= lat <= 90):
        raise typer.BadParameter(f"{text!r} is no place on earth; the order is LON,LAT", param_hint="--enclave")
    return lon, lat


def column_mapping(pairs: list[str] | None, lon: str | None, lat: str | None) -> dict[str, str]:
    """Field -> column, from --map, --lon and --lat."""
    mapped = field_pairs(pairs, "--map")
    return mapped | {name: column for name, column in (("lon", lon), ("lat", lat)) if column is not None}


def field_pairs(given: list[str] | None, option: str) -> dict[str, str]:
    """Field -> value of `field=value` options; ParameterInvalid for one written otherwise."""
    pairs: dict[str, str] = {}
    for pair in given or []:
        name, equals, value = pair.partition("=")
        if not equals or not name or not value:
            raise ParameterInvalid(f"{option} is written field=value, not {pair}", place=option)
        pairs[name.strip()] = value
    return pairs


@contextmanager
def row_progress(title: str) -> Iterator[Any]:
    """A line on stderr that counts rows; gone when done, silent when stderr is no terminal."""
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TextColumn("{task.completed:,} rows"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(title, total=None)
        yield lambda rows: progress.update(task, completed=rows)
