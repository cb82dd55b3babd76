"""Many at once over HTTP: bodies of JSON, NDJSON, CSV, GeoJSON or Arrow in, results a row out."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from starlette.responses import Response

from api.answers import Json
from data import decide
from data.batch import plan_table, rejection, submissions_of
from data.decide import Place, Policy, locate_by_rules
from data.intake import Outcome, accept
from data.locating import ADDED, Locator, kept_name
from data.rowchunk import Rejection, RowChunk, Table
from data.tableencoding import CODECS
from data.tables import find_place, open_table
from gis.crs import Datum, problems, to_storage
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
    for row, pair in enumerate(given, start=1):
        if not isinstance(pair, list) or len(pair) != 2 or not all(type(part) in {int, float} for part in pair):
            refusal.place = f"row {row}"
            raise refusal
    points = np.asarray(given, dtype=np.float64).reshape(-1, 2)
    return points[:, 0], points[:, 1]


def _as_arrays(x: Any, y: Any, question: Question) -> dict[str, Any]:
    """Every point has its answer; one that cannot be used refuses the call by its row."""
    faults = problems(x, y, question.datum)
    for row in np.flatnonzero(faults != None)[:1]:  # noqa: E711 - elementwise
        faults[row].place = f"row {row + 1}"
        raise faults[row]
    if question.accuracy_m is not None and question.layer is None:
        return _in_doubt(x, y, question)
    located = question.locate(*to_storage(x, y, question.datum))
    metres = [None if np.isnan(one) else round(one, 3) for one in located.distance_m.tolist()]
    return {
        "grid": located.grids(),
        "method": located.methods(),
        "reason": located.reasons(),
        "distance_to_edge_m": metres,
        "layers": {layer: located.grids(layer) for layer in located.by_layer},
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
    locator = Locator(question.locate, question.datum, find_place(table))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for first, chunk in enumerate(table.chunks):
        for refused in chunk.rejected[:1]:
            raise BodyUnreadable(refused.reason, place=f"row {refused.row}")
        columns = locator.locate(chunk).columns
        if not first:
            writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8")


def _arrow_answer(body: bytes, question: Question) -> Response:
    """An Arrow IPC stream with columns lon, lat comes back with grid, method, distance_to_edge_m and reason."""
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(body).read_all()
        places = {name: table.column(name).cast(pa.float64()).to_pylist() for name in ("lon", "lat")}
    except (pa.ArrowException, KeyError, ValueError, OSError) as error:
        raise BodyUnreadable(
            f"the body is no Arrow IPC stream with numeric columns lon and lat: {error}", place="body"
        ) from error
    locator = Locator(question.locate, question.datum, ("lon", "lat"))
    found = locator.locate(RowChunk(list(range(1, len(table) + 1)), places)).columns
    for name in ADDED:
        kind = pa.float64() if name == "distance_to_edge_m" else pa.string()
        if name in table.column_names:
            table = table.rename_columns(
                [kept_name(column) if column == name else column for column in table.column_names]
            )
        table = table.append_column(name, pa.array(found[name], kind))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Response(sink.getvalue(), media_type=ARROW)


def report_table(kind: str, body: bytes, charset: str | None = None) -> Table:
    """The table a batch body is; BodyUnreadable for a media type or charset that holds none."""
    if kind not in TABLES:
        raise BodyUnreadable(
            f"a batch is {', '.join(sorted(TABLES))}, not {kind or 'without a Content-Type'}", place="Content-Type"
        )
    if charset is not None and charset not in CODECS:
        raise BodyUnreadable(f"a charset is utf-8 or gb18030, not {charset}", place="Content-Type")
    return open_table(io.BytesIO(body), kind=TABLES[kind], encoding=charset)


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
    results: list[dict[str, Any]] = []
    for chunk in table.chunks:
        rows, refused = submissions_of(chunk, plan, datetime.now(UTC))
        outcomes = accept(connection, live, [submission for _, submission in rows], actor=actor, policy=policy)
        for (number, submission), outcome in zip(rows, outcomes, strict=True):
            if outcome.error is not None:
                refused.append(rejection(number, outcome.error, submission.report.raw))
            else:
                results.append(_row_result(number, outcome))
        results.extend(map(_row_refusal, refused))
    if not results:
        raise BodyUnreadable("the batch holds no reports", place="body")
    results.sort(key=lambda result: result["row"])
    counts = {kind: sum(result["result"] == kind for result in results) for kind in ("stored", "repeated", "rejected")}
    return {"rows": len(results), **counts, "results": results}


def _row_result(number: int, outcome: Outcome) -> dict[str, Any]:
    result: dict[str, Any] = {
        "row": number,
        "result": "repeated" if outcome.repeated else "stored",
        "id": outcome.event,
    }
    if outcome.assignment is not None and not outcome.repeated:
        result |= {
            "grid": outcome.assignment.grid,
            "method": outcome.assignment.method,
            "reason": outcome.assignment.reason,
        }
    return result


def _row_refusal(one: Rejection) -> dict[str, Any]:
    return {"row": one.row, "result": "rejected", "code": one.code, "reason": one.reason}
