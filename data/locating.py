"""A table of places goes through a GridIndex: every row comes out in its order, with its grid or the reason why it has none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from data.placeanswers import PER_THREAD, joined
from data.readers import GridFile
from data.rowchunk import RowChunk
from data.tables import as_numbers
from gis.crs import Datum, parse_datum, problems, to_storage
from gis.errors import DatumUnknown, FieldMissing, GridError, ParameterInvalid
from gis.locate import Located
from gis.partition import Partition

#: The columns that are added to a table, in this order.
ADDED = ("grid", "method", "distance_to_edge_m", "reason")

Floats = npt.NDArray[np.float64]


@dataclass
class Tally:
    """How many rows went where."""

    rows: int = 0
    inside: int = 0
    edge: int = 0
    nearest: int = 0
    none: int = 0
    unusable: int = 0

    def add(self, other: Tally) -> None:
        """The other's rows are counted here too."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name) + getattr(other, field.name))


@dataclass(frozen=True)
class LocatedRows:
    """A chunk with its answer: input columns and ADDED, places in WGS 84 (None: no usable place), and the count."""

    columns: dict[str, list[Any]]
    places: list[tuple[float, float] | None]
    tally: Tally


@dataclass(frozen=True)
class Locator:
    """Everything that is the same for all chunks of a table; `place` are the names of the columns of lon and lat.

    Rows whose `crs_column` says a datum are in that one, the others in `datum`.
    """

    ask: Callable[[Floats, Floats], Located]  # lon, lat in WGS 84
    datum: Datum
    place: tuple[str, str]
    threads: int = 1
    crs_column: str | None = None

    def locate(self, chunk: RowChunk) -> LocatedRows:
        """The rows with their grids; an input column called like one of ADDED goes on as `<name>_input`."""
        x, y = (as_numbers(chunk.columns.get(name), len(chunk)) for name in self.place)
        lon, lat, faults = self._converted(x, y, chunk)
        usable = np.array([fault is None for fault in faults.tolist()], dtype=bool)
        lon[~usable] = lat[~usable] = np.nan
        located = self._located(lon, lat)
        columns = {kept_name(name): values for name, values in chunk.columns.items()}
        columns |= dict(zip(ADDED, _added(located, faults), strict=True))
        places = list(zip(lon.tolist(), lat.tolist(), strict=True))
        shown = [place if ok else None for place, ok in zip(places, usable.tolist(), strict=True)]
        inside, edge, nearest, none = np.bincount(located.method[usable], minlength=4).tolist()[:4]
        return LocatedRows(columns, shown, Tally(len(chunk), inside, edge, nearest, none, int((~usable).sum())))

    def _converted(self, x: Floats, y: Floats, chunk: RowChunk) -> tuple[Floats, Floats, npt.NDArray[np.object_]]:
        """The places in WGS 84 and the fault of each row, every row in its own datum."""
        declared = chunk.columns.get(self.crs_column or "", [None] * len(chunk))
        lon, lat = np.full(len(chunk), np.nan), np.full(len(chunk), np.nan)
        faults = np.full(len(chunk), None, dtype=object)
        for name in set(declared):
            rows = np.array([i for i, own in enumerate(declared) if own == name])
            try:
                datum = parse_datum(str(name)) if name is not None else self.datum
            except DatumUnknown as unknown:
                faults[rows] = unknown
                continue
            faults[rows] = problems(x[rows], y[rows], datum)
            lon[rows], lat[rows] = to_storage(x[rows], y[rows], datum)
        return lon, lat, faults

    def _located(self, lon: Floats, lat: Floats) -> Located:
        """The answer of the index, the places divided among threads; the division changes nothing in it."""
        parts = min(self.threads, 1 + len(lon) // PER_THREAD)
        pieces = list(zip(np.array_split(lon, parts), np.array_split(lat, parts), strict=True))
        if parts == 1:
            return self.ask(*pieces[0])
        with ThreadPoolExecutor(parts) as pool:
            return joined(list(pool.map(lambda piece: self.ask(*piece), pieces)))


def kept_name(name: str) -> str:
    """What an input column is called in the output."""
    return f"{name}_input" if name in ADDED else name


def partitions_of(
    file: GridFile, layer_field: str | None = None, priority: Sequence[str] = ()
) -> tuple[list[Partition], list[str]]:
    """The partitions of a file in priority order, and notes about its shapes; no shape is changed.

    `layer_field` is the column that names each grid's layer, `priority` those layers from the winner down. Raises FieldMissing,
    ParameterInvalid (a layer that the priority does not name, or the other way round), CodeInvalid (a code twice in a layer).
    """
    polygonal = np.isin(shapely.get_type_id(file.geometry), (3, 6))
    layers = _layers(file, layer_field, priority)
    notes = []
    if not polygonal.all():
        notes.append(f"{int((~polygonal).sum())} rows of the grids are no polygons and are left out")
    broken = [file.codes[i] for i in np.flatnonzero(polygonal & ~shapely.is_valid(file.geometry))]
    if broken:
        shown = ", ".join(broken[:5])
        notes.append(
            f"{len(broken)} grids have broken shapes ({shown}): answers there may be wrong; see gridbeat check"
        )
    partitions = []
    for layer in priority or (file.layer,):
        rows = [i for i in np.flatnonzero(polygonal).tolist() if layers[i] == layer]
        codes = tuple(file.codes[i] for i in rows)
        partitions.append(Partition(layer, file.level, codes, file.geometry[rows]))
    return partitions, notes


def _layers(file: GridFile, layer_field: str | None, priority: Sequence[str]) -> list[str]:
    """The layer of every row."""
    if layer_field is None:
        return [file.layer] * len(file)
    if layer_field not in file.frame.columns:
        raise FieldMissing(f"the grids have no column {layer_field}", place="--layer-field")
    layers = [str(value) for value in file.frame[layer_field].tolist()]
    found = sorted(set(layers))
    if sorted(set(priority)) != found:
        raise ParameterInvalid(
            f"--priority must name the layers {', '.join(found)} once each, the winner first", place="--priority"
        )
    return layers


def _added(located: Located, faults: npt.NDArray[np.object_]) -> list[list[Any]]:
    """The columns ADDED; where the place is unusable the reason is the code of the fault."""
    reasons = [fault.code if isinstance(fault, GridError) else None for fault in faults.tolist()]
    metres = [None if value != value else round(value, 3) for value in located.distance_m.tolist()]
    settled = [own or reason for own, reason in zip(reasons, located.reasons(), strict=True)]
    return [list(located.grids()), list(located.methods()), metres, settled]
