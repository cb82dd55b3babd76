"""Bodies of fixes: NDJSON, CSV or an Arrow stream in, the figures of what became of each row out."""

from __future__ import annotations

import io
from collections.abc import Iterable
from datetime import datetime, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from api.bulk import ARROW, TABLES
from data.datumwatch import DatumWatch, stored_ground
from data.fixes import FixesTaken, FixPolicy, gathered, take_fixes
from data.fixrows import FixRows, plan_fixes, rows_of_arrow, table_rows
from data.rowchunk import Rejection
from data.tables import open_table
from gis.crs import parse_datum
from gis.datumalarm import told
from gis.errors import BodyUnreadable, ParameterInvalid
from gis.store.engine import Connection
from gis.store.live import Live

#: Rejected rows that an answer spells out; all are counted.
SHOWN: Final = 100
KINDS: Final = {media: kind for media, kind in TABLES.items() if kind in {"ndjson", "csv"}}


def zone_of(name: str | None) -> tzinfo | None:
    """The zone of times without offset; ParameterInvalid for one that is not there."""
    if name is None:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ParameterInvalid(f"there is no time zone {name}; one is Asia/Shanghai", place="tz") from None


def accept_fixes(
    connection: Connection,
    live: Live,
    body: bytes,
    kind: str,
    policy: FixPolicy,
    now: datetime,
    *,
    crs: str | None = None,
    member: str | None = None,
    zone: tzinfo | None = None,
) -> dict[str, Any]:
    """The figures of a body that was stored in the caller's transaction, its first rejected rows with reasons, and warnings."""
    refused: list[Rejection] = []

    def tell(rejections: list[Rejection]) -> None:
        refused.extend(rejections[: SHOWN - len(refused)])

    options: dict[str, Any] = {
        "constants": {} if member is None else {"member": member},
        "datum": None if crs is None else parse_datum(crs),
        "zone": zone,
    }
    taken, watch = FixesTaken(), DatumWatch()
    for rows in gathered(_rows(body, kind, options)):
        watch.see_fixes(rows)
        taken.add(take_fixes(connection, rows, policy, now, tell=tell))
    if not taken.rows:
        raise BodyUnreadable("the body holds no fixes", place="body")
    results = [
        {"row": one.row, "code": one.code, "reason": one.reason} for one in sorted(refused, key=lambda one: one.row)
    ]
    return taken.as_json() | {"results": results, "warnings": _warnings(connection, live, watch)}


def _warnings(connection: Connection, live: Live, watch: DatumWatch) -> list[dict[str, Any]]:
    """What somebody should look at in a body that was taken: positions that fit clearly better in another datum than the declared one."""
    if not watch.can_tell:
        return []
    return [
        {
            "code": "datum-suspected", "declared": one.declared, "suspected": one.suspected, "places": one.places,
            "reason": "; ".join(line.strip() for line in told(one)),
        }
        for one in watch.alarms(stored_ground(connection, live))
    ]  # fmt: skip


def _rows(body: bytes, kind: str, options: dict[str, Any]) -> Iterable[FixRows]:
    if kind == ARROW:
        return [_arrow_rows(body, options)]
    if kind not in KINDS:
        known = ", ".join([*KINDS, ARROW])
        raise BodyUnreadable(f"fixes are {known}, not {kind or 'without a Content-Type'}", place="Content-Type")
    return table_rows(open_table(io.BytesIO(body), kind=KINDS[kind]), **options)


def _arrow_rows(body: bytes, options: dict[str, Any]) -> FixRows:
    import pyarrow as pa

    try:
        table = pa.ipc.open_stream(body).read_all()
        table.validate(full=True)  # what a stranger sends may point anywhere
    except (pa.ArrowException, ValueError, OSError) as error:
        raise BodyUnreadable(f"the body is no Arrow IPC stream: {error}", place="body") from error
    return rows_of_arrow(table, plan_fixes(table.column_names, **options))
