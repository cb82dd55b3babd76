"""`gridbeat alarm datum`, the warnings of `load events` and `locate`, and `gridbeat rules duplicates`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from gis.crs import from_storage, parse_datum
from tests.asking import LAT, LON, Asking
from tests.terminal import Terminal


@pytest.fixture
def terminal(alone: Asking, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return Terminal(alone.url, monkeypatch)


def table(folder: Path, sent: str, channel: str = "热线", side: int = 15) -> Path:
    """A table of places all over the drawn town, in the datum they are sent in, which it does not tell."""
    across = (np.arange(side) + 0.5) * 0.02 / side
    lon, lat = (axis.ravel() for axis in np.meshgrid(LON + across, LAT + across))
    x, y = from_storage(lon, lat, parse_datum(sent))
    path = folder / f"{sent}-{channel}.csv"
    rows = (f"{a!r},{b!r},{channel}\n" for a, b in zip(x.tolist(), y.tolist(), strict=True))
    path.write_text("lon,lat,channel\n" + "".join(rows), encoding="utf-8")
    return path


@pytest.mark.parametrize("commit", [[], ["--commit"]])
def test_a_load_in_the_wrong_datum_warns_with_the_evidence_and_goes_on(
    terminal: Terminal, tmp_path: Path, commit: list[str]
) -> None:
    ran = terminal.run("load", "events", table(tmp_path, "gcj02"), *commit)
    assert ran.code == 0
    assert "warning: datum alarm: 225 places declared wgs84 look like gcj02" in ran.err
    assert "area: read as gcj02 100.0% lie inside the grids" in ran.err
    for right in (["--crs", "gcj02"], ["--crs", "gcj02", "--commit"]):
        assert "alarm" not in terminal.run("load", "events", table(tmp_path, "gcj02", "app"), *right).err


def test_a_load_of_few_rows_stays_silent(terminal: Terminal, tmp_path: Path) -> None:
    assert "datum" not in terminal.run("load", "events", table(tmp_path, "bd09", side=5)).err


def test_every_channel_is_told_of_its_own_datum(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    assert terminal.run("alarm", "datum").out == "no events with a position\n"
    for sent, channel in (("wgs84", "app"), ("gcj02", "热线")):
        assert terminal.run("load", "events", table(tmp_path, sent, channel), "--commit").code == 0
    ran = terminal.run("alarm", "datum")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0] == "app: datum wgs84: no other datum fits 225 places better"
    assert lines[1] == "热线: datum alarm: 225 places declared wgs84 look like gcj02"
    one = json.loads(terminal.run("alarm", "datum", "--channel", "热线", "--json").out)
    assert (one["channel"], one["declared"], one["suspected"]) == ("热线", "wgs84", "gcj02")
    assert [reading["datum"] for reading in one["readings"]] == ["wgs84", "gcj02", "bd09"]
    assert terminal.run("alarm", "datum", "--from", "2099-01-01T00:00:00+08:00").out == "no events with a position\n"


def test_a_pin_that_an_officer_moved_says_nothing_of_its_channel(alone: Asking, terminal: Terminal) -> None:
    event = alone.report().json()["id"]
    assert "fewer than 30 places" in terminal.run("alarm", "datum").out
    assert alone.http.patch(f"/v1/events/{event}", json={"lon": LON + 0.006, "lat": LAT + 0.006}).status_code == 200
    alone_in_it = json.loads(terminal.run("alarm", "datum", "--json").out)
    assert alone_in_it["places"] == 0


def test_streets_in_the_store_are_asked_too(terminal: Terminal, alone: Asking, tmp_path: Path) -> None:
    import shapely

    from data.datumwatch import stored_ground
    from gis.store.context import Context, replace_context
    from gis.store.live import Live

    lines = [shapely.LineString([(LON, LAT + n / 1000), (LON + 0.02, LAT + n / 1000)]) for n in range(21)]
    with alone.app.state.engine.begin() as connection:
        assert stored_ground(connection, Live(1)).streets is None
        replace_context(connection, [Context("street", line) for line in lines])
        streets = stored_ground(connection, Live(1)).streets
    assert streets is not None
    metres = streets.distance_m(np.array([LON + 0.01]), np.array([LAT + 0.0103]))
    assert metres == pytest.approx([0.0003 * 110_887], rel=1e-3)


def test_locate_warns_too(terminal: Terminal, tmp_path: Path) -> None:
    grids = tmp_path / "grids.geojson"
    ring = [[LON, LAT], [LON + 0.02, LAT], [LON + 0.02, LAT + 0.02], [LON, LAT + 0.02], [LON, LAT]]
    shape = {"type": "Polygon", "coordinates": [ring]}
    feature = {"type": "Feature", "properties": {"code": "A"}, "geometry": shape}
    grids.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
    asked = ("locate", table(tmp_path, "bd09"), "--grids", grids, "-o", tmp_path / "out.csv")
    ran = terminal.run(*asked)
    assert ran.code == 0
    assert "warning: datum alarm: 225 places declared wgs84 look like bd09" in ran.err
    assert "alarm" not in terminal.run(*asked, "--crs", "bd09").err


def test_rules_are_listed_made_and_withdrawn(terminal: Terminal, alone: Asking) -> None:
    assert terminal.run("rules", "duplicates").out == "every category: 50 m, 1440 minutes (default)\n"
    made = ("--category", "06010", "--radius-m", 20, "--minutes", 60, "--reason", "measured")
    assert "06010: 20 m, 60 minutes (version 1, terminal:" in terminal.run("rules", "duplicates", *made).out
    assert "every category: 80 m" in terminal.run("rules", "duplicates", "--radius-m", 80, "--minutes", 720).out
    assert "06010" not in terminal.run("rules", "duplicates", "--category", "06010", "--withdraw").out
    rows = alone.query(
        "SELECT action, detail->>'reason' AS reason FROM audit WHERE action = 'rule duplicates' ORDER BY id"
    )
    assert [row.reason for row in rows] == ["measured", "", ""]
    for _ in range(2):
        spot = {"lon": LON + 0.005, "lat": LAT + 0.005}
        alone.report(**spot, category="06010")
    far = alone.report(lon=LON + 0.005, lat=LAT + 0.005 + 55 / 110_900, category="06010", text="x").json()
    assert len(far["duplicates"]) == 2  # 55 m away: within the 80 m that hold now, not within the default


@pytest.mark.parametrize(
    "words",
    [
        ("--radius-m", 5),
        ("--minutes", 5),
        ("--withdraw", "--radius-m", 5, "--minutes", 5),
        ("--radius-m", 5000, "--minutes", 5),
        ("--radius-m", -1, "--minutes", 5),
        ("--scheme", "gb", "--radius-m", 5, "--minutes", 5),
    ],
)
def test_a_rule_that_is_none_is_refused(terminal: Terminal, alone: Asking, words: tuple[object, ...]) -> None:
    assert terminal.run("rules", "duplicates", *words).code == 2
    assert alone.query("SELECT * FROM duplicate_rule") == []
