"""Answers for very many places, column by column: arrays all the way, words only at the end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gis.crs import Datum, examined
from gis.crsfault import Fault, explain
from gis.locate import METHODS, REASONS, Located
from gis.nearby import Bytes, Floats

#: Fewer places than this are not worth a second thread.
PER_THREAD = 10_000

#: Metres are told to the millimetre.
_DIGITS = 3


@dataclass(frozen=True)
class PlaceAnswers:
    """The answers for n places; `fault` is 0 where a place could be used, else why not (a number of `gis.crsfault.Fault`).

    `distance_m` is rounded to the millimetre, NaN without a grid; `fault_codes` names the faults that occur.
    """

    located: Located
    fault: Bytes
    distance_m: Floats
    fault_codes: dict[int, str]

    @property
    def words(self) -> tuple[str | None, ...]:
        """What `reason` indexes: the reasons of the rule, then the codes of faults."""
        return (*REASONS, *(self.fault_codes.get(int(kind)) for kind in Fault))

    @property
    def reason(self) -> Bytes:
        """Why there is no grid, as an index into `words`; 0 where there is one."""
        return np.where(self.fault > 0, self.fault + np.uint8(len(REASONS) - 1), self.located.reason)

    def columns(self) -> list[list[Any]]:
        """Lists of grid, method, distance_to_edge_m and reason, None where there is none."""
        return [
            _spelled((*self.located.codes, None), self.located.winner),
            _spelled(METHODS, self.located.method),
            _or_none(self.distance_m),
            _spelled(self.words, self.reason),
        ]

    def layers(self) -> dict[str, list[str | None]]:
        """The code of every place in every layer."""
        codes = (*self.located.codes, None)
        return {layer: _spelled(codes, rows) for layer, rows in self.located.by_layer.items()}

    def arrow(self) -> list[Any]:
        """The same columns as Arrow arrays: three of text, metres of float64; null where there is none."""
        import pyarrow as pa

        winner = self.located.winner
        metres = pa.array(self.distance_m, mask=np.isnan(self.distance_m))
        return [
            pa.array(self.located.codes, pa.string()).take(pa.array(winner, mask=winner < 0)),
            pa.array(METHODS).take(pa.array(self.located.method)),
            metres,
            pa.array(self.words, pa.string()).take(pa.array(self.reason)),
        ]


def answers_of(
    ask: Callable[[Floats, Floats], Located], x: Floats, y: Floats, datum: Datum, *, threads: int = 1
) -> PlaceAnswers:
    """The answers for places in a datum, in their order; `ask` takes WGS 84 lon and lat and may be called from several threads.

    A place that the datum cannot hold (`gis.crs.problems`) has its fault and no grid.
    """
    parts = max(1, min(threads, len(x) // PER_THREAD))
    pieces = list(zip(np.array_split(x, parts), np.array_split(y, parts), strict=True))

    def answered(piece: tuple[Floats, Floats]) -> tuple[Located, Bytes, Floats]:
        lon, lat, fault = examined(*piece, datum)
        located = ask(lon, lat)
        return located, fault, rounded(located.distance_m)

    if parts == 1:
        located, fault, metres = answered(pieces[0])
    else:
        with ThreadPoolExecutor(parts) as pool:
            found = list(pool.map(answered, pieces))
        located = joined([one for one, _, _ in found])
        fault, metres = (np.concatenate([one[k] for one in found]) for k in (1, 2))
    return PlaceAnswers(located, fault, metres, _codes(x, y, fault, datum))


def joined(parts: Sequence[Located]) -> Located:
    """The answers one after the other."""

    def whole(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    by_layer = {layer: np.concatenate([part.by_layer[layer] for part in parts]) for layer in parts[0].by_layer}
    return Located(parts[0].codes, whole("winner"), whole("method"), whole("reason"), whole("distance_m"), by_layer)


def rounded(metres: Floats) -> Floats:
    """The nearest doubles to so many whole millimetres, as Python's `round` gives them."""
    scaled = metres * 10.0**_DIGITS
    whole = np.rint(scaled)
    near = whole / 10.0**_DIGITS
    # Where the product lies all but half way, its own rounding may have decided.
    for row in np.flatnonzero(np.abs(np.abs(scaled - whole) - 0.5) < 1e-6).tolist():
        near[row] = round(float(metres[row]), _DIGITS)
    return near


def _codes(x: Floats, y: Floats, fault: Bytes, datum: Datum) -> dict[int, str]:
    """Fault -> its stable code; only one place of each kind is explained."""
    if not fault.any():
        return {}
    kinds, first = np.unique(fault, return_index=True)
    return {
        kind: explain(Fault(kind), float(x[row]), float(y[row]), datum).code
        for kind, row in zip(kinds.tolist(), first.tolist(), strict=True)
        if kind
    }


def _spelled(words: Sequence[str | None], index: npt.NDArray[Any]) -> list[Any]:
    """The word of every index; -1 is the last."""
    if len(index) < len(words):
        return [words[i] for i in index.tolist()]
    table = np.empty(len(words), dtype=object)
    table[:] = words
    spelled: list[Any] = table[index].tolist()
    return spelled


def _or_none(metres: Floats) -> list[float | None]:
    spelled: list[float | None] = metres.tolist()
    for row in np.flatnonzero(np.isnan(metres)).tolist():
        spelled[row] = None
    return spelled
