"""Many at once over HTTP: bodies of JSON, NDJSON, CSV, GeoJSON or Arrow in, results a row out."""

from __future__ import annotations

import csv
import io
import itertools
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import numpy as np
from starlette.responses import Response

from api.answers import Json
from data import decide
from data.batch import plan_table, rejection, table_rows
from data.decide import Place, Policy, locate_by_rules
from data.intakerows import RowResult, accept_each
from data.lanes import unswept
from data.load import CHUNK
from data.locating import ADDED, kept_name
from data.placeanswers import PlaceAnswers, answers_of
from data.rowchunk import Rejection, Table
from data.tableencoding import CODECS
from data.tables import as_numbers, find_place, open_table
from gis.crs import Datum
from gis.crsfault import Fault, explain
from gis.errors import BodyUnreadable, ParameterInvalid
from gis.jurisdiction import Facts
from gis.locate import Located
from gis.nearby import Floats
from gis.store.engine import Connection
from gis.store.live import Live, State

#: Media type -> kind of table.
TABLES: Final = {
    "application/x-ndjson": "ndjson",
    "application/ndjson": "ndjson",
    "application/jsonl": "ndjson",
    "text/csv": "csv",
    "application/geo+json": "json",
    "application/json": "json",
}
ARROW: Final = "application/vnd.apache.arrow.stream"

#: A large question may take so many cores.
_CORES: Final = 4


@dataclass(frozen=True)
class Question:
    """What a call asks about all its places: the boundaries' state, the datum, one layer or all."""

    state: State
    datum: Datum
    policy: Policy
    facts: Facts
    layer: str | None = None
    accuracy_m: float | None = None

    def locate(self, lon: Floats, lat: Floats) -> Located:
        """The answer for WGS 84 places: by the rules in force, or in one layer alone."""
        if self.layer is not None:
            return self.state.index_of(self.layer).locate(lon, lat, tolerance_m=self.policy.tolerance_m)
        return locate_by_rules(self.state, lon, lat, self.policy, self.facts)

    def answers(self, x: Floats, y: Floats) -> PlaceAnswers:
        """The answers for places in the question's datum, on as many cores as there are."""
        return answers_of(self.locate, x, y, self.datum, threads=min(_CORES, len(os.sched_getaffinity(0))))


def locate(kind: str, body: bytes, points: Any, question: Question) -> Response:
    """The answer to `POST /v1/locate` in the form the question came in; `points` are those of a JSON body."""
    if kind == "application/json":
        return Json(_as_arrays(*_points(points), question))
    if kind == "text/csv":
        return _csv_answer(body, question)
    if kind == ARROW:
        return _arrow_answer(body, question)
    raise ParameterInvalid(f"the body is application/json, text/csv or {ARROW}, not {kind}", place="Content-Type")


def _points(given: Any) -> tuple[Any, Any]:
    refusal = BodyUnreadable("points is an array of [lon, lat] pairs of numbers", place="points")
    if not isinstance(given, list):
        raise refusal
    if not _all_pairs(given):
        row = next(i for i, pair in enumerate(given, start=1) if not _all_pairs([pair]))
        refusal.place = f"row {row}"
        raise refusal
    points = np.fromiter(itertools.chain.from_iterable(given), np.float64, 2 * len(given))
    return points[::2].copy(), points[1::2].copy()


def _all_pairs(given: list[Any]) -> bool:
    """Whether each is a list of two numbers; looked through without a step of Python a point."""
    return (
        set(map(type, given)) <= {list}
        and set(map(len, given)) <= {2}
        and set(map(type, itertools.chain.from_iterable(given))) <= {int, float}
    )


def _as_arrays(x: Floats, y: Floats, question: Question) -> dict[str, Any]:
    """Every point has its answer; one that cannot be used refuses the call by its row."""
    answers = question.answers(x, y)
    for row in np.flatnonzero(answers.fault)[:1].tolist():
        refusal = explain(Fault(int(answers.fault[row])), float(x[row]), float(y[row]), question.datum)
        refusal.place = f"row {row + 1}"
        raise refusal
    if question.accuracy_m is not None and question.layer is None:
        return _in_doubt(x, y, question)
    grid, method, _, reason = answers.columns()
    return {
        "grid": grid,
        "method": method,
        "reason": reason,
        "distance_to_edge_m": answers.distance_m,
        "layers": answers.layers(),
        "generation": question.state.boundaries.generation,
    }


