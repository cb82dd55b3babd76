"""Check-ins by the thousand: each is judged, stored and refused as it would be alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa

from data.checkinmany import take_checkins
from data.checkins import take_checkin
from data.members import keep_all_duty, keep_duty, keep_member_row
from gis.errors import KeyReused, MemberUnknown, ParameterInvalid, ShiftOverlaps, TimeInvalid
from gis.store.live import Live
from tests.town import drawn, place, published

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STORED = sa.text("""
    SELECT m.code, k.at, k.kind, ST_X(k.geom), ST_Y(k.geom), k.x, k.y, k.crs, k.converter, k.accuracy_m, k.note, k.standing,
           k.distance_m, k.grid, k.found, k.generation
    FROM checkin k JOIN member m ON m.uid = k.member ORDER BY k.at, m.code, k.kind
""")


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    """A works A, then B; b works A and B; c works nothing. From the second day on B reaches into A."""
    published(connection, drawn("AABB"))
    published(connection, drawn("ABBB"), at=NOON + DAY)
    for row in (
        {"code": "a", "name": "张三", "grids": ["A"], "since": NOON - DAY},
        {"code": "a", "name": "张三", "grids": ["B"], "since": NOON + DAY / 2},
        {"code": "b", "name": "李四", "grids": ["A", "B"], "since": NOON},
        {"code": "c", "name": "王五"},
    ):
        keep_member_row(connection, {**row, "since": row["since"].isoformat()} if "since" in row else row)
    return connection


def rows(count: int) -> list[dict[str, Any]]:
    """Check-ins by lot, in and round the town, about the instants at which somebody moves or a border does."""
    rng = np.random.default_rng(3)
    told = []
    for i in range(count):
        lon, lat = place(*(rng.random(2) * [5.0, 1.4] - [0.5, 0.2]).tolist())
        at = NOON + DAY * float(np.round(rng.random() * 2, 1))
        told.append({
            "member": "abc"[int(rng.integers(3))], "at": (at + timedelta(seconds=i)).isoformat(), "lon": lon, "lat": lat,
            "crs": ("wgs84", "gcj02")[int(rng.integers(2))], "accuracy_m": (None, 5.0, 30.0)[int(rng.integers(3))],
            "kind": ("in", "out", "visit")[int(rng.integers(3))], "note": "x" * (i % 2),
        })  # fmt: skip
    return told


def test_many_check_ins_are_judged_as_each_would_be_alone(town: sa.Connection) -> None:
    told, now = rows(200), datetime.now(UTC)
    savepoint = town.begin_nested()
    alone = [take_checkin(town, Live(4), row, now)[1] for row in told]
    expected = [tuple(row) for row in town.execute(STORED)]
    savepoint.rollback()
    assert [word for _, word in take_checkins(town, Live(4), told, now)] == alone == ["stored"] * 200
    assert [tuple(row) for row in town.execute(STORED)] == expected
    assert {row[11] for row in expected} == {"inside", "edge", "outside", None}
    assert {row[15] for row in expected} == {1, 2}
    assert [word for _, word in take_checkins(town, Live(4), told, now)] == ["repeated"] * 200


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"member": "nobody"}, MemberUnknown),
        ({"kind": "lunch"}, ParameterInvalid),
        ({"at": (NOON + 9 * DAY).isoformat()}, TimeInvalid),
        ({"note": "another"}, KeyReused),
    ],
)
def test_what_one_of_them_may_not_be_is_refused(town: sa.Connection, change: Any, error: type[Exception]) -> None:
    first, now = rows(1)[0], NOON + 3 * DAY
    with pytest.raises(error):
        take_checkins(town, Live(4), [first, {**first, **change}], now)


def test_no_check_ins_are_none(town: sa.Connection) -> None:
    assert take_checkins(town, Live(4), [], NOON) == []


def test_duty_of_many_rows_is_told_as_row_by_row(town: sa.Connection) -> None:
    shift = {"begin": NOON.isoformat(), "end": (NOON + DAY / 8).isoformat(), "external_id": "r1"}
    told = [{"member": "a", **shift}, {"member": "a", **shift}, {"member": "b", **shift, "external_id": "r2"}]
    assert keep_all_duty(town, "shift", told) == {"stored": 2, "repeated": 1}
    assert keep_duty(town, "shift", told[2])[1] == "repeated"
    with pytest.raises(ShiftOverlaps):
        keep_all_duty(town, "shift", [{"member": "b", **shift, "external_id": "r3"}])
    with pytest.raises(MemberUnknown):
        keep_all_duty(town, "leave", [{"member": "nobody", **shift}])
