"""Spot checks drawn from what the store knows: grids, their events, earlier spot checks, and what coverage tells where it was asked."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

import numpy as np

from data.members import text_of, time_of
from data.report import CLOCK_SKEW
from data.spotchecktexts import reasons
from data.tablewriters import writer
from gis.errors import FieldMissing, ParameterInvalid, TimeInvalid
from gis.partition import LAYERS, Boundaries, Partition
from gis.spotcheck import Frame, GridRisks, Sample, Weighing, framed, sample
from gis.store import audit
from gis.store.boundaries import Moment
from gis.store.engine import Connection
from gis.store.live import Live
from gis.store.spotchecks import DrawnGrid, NewDraw, events_by_grid, keep_draw, last_checked, note_outcome, read_draw

#: Closed events count for so many days after they occurred.
RECENT: Final = timedelta(days=30)
#: What draws and redraws: raw words of this generator of numpy, by the rule of `gis.spotcheck`.
METHOD: Final = (
    "stratified systematic PPS in random order (Madow 1949, Hartley and Rao 1962); numpy PCG64, raw words; 1"
)
#: A seed and a number of grids are whole in every reader of JSON, and in the store.
MOST_SEED: Final = 2**53 - 1
MOST_GRIDS: Final = 2**31 - 1
LONGEST_REASON: Final = 2000
OUTCOMES: Final = ("fine", "fault")
#: The columns of an inspector's list.
SHEET: Final = (
    "rank", "code", "name", "path", "stratum", "probability", "reason_zh", "reason_en", "outcome", "note", "checked_at",
)  # fmt: skip
_LAYERS: Final = tuple(name for name, _, _ in LAYERS)


@dataclass(frozen=True)
class DrawWish:
    """What is to be drawn: `n` grids of a layer by the boundaries in force at `at` (None: now); `seed` None: one is drawn and told."""

    n: int
    layer: str = "general"
    at: datetime | None = None
    seed: int | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        _whole(self.n, "n", 1, MOST_GRIDS)
        if self.seed is not None:
            _whole(self.seed, "seed", 0, MOST_SEED)
        if self.layer not in _LAYERS:
            raise ParameterInvalid(f"layer is one of {', '.join(_LAYERS)}, not {self.layer[:40]}", place="layer")
        if len(self.reason) > LONGEST_REASON:
            raise ParameterInvalid(f"reason has at most {LONGEST_REASON} characters", place="reason")


def _whole(value: Any, name: str, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ParameterInvalid(f"{name} is a whole number from {least} to {most}", place=name)


def wish_of(row: Mapping[str, Any]) -> DrawWish:
    """The wish that a body tells; ParameterInvalid, FieldMissing and TimeInvalid name the member at fault."""
    if row.get("n") is None:
        raise FieldMissing("a spot check needs n, the number of grids", place="n")
    layer = text_of(row, "layer", 64) or "general"
    return DrawWish(row["n"], layer, time_of(row, "at"), row.get("seed"), text_of(row, "reason", LONGEST_REASON))


def draw(
    connection: Connection, live: Live, wish: DrawWish, recency: Mapping[str, float | None] | None = None
) -> NewDraw:
    """The draw, not stored yet (`keep` does).

    `recency` tells by the uid of a grid how many days before `at` it was last seen (None, or a grid left out: never, or nobody knows);
    without it nothing is known of anybody, and it weighs nothing. Raises ParameterInvalid for a layer without grids at that moment,
    TimeInvalid for a future one.
    """
    now = live.now(connection).at
    at = wish.at or now
    if at > now + CLOCK_SKEW:
        raise TimeInvalid(f"at lies in the future: {at.isoformat()}", place="at")
    state = live.state(connection, Moment(at, now))
    state.demand(wish.layer)
    (partition,) = (one for one in state.boundaries.assignable() if one.layer == wish.layer)
    weighing = Weighing()
    risks = _risks(connection, state.boundaries, partition, at, recency)
    frame, parts = framed(risks, weighing)
    seed = secrets.randbelow(MOST_SEED + 1) if wish.seed is None else wish.seed
    drawn = _sampled(frame, wish.n, seed)
    names = {unit.code: unit.name for unit in state.boundaries.units.values()}
    told = reasons(risks, frame, parts, drawn, names)
    grids = tuple(
        DrawnGrid(frame.uid[row], partition.codes[row], rank, frame.stratum[row], float(drawn.probability[row]), zh, en)
        for rank, (row, (zh, en)) in enumerate(zip(drawn.rows.tolist(), told, strict=True), 1)
    )
    known = {"recency": recency is not None, "recent_days": RECENT.days}
    return NewDraw(
        at, state.boundaries.generation, wish.layer, wish.n, seed, [vars(one) for one in drawn.strata],
        {"method": METHOD, "level": partition.level, "weighing": weighing.as_json(), **known}, frame.as_json(), wish.reason, grids,
    )  # fmt: skip


def _sampled(frame: Frame, n: int, seed: int) -> Sample:
    return sample(frame, n, np.random.Generator(np.random.PCG64(seed)))


def _risks(
    connection: Connection,
    boundaries: Boundaries,
    partition: Partition,
    at: datetime,
    recency: Mapping[str, float | None] | None,
) -> GridRisks:
    """What is known of each grid of a partition at an instant, in the order of codes."""
    units = [boundaries.by_code[code] for code in partition.codes]
    uid = tuple(unit.uid for unit in units)
    above = [boundaries.units.get(unit.parent or "") for unit in units]
    events, checked = events_by_grid(connection, at, at - RECENT), last_checked(connection, at)
    counts = np.array([events.get(one, (0, 0)) for one in uid], np.int64)
    since = [(at - checked[one]) / timedelta(days=1) if one in checked else None for one in uid]
    unseen = None if recency is None else [recency.get(one) for one in uid]
    return GridRisks(
        uid, tuple(one.code if one else "" for one in above), counts[:, 0], counts[:, 1], np.array(since, np.float64),
        None if unseen is None else np.array(unseen, np.float64),
    )  # fmt: skip


def keep(connection: Connection, made: NewDraw, actor: str, role: str) -> UUID:
    """The draw is stored in the caller's transaction, and told in the audit: its id."""
    uid = keep_draw(connection, made, actor)
    told = {"n": made.n, "seed": made.seed, "layer": made.layer, "grids": [one.code for one in made.grids]}
    audit.record(connection, actor, role, "spotcheck", f"spotcheck/{uid}", told)
    return uid


