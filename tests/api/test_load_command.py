"""`gridbeat load`: a dry run tells what the real run does; every row is stored once or in the rejected file."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely

from gis.crs import from_storage, parse_datum
from tests.asking import EAST, LAT, LON, RENAMED_WEST, Asking, square
from tests.terminal import Ran, Terminal

HEAD = "工单号,经度,纬度,来源,上报时间,内容,处置部门\n"


@pytest.fixture
def terminal(alone: Asking, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(alone.url, monkeypatch)


@pytest.fixture
def reader(asking: Asking, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """For commands that store nothing."""
    return Terminal(asking.url, monkeypatch)


def row(number: int, **change: Any) -> str:
    cells = {"id": f"{number:05d}", "lon": LON + 0.005, "lat": LAT + 0.005, "channel": "热线", "at": "2026/5/3 8:00", "text": "积水",
             "who": "城管"} | change  # fmt: skip
    return ",".join(map(str, cells.values())) + "\n"


def table(folder: Path, *rows: str, encoding: str = "utf-8", head: str = HEAD) -> Path:
    path = folder / "reports.csv"
    path.write_text(head + "".join(rows), encoding=encoding)
    return path


def counts(asking: Asking) -> tuple[int, int, int]:
    return tuple(
        asking.query(
            "SELECT (SELECT count(*) FROM event), (SELECT count(*) FROM assignment), (SELECT count(*) FROM event_key)"
        )[0]
    )  # type: ignore[return-value]


def rejected(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_a_spreadsheet_of_the_field_is_loaded_whole(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    ran = terminal.run("load", "events", table(tmp_path, row(1), row(2, lon=LON + 0.015)), "--commit")
    assert ran.code == 0, ran.err
    assert "2 rows: 2 stored, 0 known already, 0 rejected" in ran.out
    found = alone.query("SELECT external_id, channel, text, raw, reported_at FROM event ORDER BY external_id")
    assert [one.external_id for one in found] == ["00001", "00002"]
    assert (found[0].channel, found[0].text) == ("热线", "积水")
    assert found[0].raw["处置部门"] == "城管"
    assert found[0].raw["source"] == {"file": "reports.csv", "row": 1}
    assert found[0].reported_at.isoformat() == "2026-05-03T00:00:00+00:00"  # eight o'clock in China


MESSY = (
    row(1), row(2, lon=0, lat=0), row(3, lon=LAT, lat=LON), row(4, lon="", lat=""), row(5, lon="东"), row(6, at="昨天"),
    row(7, at="2126-01-01"), row(1), row(1, text="别的"), row(10, lon=121.9), "00011,1,2\n", row(12) [:-1] + ",多一格\n", "\n",
    row(14, channel=""), row(15, text="长" * 20_001), row(16, text='"引号"'),
)  # fmt: skip


def test_a_dry_run_tells_what_the_real_run_does_and_stores_nothing(
    terminal: Terminal, alone: Asking, tmp_path: Path
) -> None:
    path = table(tmp_path, *MESSY)
    dry = terminal.run("load", "events", path)
    assert counts(alone) == (0, 0, 0)
    dry_rejected = rejected(tmp_path / "reports.csv.rejected.csv")
    real = terminal.run("load", "events", path, "--commit")
    assert (dry.code, real.code) == (1, 1)
    assert "15 rows: 3 would be stored, 1 known already, 11 rejected" in dry.out
    assert "15 rows: 3 stored, 1 known already, 11 rejected" in real.out
    assert dry.out.splitlines()[2:-2] == [
        line.replace("stored", "would be stored") for line in real.out.splitlines()[2:-1]
    ] or (dry.out.replace("would be stored", "stored").splitlines()[2:-1] == real.out.splitlines()[2:])
    assert dry_rejected == rejected(tmp_path / "reports.csv.rejected.csv")
    assert counts(alone) == (3, 3, 3)
    assert "dry run: nothing is stored; --commit stores it" in dry.out


def test_rejected_rows_keep_number_reason_and_every_cell(reader: Terminal, tmp_path: Path) -> None:
    reader.run("load", "events", table(tmp_path, *MESSY), "--rejected", tmp_path / "no.csv")
    found = {int(one["row"]): one for one in rejected(tmp_path / "no.csv")}
    assert sorted(found) == [2, 3, 4, 5, 6, 7, 9, 11, 12, 14, 15]
    assert {n: one["code"] for n, one in found.items()} == {
        2: "coordinate-invalid", 3: "coordinate-invalid", 4: "field-missing", 5: "coordinate-invalid", 6: "time-invalid",
        7: "time-invalid", 9: "key-reused", 11: "field-missing", 12: "body-unreadable", 14: "field-missing", 15: "body-too-large",
    }  # fmt: skip
    assert "swapped" in found[3]["reason"]
    assert (found[9]["工单号"], found[9]["经度"], found[9]["内容"], found[9]["处置部门"]) == (
        "00001",
        str(LON + 0.005),
        "别的",
        "城管",
    )
    assert found[6]["上报时间"] == "昨天"


def test_the_corrected_rejected_file_loads(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    terminal.run("load", "events", table(tmp_path, row(1), row(2, lon=LAT, lat=LON)), "--commit")
    bad = tmp_path / "reports.csv.rejected.csv"
    text = bad.read_text("utf-8-sig")
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(text.replace(f"{LAT},{LON}", f"{LON + 0.005},{LAT + 0.005}"), encoding="utf-8-sig")
    ran = terminal.run("load", "events", corrected, "--commit")
    assert (ran.code, counts(alone)[0]) == (0, 2), ran.out


def test_a_run_without_rejected_rows_leaves_no_rejected_file(reader: Terminal, tmp_path: Path) -> None:
    leftover = tmp_path / "reports.csv.rejected.csv"
    leftover.write_text("from an older run")
    reader.run("load", "events", table(tmp_path, row(1)))
    assert not leftover.exists()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_every_encoding_that_offices_write_is_read(
    terminal: Terminal, alone: Asking, tmp_path: Path, encoding: str
) -> None:
    ran = terminal.run("load", "events", table(tmp_path, row(1), encoding=encoding), "--commit")
    assert ran.code == 0, ran.err
    assert alone.query("SELECT channel, text FROM event") == [("热线", "积水")]


def test_gb18030_called_utf_8_is_refused_with_the_way_out(reader: Terminal, tmp_path: Path) -> None:
    ran = reader.run("load", "events", table(tmp_path, row(1), encoding="gb18030"), "--encoding", "utf-8")
    assert ran.code == 1
    assert "GB18030" in ran.err
    assert "Traceback" not in ran.err


def test_columns_are_mapped_set_and_put_into_zone_and_datum(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    x, y = (float(axis[0]) for axis in from_storage([LON + 0.005], [LAT + 0.005], parse_datum("EPSG:4549")))
    path = table(
        tmp_path, f"7,{x},{y},08:00 03.05\n".replace("08:00 03.05", "2026-05-03 08:00"), head="nr,ost,nord,wann\n"
    )
    ran = terminal.run(
        "load", "events", path, "--lon", "ost", "--lat", "nord", "--map", "external_id=nr", "--map", "occurred_at=wann",
        "--set", "channel=import", "--tz", "Europe/Berlin", "--crs", "EPSG:4549", "--commit",
    )  # fmt: skip
    assert ran.code == 0, ran.err
    (event,) = alone.query("SELECT external_id, channel, occurred_at, crs, ST_X(geom) AS lon, method FROM event")
    assert (event.external_id, event.channel, event.crs, event.method) == ("7", "import", "EPSG:4549", "inside")
    assert event.occurred_at.isoformat() == "2026-05-03T06:00:00+00:00"
    assert event.lon == pytest.approx(LON + 0.005, abs=1e-9)


def test_metres_without_a_crs_are_rejected_and_not_guessed(reader: Terminal, tmp_path: Path) -> None:
    ran = reader.run("load", "events", table(tmp_path, row(1, lon=519_000, lat=3_547_000)))
    assert ran.code == 1
    assert "datum-contradiction" in ran.out
    ran = reader.run("load", "events", table(tmp_path, row(1)), "--crs", "EPSG:4549")
    assert ran.code == 1
    assert "look like degrees" in ran.out


@pytest.mark.parametrize("ending", ["gpkg", "parquet", "geojson"])
def test_a_projected_file_with_another_crs_is_an_error(
    terminal: Terminal, alone: Asking, tmp_path: Path, ending: str
) -> None:
    points = gpd.GeoSeries([shapely.Point(LON + 0.005, LAT + 0.005)], crs=4326).to_crs(4549)
    frame = gpd.GeoDataFrame({"channel": ["x"]}, geometry=points)
    path = tmp_path / f"points.{ending}"
    if ending == "parquet":
        frame.to_parquet(path)
    elif ending == "gpkg":
        frame.to_file(path)
    else:
        tag = {"type": "name", "properties": {"name": "EPSG:4549"}}
        path.write_text(json.dumps(json.loads(frame.to_json(drop_id=True)) | {"crs": tag}))
    ran = terminal.run("load", "events", path, "--crs", "wgs84")
    assert (ran.code, "datum-contradiction" in ran.err) == (1, True), ran.err
    ran = terminal.run("load", "events", path, "--commit")
    assert ran.code == 0, ran.err
    assert alone.query("SELECT crs, method FROM event") == [("EPSG:4549", "inside")]


@pytest.mark.parametrize(
    "words",
    [
        ("--map", "lng=经度"), ("--map", "lon"), ("--map", "=a"), ("--set", "kanal=x"), ("--tz", "Mars/Olympus"), ("--nonsense",),
    ],
)  # fmt: skip
def test_a_wrong_word_is_usage_and_exits_with_2(reader: Terminal, tmp_path: Path, words: tuple[str, ...]) -> None:
    ran = reader.run("load", "events", table(tmp_path, row(1)), *words)
    assert ran.code == 2, ran
    assert "Traceback" not in ran.err


def test_a_file_that_is_not_there_is_usage(reader: Terminal, tmp_path: Path) -> None:
    assert reader.run("load", "events", tmp_path / "nowhere.csv").code == 2


@pytest.mark.parametrize("content", [b"", b"\x00\x01\x02\xff\xfe", b"PK\x03\x04rubbish\n\n1"])
@pytest.mark.parametrize("ending", ["csv", "xlsx", "parquet", "gpkg", "geojson", "zip", "docx"])
def test_a_file_that_is_no_table_is_one_plain_sentence(
    reader: Terminal, asking: Asking, tmp_path: Path, content: bytes, ending: str
) -> None:
    path = tmp_path / f"rubbish.{ending}"
    path.write_bytes(content)
    ran = reader.run("load", "events", path, "--commit")
    assert ran.code in {1, 2}
    assert "Traceback" not in ran.err
    assert counts(asking) == (0, 0, 0)


def test_an_unknown_crs_or_column_is_named(reader: Terminal, tmp_path: Path) -> None:
    path = table(tmp_path, row(1))
    assert "venus" in reader.run("load", "events", path, "--crs", "venus").err
    assert "there is no column ort" in reader.run("load", "events", path, "--map", "lon=ort").err


def test_loading_twice_stores_once_with_ids_and_without(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    path = table(tmp_path, row(1), row(2, id=""), row(3, id=""))
    first, again = (terminal.run("load", "events", path, "--commit") for _ in range(2))
    assert "3 rows: 3 stored, 0 known already" in first.out
    assert "3 rows: 0 stored, 3 known already" in again.out
    assert counts(alone) == (3, 3, 3)
    assert "0 would be stored, 3 known already" in terminal.run("load", "events", path).out


def test_address_only_rows_end_in_the_queue(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    path = table(tmp_path, *(f"{n},长岸村{n}组,热线\n" for n in range(5)), head="编号,地址,来源\n")
    ran = terminal.run("load", "events", path, "--commit")
    assert ran.code == 0
    assert "without a grid, address-only: 5" in ran.out
    assert len(alone.http.get("/v1/events/unassigned").json()["features"]) == 5


KILLED = 12_000


def test_a_load_that_is_killed_half_way_and_repeated_stores_every_row_once(
    terminal: Terminal, alone: Asking, tmp_path: Path
) -> None:
    path = table(tmp_path, *(row(n, id="" if n % 2 else f"{n}") for n in range(KILLED)))
    command = [sys.executable, "-m", "api.cli", "load", "events", str(path), "--commit"]
    environment = os.environ | {"GRIDBEAT_DATABASE_URL": alone.url}
    with subprocess.Popen(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL, env=environment
    ) as loading:
        for _ in range(1_500):
            if counts(alone)[0] or loading.poll() is not None:
                break
            time.sleep(0.02)
        loading.send_signal(signal.SIGKILL)
    events, receipts, keys = counts(alone)
    assert events == receipts == keys
    assert 0 < events < KILLED
    ran = terminal.run("load", "events", path, "--commit")
    assert f"{KILLED} rows: {KILLED - events} stored, {events} known already, 0 rejected" in ran.out
    assert counts(alone) == (KILLED, KILLED, KILLED)


# Grids.


def grids_file(
    folder: Path, grids: dict[str, tuple[str, str | None, Any]], name: str = "grids.gpkg", **more: Any
) -> Path:
    codes, (names, parents, shapes) = list(grids), zip(*grids.values(), strict=True)
    frame = gpd.GeoDataFrame({"code": codes, "name": names, "parent": parents}, geometry=list(shapes), crs=4326)
    frame.to_file(folder / name, **more)
    return folder / name


def load_grids(terminal: Terminal, path: Path, *words: object) -> Ran:
    return terminal.run("load", "grids", path, "--layer", "general", "--parent-field", "parent", *words)


def test_a_file_of_grids_is_shown_first_and_then_published(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    path = grids_file(tmp_path, RENAMED_WEST | EAST)
    dry = load_grids(terminal, path)
    assert dry.code == 0, dry.err
    assert "change: created 2, reshaped 0, renamed 0, recoded 0, reparented 0, retired 1" in dry.out, dry.out
    assert "not in the file, so they end (1): " in dry.out
    assert "dry run" in dry.out
    assert alone.query("SELECT max(number) FROM generation") == [(3,)]
    real = load_grids(terminal, path, "--commit")
    assert (real.code, "published generation 4" in real.out) == (0, True), real.err
    assert alone.report(lon=LON + 0.015).json()["grid"] == "B1"


def test_the_same_grids_again_are_no_generation(terminal: Terminal, tmp_path: Path) -> None:
    path = grids_file(tmp_path, RENAMED_WEST | EAST)
    load_grids(terminal, path, "--commit")
    again = load_grids(terminal, path, "--commit")
    assert again.code == 1
    assert "nothing changes" in again.err


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"B1": ("乙一", "V2", square(0.9, 0, 2, 1))}, "overlap"),
        ({"B1": ("乙一", "V2", square(1, 0, 2.5, 1))}, "parent"),
        ({"B1": ("乙一", "V2", shapely.Polygon([(121.21, 32.05), (121.22, 32.06), (121.22, 32.05), (121.21, 32.06)]))}, "invalid"),
    ],
)  # fmt: skip
def test_an_error_in_the_file_refuses_it_whole(
    terminal: Terminal, alone: Asking, tmp_path: Path, change: dict[str, Any], kind: str
) -> None:
    ran = load_grids(terminal, grids_file(tmp_path, RENAMED_WEST | EAST | change), "--commit")
    assert ran.code == 1
    assert kind in ran.out
    assert alone.query("SELECT max(number) FROM generation") == [(3,)]


def test_grids_take_effect_when_they_are_said_to(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    path = grids_file(tmp_path, RENAMED_WEST | EAST)
    assert "generation-order" in load_grids(terminal, path, "--effective", "2025-05-01T00:00:00+08:00").err
    assert load_grids(terminal, path, "--effective", "2025-05-01").code == 1
    slip = load_grids(terminal, path, "--effective", "2099-01-01T00:00:00+08:00", "--commit")
    assert (slip.code, "days ahead" in slip.err) == (1, True)
    soon = (datetime.now(UTC) + timedelta(days=300)).isoformat()
    assert load_grids(terminal, path, "--effective", soon, "--commit").code == 0
    places = {"lon": LON + 0.015, "lat": LAT + 0.005}
    assert alone.http.get("/v1/locate", params=places).json()["grid"] == "B3"
    assert alone.http.get("/v1/locate", params=places | {"at": soon}).json()["grid"] == "B1"


@pytest.mark.parametrize(
    "words",
    [("--layer", "street"), ("--level", "planet"), ("--profile", "x"), ("--enclave", "here"), ("--match", "name")],
)
def test_a_wrong_word_for_grids_is_usage(reader: Terminal, tmp_path: Path, words: tuple[str, str]) -> None:
    assert load_grids(reader, grids_file(tmp_path, RENAMED_WEST | EAST), *words).code == 2


# Households.


def test_households_are_counted_first_and_then_stored_once(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    path = tmp_path / "households.csv"
    path.write_text(
        f"编号,经度,纬度,户数\n1,{LON + 0.005},{LAT + 0.005},12\n2,{LON},{LAT},0\n3,0,0,4\n4,{LON},{LAT},多\n5,{LON},{LAT},-1\n"
    )
    dry = terminal.run("load", "households", path)
    assert dry.code == 1
    assert "5 rows: 2 points with 12 households, 3 rejected" in dry.out
    assert alone.query("SELECT count(*) FROM household") == [(0,)]
    for _ in range(2):
        terminal.run("load", "households", path, "--commit")
    assert alone.query("SELECT count(*), sum(households) FROM household") == [(2, 12)]
    assert [one["row"] for one in rejected(tmp_path / "households.csv.rejected.csv")] == ["3", "4", "5"]


@pytest.mark.parametrize("cell", ["nan", "inf", "1e400", "1e9", "2.5", ""])
def test_a_count_that_is_none_is_a_rejected_row(reader: Terminal, tmp_path: Path, cell: str) -> None:
    path = tmp_path / "households.csv"
    path.write_text(f"lon,lat,count,x\n{LON},{LAT},{cell},y\n")
    ran = reader.run("load", "households", path)
    assert (ran.code, "1 rejected" in ran.out) == (1, True), ran.err
