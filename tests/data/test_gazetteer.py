"""Gazetteer files become entries, or rejected rows with number and reason."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import shapely

from data.demo import Town, build_town
from data.gazetteer import GazetteerLoaded, plan_gazetteer, shape_entries, table_entries
from data.readers import read_shapes
from data.rowchunk import Rejection
from data.tables import open_table
from data.towngazetteer import town_entries
from gis.errors import FieldMissing, ParameterInvalid
from gis.gazetteer import Gazetteer

CSV = """名称,地址,市,区,镇,别名,经度,纬度,类别,编号
农贸市场,人民路10号,南通市,通州区,二甲镇,老菜场;菜市场,121.0,32.0,,7
长岸村,,南通市,通州区,二甲镇,,121.1,32.1,,
长岸村四十四组,,,,,,121.1,32.1,,
人民路与铁匠巷路口,,,,,,121.1,32.1,,
铁匠巷130号,,,,,,121.1,32.1,,
无处可寻,,,,,,,,,
🙂🙂,,,,,,121.1,32.1,,
颠倒,,,,,,32.1,121.1,,
,,,,,,121.1,32.1,,
渔家村,文化路3号,,,,,121.1,32.1,兴趣点,
"""


def read(tmp_path: Path, text: str = CSV, **options: Any) -> tuple[GazetteerLoaded, list[Rejection]]:
    path = tmp_path / "地名.csv"
    path.write_text(text, encoding="utf-8")
    table = open_table(path)
    rejected: list[Rejection] = []
    return table_entries(table, plan_gazetteer(table.columns, "地名", **options), on_rejected=rejected.extend), rejected


def test_rows_become_entries_and_the_others_say_why_not(tmp_path: Path) -> None:
    loaded, rejected = read(tmp_path)
    assert (loaded.rows, len(loaded.entries), loaded.rejected) == (10, 6, 4)
    assert [(one.row, one.code) for one in rejected] == [
        (6, "field-missing"), (7, "parameter-invalid"), (8, "coordinate-invalid"), (9, "field-missing"),
    ]  # fmt: skip
    assert "no place" in rejected[0].reason
    assert [entry.kind for entry in loaded.entries] == ["poi", "village", "group", "crossing", "building", "poi"]
    market = loaded.entries[0]
    assert market.admin == ("南通市", "通州区", "二甲镇")
    assert (market.aliases, market.address, market.external_id) == (("老菜场", "菜市场"), "人民路10号", "7")


def test_a_constant_and_a_mapped_column_feed_fields(tmp_path: Path) -> None:
    text = "叫什么,经度,纬度\n幸福里,121.0,32.0\n"
    loaded, _ = read(
        tmp_path, text, mapped={"name": "叫什么"}, constants={"kind": "community", "admin": "南通市/通州区"}
    )
    assert [(e.name, e.kind, e.admin) for e in loaded.entries] == [("幸福里", "community", ("南通市", "通州区"))]


def test_a_plan_without_names_or_with_unknown_fields_is_refused() -> None:
    with pytest.raises(FieldMissing):
        plan_gazetteer(["lon", "lat"], "x")
    for wrong in ({"mapped": {"colour": "name"}}, {"mapped": {"name": "nom"}}, {"constants": {"kind": "shop"}}):
        with pytest.raises(ParameterInvalid):
            plan_gazetteer(["name", "lon", "lat"], "x", **wrong)


def feature(geometry: dict[str, Any] | None, **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def test_shapes_of_openstreetmap_become_streets_and_buildings(tmp_path: Path) -> None:
    road = {"type": "LineString", "coordinates": [[121.0, 32.0], [121.001, 32.0]]}
    house = {"type": "Polygon", "coordinates": [[[121, 32], [121.001, 32], [121.001, 32.001], [121, 32]]]}
    features = [
        feature(road, id=1, highway="residential", name="铁匠巷"),
        feature(road, id=2, highway="service", name=None),
        feature(house, id=3, building="yes", **{"addr:street": "铁匠巷", "addr:housenumber": "130"}),
        feature(None, id=4, name="没有形状"),
    ]
    path = tmp_path / "osm.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    frame, shapes, datum, _ = read_shapes(path)
    rows = frame.drop(columns=frame.geometry.name)
    plan = plan_gazetteer([str(name) for name in rows.columns], "osm", datum=datum)
    rejected: list[Rejection] = []
    loaded = shape_entries(rows.to_dict("records"), list(shapes), plan, on_rejected=rejected.extend)
    assert [(e.name, e.kind, e.external_id) for e in loaded.entries] == [
        ("铁匠巷", "street", "1"),
        ("铁匠巷130号", "building", "3"),
    ]
    assert loaded.nameless == 1
    assert [(one.row, one.code) for one in rejected] == [(4, "field-missing")]


@pytest.fixture(scope="module")
def town() -> Town:
    return build_town(now=datetime(2026, 11, 22, 8, tzinfo=UTC))


def test_every_household_of_the_demo_town_is_found_by_its_address(town: Town) -> None:
    gazetteer = Gazetteer(town_entries(town))
    for one in town.households[::23]:
        answer = gazetteer.find(one.address)
        found = answer.candidates[0]
        assert answer.sure, one.address
        assert shapely.Point(found.lon, found.lat).distance(shapely.Point(one.lon, one.lat)) < 1e-9


def test_every_crossing_of_the_demo_town_is_found_by_its_streets(town: Town) -> None:
    entries = [entry for entry in town_entries(town) if entry.kind != "crossing"]
    gazetteer = Gazetteer(entries)
    named = {name: sum(one.name == name for one in town.crossings) for name in {one.name for one in town.crossings}}
    single = [one for one in town.crossings if named[one.name] == 1]
    wrong = []
    for one in single:
        answer = gazetteer.find(one.name)
        near = answer.candidates and shapely.Point(one.lon, one.lat).distance(
            shapely.Point(answer.candidates[0].lon, answer.candidates[0].lat)
        )
        if not answer.candidates or near > 3e-4:
            wrong.append(one.name)
    assert len(wrong) <= 0.03 * len(single)
