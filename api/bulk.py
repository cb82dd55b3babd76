"""Many at once over HTTP: bodies of JSON, NDJSON, CSV, GeoJSON or Arrow in, results a row out."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from starlette.responses import Response

from api.answers import Json
from data.batch import plan_rows, rejection, submissions_of
from data.intake import Outcome, Policy, accept
from data.rowchunk import Rejection
from data.tables import Table, open_table
from gis.crs import parse_datum, problems, to_storage
from gis.errors import BodyUnreadable, ParameterInvalid
from gis.locate import Located
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


def locate(kind: str, body: bytes, asked: dict[str, Any], state: State, policy: Policy) -> Response:
    """The answer to `POST /v1/locate` in the form the question came in."""
    if kind == "application/json":
        return Json(_as_arrays(_located(*_points(asked), asked, state, policy), state))
    if kind == "text/csv":
        return _csv_answer(body, asked, state, policy)
    if kind == ARROW:
        return _arrow_answer(body, asked, state, policy)
    raise ParameterInvalid(f"the body is application/json, text/csv or {ARROW}, not {kind}", place="Content-Type")


def _points(asked: dict[str, Any]) -> tuple[Any, Any]:
    try:
        points = np.asarray(asked["points"], dtype=np.float64)
    except (KeyError, TypeError, ValueError):
        raise BodyUnreadable("points is an array of [lon, lat] pairs of numbers", place="points") from None
    if points.size == 0:
        return np.empty(0), np.empty(0)
    if points.ndim != 2 or points.shape[1] != 2:
        raise BodyUnreadable("points is an array of [lon, lat] pairs of numbers", place="points")
    return points[:, 0], points[:, 1]


def _located(x: Any, y: Any, asked: dict[str, Any], state: State, policy: Policy) -> Located:
    """Places that cannot be used are `no-position`; the first of them is refused by name when all are JSON points."""
    datum = parse_datum(str(asked.get("crs") or "wgs84"))
    faults = problems(x, y, datum)
    for row in np.flatnonzero(faults != None)[:1]:  # noqa: E711 - elementwise
        faults[row].place = f"row {row + 1}"
        raise faults[row]
    lon, lat = to_storage(x, y, datum)
    return state.index_of(asked.get("layer")).locate(lon, lat, tolerance_m=policy.tolerance_m)


def _as_arrays(located: Located, state: State) -> dict[str, Any]:
    return {
        "grid": located.grids(),
        "method": located.methods(),
        "reason": located.reasons(),
        "distance_to_edge_m": _rounded(located),
        "layers": {layer: located.grids(layer) for layer in located.by_layer},
        "generation": state.boundaries.generation,
    }


def _rounded(located: Located) -> list[float | None]:
    return [None if np.isnan(metres) else round(metres, 3) for metres in located.distance_m.tolist()]


def _floats(cells: list[Any], name: str) -> Any:
    try:
        return np.array([np.nan if cell is None else float(cell) for cell in cells], dtype=np.float64)
    except (TypeError, ValueError):
        raise BodyUnreadable(f"column {name} holds something that is not a number", place=name) from None


def _csv_answer(body: bytes, asked: dict[str, Any], state: State, policy: Policy) -> Response:
    """The same rows with grid, method, reason and distance_to_edge_m behind them."""
    table = open_table(io.BytesIO(body), kind="csv")
    plan = plan_rows(table.columns, position=table.position)
    if not {"lon", "lat"} <= plan.columns.keys():
        raise BodyUnreadable("the table needs columns lon and lat", place="lon")
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*table.columns, "grid", "method", "reason", "distance_to_edge_m"])
    for chunk in table.chunks:
        x, y = (_floats(chunk.columns[plan.columns[name]], name) for name in ("lon", "lat"))
        found = _located(x, y, asked, state, policy)
        columns = [chunk.columns[name] for name in table.columns]
        writer.writerows(zip(*columns, found.grids(), found.methods(), found.reasons(), _rounded(found), strict=True))
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8")


def _arrow_answer(body: bytes, asked: dict[str, Any], state: State, policy: Policy) -> Response:
    """An Arrow IPC stream with columns lon, lat comes back with grid, method, reason and distance_to_edge_m."""
    import pyarrow as pa

    sink = io.BytesIO()
    try:
        reader = pa.ipc.open_stream(body)
        table = reader.read_all()
        x, y = (table.column(name).to_numpy().astype(np.float64) for name in ("lon", "lat"))
    except (pa.ArrowInvalid, KeyError, ValueError, OSError) as error:
        raise BodyUnreadable(
            f"the body is no Arrow IPC stream with columns lon and lat: {error}", place="body"
        ) from error
    found = _located(x, y, asked, state, policy)
    for name, values in (("grid", found.grids()), ("method", found.methods()), ("reason", found.reasons())):
        table = table.append_column(name, pa.array(values, pa.string()))
    table = table.append_column("distance_to_edge_m", pa.array(found.distance_m, from_pandas=True))
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return Response(sink.getvalue(), media_type=ARROW)


def report_table(kind: str, body: bytes) -> Table:
    """The table a batch body is; BodyUnreadable for a media type that holds none."""
    if kind not in TABLES:
        raise BodyUnreadable(
            f"a batch is {', '.join(sorted(TABLES))}, not {kind or 'without a Content-Type'}", place="Content-Type"
        )
    return open_table(io.BytesIO(body), kind=TABLES[kind])


def accept_table(
    connection: Connection,
    live: Live,
    table: Table,
    constants: dict[str, Any],
    *,
    actor: str,
    policy: Policy,
) -> dict[str, Any]:
    """Results by row number: stored and repeated rows with their event and grid, rejected rows with code and reason."""
    plan = plan_rows(table.columns, constants=constants, position=table.position)
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