def _in_doubt(x: Any, y: Any, question: Question) -> dict[str, Any]:
    """Places known to so many metres are decided one by one, as a report would be; the same arrays with probabilities."""
    places = (
        Place(lon, lat, question.datum.name, question.accuracy_m)
        for lon, lat in zip(x.tolist(), y.tolist(), strict=True)
    )
    asked = (decide.Question(place, question.facts) for place in places)
    found = [decide.decide(question.state, one, question.policy).assignment.as_json() for one in asked]
    members = ("grid", "method", "reason", "distance_to_edge_m", "probability", "ambiguous")
    arrays: dict[str, Any] = {name: [one[name] for one in found] for name in members}
    layers = {layer: [one["layers"][layer] for one in found] for layer in question.state.index.layers}
    return arrays | {"layers": layers, "generation": question.state.boundaries.generation}


def _csv_answer(body: bytes, question: Question) -> Response:
    """The same rows in the same order, with grid, method, distance_to_edge_m and reason behind them.

    A row whose place cannot be used has no grid and the reason; one that is no row of this table refuses the call.
    """
    table = open_table(io.BytesIO(body), kind="csv")
    place = find_place(table)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for first, chunk in enumerate(table.chunks):
        for refused in chunk.rejected[:1]:
            raise BodyUnreadable(refused.reason, place=f"row {refused.row}")
        if not first:
            writer.writerow([*map(kept_name, chunk.columns), *ADDED])
        x, y = (as_numbers(chunk.columns.get(name), len(chunk)) for name in place)
        writer.writerows(zip(*chunk.columns.values(), *question.answers(x, y).columns(), strict=True))
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8")


def _arrow_answer(body: bytes, question: Question) -> Response:
    """An Arrow IPC stream with columns lon, lat comes back with grid, method, distance_to_edge_m and reason."""
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(body).read_all()
        table.validate(full=True)  # what a stranger sends may point anywhere
        x, y = (_numbers(table.column(name)) for name in ("lon", "lat"))
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        raise BodyUnreadable(
            f"the body is no Arrow IPC stream with numeric columns lon and lat: {error}", place="body"
        ) from error
    table = table.rename_columns([kept_name(name) for name in table.column_names])
    for name, column in zip(ADDED, question.answers(x, y).arrow(), strict=True):
        table = table.append_column(name, column)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Response(memoryview(sink.getvalue()), media_type=ARROW)


def _numbers(column: Any) -> Floats:
    """A column as float64, NaN where it is null; without a copy where the sender's memory allows it."""
    import pyarrow as pa

    numbers: Floats = column.cast(pa.float64()).to_numpy()
    return numbers


def report_table(kind: str, body: bytes, charset: str | None = None) -> Table:
    """The table a batch body is; BodyUnreadable for a media type or charset that holds none."""
    if kind not in TABLES:
        raise BodyUnreadable(
            f"a batch is {', '.join(sorted(TABLES))}, not {kind or 'without a Content-Type'}", place="Content-Type"
        )
    if charset is not None and charset not in CODECS:
        raise BodyUnreadable(f"a charset is utf-8 or gb18030, not {charset}", place="Content-Type")
    return open_table(io.BytesIO(body), kind=TABLES[kind], encoding=charset, chunk_rows=CHUNK)


def accept_table(
    connection: Connection,
    live: Live,
    table: Table,
    crs: str | None,
    *,
    actor: str,
    policy: Policy,
) -> dict[str, Any]:
    """Results by row number: stored and repeated rows with their event and grid, rejected rows with code and reason.

    `crs` is the datum of rows that declare none. BodyUnreadable when there is no row at all.
    """
    plan = plan_table(table, crs, place="body", constants={})
    with unswept():
        parts = (
            (refused, rows) for chunk in table.chunks for rows, refused in [table_rows(chunk, plan, datetime.now(UTC))]
        )
        results = [
            one
            for refused, told in accept_each(connection, live, parts, actor=actor, policy=policy)
            for one in _part_results(refused, told)
        ]
    if not results:
        raise BodyUnreadable("the batch holds no reports", place="body")
    results.sort(key=lambda result: result["row"])
    counts = {kind: sum(result["result"] == kind for result in results) for kind in ("stored", "repeated", "rejected")}
    return {"rows": len(results), **counts, "results": results}


def _part_results(refused: list[Rejection], told: list[RowResult]) -> list[dict[str, Any]]:
    """What became of a part's rows, refused ones last."""
    results: list[dict[str, Any]] = []
    for one in told:
        if one.error is not None:
            refused.append(rejection(one.row, one.error))
        else:
            results.append(_row_result(one))
    return [*results, *map(_row_refusal, refused)]


def _row_result(one: RowResult) -> dict[str, Any]:
    if one.repeated:
        return {"row": one.row, "result": "repeated", "id": one.event}
    event = UUID(one.event) if isinstance(one.event, str) else one.event
    answer = {"grid": one.grid, "method": one.method, "reason": one.reason}
    return {"row": one.row, "result": "stored", "id": event, **answer}


def _row_refusal(one: Rejection) -> dict[str, Any]:
    return {"row": one.row, "result": "rejected", "code": one.code, "reason": one.reason}