def spotcheck_json(connection: Connection, live: Live, uid: UUID, *, verify: bool = False) -> dict[str, Any]:
    """A stored draw with its grids by the names of its instant; `complete`: whether all grids were drawn.

    With `verify` the grids are drawn again from the stored frame and seed: `reproduced` says whether they are the same, with the same
    ranks and probabilities. SpotcheckUnknown.
    """
    stored = read_draw(connection, uid)
    frame = Frame.of_json(stored.pop("frame"))
    moment = Moment(stored["at"], stored["made_at"])
    stored["grids"] = named(connection, live, moment, stored["grids"])
    again = {"reproduced": _is_reproduced(stored, frame)} if verify else {}
    return stored | {"frame": len(frame.uid), "complete": stored["drawn"] == len(frame.uid)} | again


def named(
    connection: Connection, live: Live, moment: Moment, grids: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Grids of a draw with their `name` and `path`, the names above it, as they were at that moment."""
    boundaries = live.state(connection, moment).boundaries
    steps = [[step["name"] or step["code"] for step in boundaries.path(one["code"])] for one in grids]
    return [
        dict(one) | {"name": "".join(path[-1:]), "path": " > ".join(path[:-1])}
        for one, path in zip(grids, steps, strict=True)
    ]


def write_sheet(path: Path, grids: Sequence[Mapping[str, Any]]) -> None:
    """The list for the inspector stands in `path` (.csv, .xlsx ...), in the order of going, with room for what is found."""
    with writer(path, SHEET, mark=True) as write:  # the mark is what makes a spreadsheet show Chinese
        write({name: [one.get(name) for one in grids] for name in SHEET}, [None] * len(grids))


def sheet_csv(grids: Sequence[Mapping[str, Any]]) -> bytes:
    """The same list as the bytes of a CSV file, for HTTP."""
    with TemporaryDirectory(prefix="gridbeat-") as folder:
        path = Path(folder) / "sheet.csv"
        write_sheet(path, grids)
        return path.read_bytes()


def _is_reproduced(stored: Mapping[str, Any], frame: Frame) -> bool:
    drawn = _sampled(frame, stored["n"], stored["seed"])
    kept = sorted(stored["grids"], key=lambda one: one["rank"])
    same = [frame.uid[row] for row in drawn.rows.tolist()] == [one["grid"] for one in kept]
    strata = [frame.stratum[row] for row in drawn.rows.tolist()] == [one["stratum"] for one in kept]
    chances = [one["probability"] for one in kept]
    return same and strata and bool(np.allclose(drawn.probability[drawn.rows], chances, rtol=0, atol=1e-12))


def take_outcome(
    connection: Connection, uid: UUID, code: str, row: Mapping[str, Any], actor: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What was found in a grid is noted: (as it was, as it is). ParameterInvalid, FieldMissing, SpotcheckUnknown."""
    outcome = text_of(row, "outcome", 16) or None
    if outcome is not None and outcome not in OUTCOMES:
        raise ParameterInvalid(f"outcome is one of {', '.join(OUTCOMES)}", place="outcome")
    note = None if row.get("note") is None else text_of(row, "note", 2000)
    return note_outcome(connection, uid, code, outcome, note, actor)
