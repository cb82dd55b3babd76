"""`gridbeat load members | shifts | places | streets | fixes`: a dry run stores nothing, rejected rows say why, twice is once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import shapely

from gis.crs import from_storage, parse_datum
from tests.asking import LAT, LON, Asking
from tests.terminal import Terminal

NOON = datetime(2026, 5, 3, 4, tzinfo=UTC)


@pytest.fixture
def terminal(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    asking.query(
        "TRUNCATE fix, fix_day, checkin, visit, campaign_place, campaign, place, shift, leave, membership, member, street"
    )
    return Terminal(asking.url, monkeypatch)


def write(folder: Path, text: str, name: str = "table.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def count(asking: Asking, table: str) -> int:
    return int(asking.query(f"SELECT count(*) FROM {table}")[0][0])


MEMBERS = """工号,姓名,职务,网格,since
m1,张三,网格长,A1,2025-08-01T00:00:00Z
m2,李四,网格员,"A1,A2",2025-08-01T00:00:00Z
,无名,,,
m3,王五,站长,,
m4,赵六,,Z9,
"""


def loaded(terminal: Terminal, folder: Path) -> None:
    assert terminal.run("load", "members", write(folder, MEMBERS), "--commit").code == 1
    shifts = "member,begin,end\n" + "".join(f"m{n},2026-05-03T12:00:00,2026-05-03 20:00:00\n" for n in (1, 2))
    ran = terminal.run("load", "shifts", write(folder, shifts, "shifts.csv"), "--tz", "Asia/Shanghai", "--commit")
    assert ran.code == 0, ran.out


def test_a_dry_run_of_members_says_what_the_real_one_does(asking: Asking, terminal: Terminal, tmp_path: Path) -> None:
    dry = terminal.run("load", "members", write(tmp_path, MEMBERS))
    assert "5 rows: 2 stored, 0 changed, 0 repeated, 3 rejected" in dry.out
    assert count(asking, "member") == 0
    real = terminal.run("load", "members", write(tmp_path, MEMBERS), "--commit")
    assert real.out.splitlines()[:3] == dry.out.splitlines()[:3]
    assert [word in real.out for word in ("field-missing", "parameter-invalid", "grid-unknown")] == [True] * 3
    again = terminal.run("load", "members", write(tmp_path, MEMBERS), "--commit")
    assert "0 stored, 0 changed, 2 repeated" in again.out
    assert (count(asking, "member"), count(asking, "membership")) == (2, 3)


def test_shifts_from_a_workbook_and_leave_by_a_constant(asking: Asking, terminal: Terminal, tmp_path: Path) -> None:
    loaded(terminal, tmp_path)
    book = openpyxl.Workbook()
    book.active.append(["工号", "上班时间", "下班时间"])
    book.active.append(["m1", datetime(2026, 5, 4, 8), datetime(2026, 5, 4, 16)])  # noqa: DTZ001 - as spreadsheets hold it
    book.active.append(["m1", datetime(2026, 5, 4, 15), datetime(2026, 5, 4, 20)])  # noqa: DTZ001
    book.save(tmp_path / "roster.xlsx")
    ran = terminal.run("load", "shifts", tmp_path / "roster.xlsx", "--commit")
    assert (ran.code, "1 stored" in ran.out, "[shift-overlaps]" in ran.out) == (1, True, True)
    leave = write(tmp_path, "member,begin,end\nm1,2026-05-04 09:00,2026-05-04 10:00\n")
    assert terminal.run("load", "shifts", leave, "--set", "leave=yes", "--commit").code == 0
    assert [(row[0] - NOON).total_seconds() / 3600 for row in asking.query("SELECT lower(during) FROM leave")] == [21]


def test_places_in_bd09_lie_where_they_are(asking: Asking, terminal: Terminal, tmp_path: Path) -> None:
    x, y = (float(one[0]) for one in from_storage([LON + 0.005], [LAT + 0.005], parse_datum("bd09")))
    rows = (
        f"编号,类别,名称,经度,纬度,走访周期\nP1,出租屋,甲,{x},{y},7\nP2,三小场所,乙,{x},,7\nP3,三小场所,丙,{x},{y},-1\n"
    )
    ran = terminal.run("load", "places", write(tmp_path, rows), "--crs", "bd09", "--commit")
    assert (ran.code, "1 stored" in ran.out, "2 rejected" in ran.out) == (1, True, True)
    (found,) = asking.query("SELECT code, kind, revisit_days, ST_X(geom), ST_Y(geom), crs FROM place")
    assert (*found[:3], found[5]) == ("P1", "出租屋", 7.0, "bd09")
    assert found[3:5] == pytest.approx((LON + 0.005, LAT + 0.005), abs=1e-8)


def test_streets_of_a_file_are_replaced_when_it_comes_again(asking: Asking, terminal: Terminal, tmp_path: Path) -> None:
    line = shapely.LineString([(LON, LAT), (LON + 0.01, LAT)])
    frame = gpd.GeoDataFrame(
        {"osm_id": ["1", "2", "2", "3"], "name": ["人民路", None, "", "x"], "highway": ["primary"] * 4},
        geometry=[line, line, line, shapely.Point(LON, LAT)], crs="EPSG:4326",
    )  # fmt: skip
    frame.to_file(tmp_path / "roads.geojson")
    for _ in range(2):
        ran = terminal.run("load", "streets", tmp_path / "roads.geojson", "--commit")
        assert (ran.code, "4 rows: 3 streets, 2.8 km, 1 rejected" in ran.out) == (1, True), ran.out
    assert asking.query("SELECT external_id, name, kind FROM street ORDER BY id")[0] == ("1", "人民路", "primary")
    assert count(asking, "street") == 3


def at(n: int) -> datetime:
    return NOON + timedelta(minutes=n)


def test_fixes_from_csv_parquet_and_gpx_are_the_same_fixes(asking: Asking, terminal: Terminal, tmp_path: Path) -> None:
    loaded(terminal, tmp_path)
    places = [(LON + 0.003 + n * 1e-5, LAT + 0.003) for n in range(4)]
    rows = "member,at,lon,lat\n" + "".join(f"m1,{at(n).isoformat()},{x},{y}\n" for n, (x, y) in enumerate(places))
    dry = terminal.run("load", "fixes", write(tmp_path, rows + "m9,2026-05-03T04:00:00Z,121,32\n"))
    assert (dry.code, "5 rows: 4 would be stored" in dry.out, "unknown-member 1" in dry.out) == (1, True, True), dry.out
    assert count(asking, "fix") == 0
    assert "4 rows: 4 stored" in terminal.run("load", "fixes", write(tmp_path, rows), "--commit").out
    times = pa.array([at(n) for n in range(4)], pa.timestamp("us", tz="UTC"))
    table = {"工号": ["m1"] * 4, "time": times, "lon": [x for x, _ in places], "lat": [y for _, y in places]}
    pq.write_table(pa.table(table), tmp_path / "fixes.parquet")
    assert "duplicate 4" in terminal.run("load", "fixes", tmp_path / "fixes.parquet", "--commit").out
    points = "".join(
        f'<trkpt lon="{x}" lat="{y}"><time>{at(n):%Y-%m-%dT%H:%M:%SZ}</time></trkpt>' for n, (x, y) in enumerate(places)
    )
    gpx = f'<gpx version="1.1" creator="t" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>{points}</trkseg></trk></gpx>'
    ran = terminal.run("load", "fixes", write(tmp_path, gpx, "walk.gpx"), "--set", "member=m1", "--commit")
    assert (ran.code, "duplicate 4" in ran.out) == (0, True), ran.out + ran.err
    ran = terminal.run("load", "fixes", write(tmp_path, gpx, "walk.gpx"), "--set", "member=m2", "--commit")
    assert "4 stored" in ran.out
    assert count(asking, "fix") == 8


def test_rejected_fixes_are_in_a_file_and_positions_off_duty_are_not(
    asking: Asking, terminal: Terminal, tmp_path: Path
) -> None:
    loaded(terminal, tmp_path)
    rows = "member,at,lon,lat,accuracy_m\n" + "".join(
        f"{who},{at(n).isoformat()},{x},{LAT},{accuracy}\n"
        for who, n, x, accuracy in (("m1", 1, LON, ""), ("m1", 2, 999, ""), ("m1", 3, LON, 5000), ("m1", -60, LON, ""))
    )
    ran = terminal.run("load", "fixes", write(tmp_path, rows), "--rejected", tmp_path / "bad.csv", "--commit")
    assert (ran.code, "4 rows: 1 stored" in ran.out, "off-duty 1" in ran.out) == (1, True, True)
    lines = (tmp_path / "bad.csv").read_text("utf-8-sig").splitlines()
    assert [line.split(",")[0] for line in lines] == ["row", "2", "3"]


def test_a_track_called_wgs84_that_is_gcj02_raises_the_alarm(
    asking: Asking, terminal: Terminal, tmp_path: Path
) -> None:
    loaded(terminal, tmp_path)
    # A walk all along the east of the town: in GCJ-02 it is told some 450 m farther east, where nobody's grid is.
    lon = [LON + 0.0165 + n % 3 * 1.1e-3 for n in range(48)]
    lat = [LAT + 0.003 + n // 3 * 1.05e-3 for n in range(48)]
    x, y = from_storage(lon, lat, parse_datum("gcj02"))
    rows = "member,at,lon,lat\n" + "".join(
        f"m1,{at(n).isoformat()},{a},{b}\n" for n, (a, b) in enumerate(zip(x, y, strict=True))
    )
    ran = terminal.run("load", "fixes", write(tmp_path, rows))
    told = terminal.run("load", "fixes", write(tmp_path, rows), "--crs", "gcj02")
    assert ("datum alarm" in ran.err, "datum alarm" in told.err) == (True, False), ran.out + ran.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [(("--map", "who=member"), "no such field"), (("--set", "at=now"), "only member"), (("--tz", "Mars/Base"), "no time zone"),
     (("--crs", "mars"), "mars")],
)  # fmt: skip
def test_options_that_fit_nothing_are_refused(terminal: Terminal, tmp_path: Path, words: Any, reason: str) -> None:
    ran = terminal.run("load", "fixes", write(tmp_path, "member,at,lon,lat\nm1,2026-05-03T04:00:00Z,121,32\n"), *words)
    assert (ran.code in {1, 2}, reason in ran.err) == (True, True), ran.err


def test_old_days_expire(asking: Asking, terminal: Terminal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded(terminal, tmp_path)
    rows = write(tmp_path, f"member,at,lon,lat\nm1,{at(1).isoformat()},{LON},{LAT}\n")
    terminal.run("load", "fixes", rows, "--commit")
    assert "all fixes are kept" in terminal.run("db", "expire").out
    monkeypatch.setenv("GRIDBEAT_FIXES_KEPT_DAYS", "1")
    assert "1 fixes dropped" in terminal.run("db", "expire").out
    assert count(asking, "fix") == count(asking, "fix_day") == 0
