"""Operations as JSON: what is accepted, and where the fault of the rest lies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gis.errors import OperationInvalid
from gis.operations import MEMBERS, OPS, lines_in, parse_operation, shape_of

LINE = {"type": "LineString", "coordinates": [[121.0, 32.0], [121.1, 32.1]]}
AREA = {"type": "Polygon", "coordinates": [[[121.0, 32.0], [121.1, 32.0], [121.1, 32.1], [121.0, 32.0]]]}

GOOD: list[dict[str, Any]] = [
    {"op": "split", "grid": "A", "lines": [LINE], "codes": ["B", "C"], "names": ["b", ""]},
    {"op": "merge", "grids": ["A", "B"], "into": "A", "name": "ab"},
    {"op": "reshape", "grids": ["A", "B"], "line": LINE, "across_parent": True},
    {"op": "transfer", "from": "A", "to": "B", "area": AREA},
    {
        "op": "create",
        "area": AREA,
        "layer": "dedicated",
        "level": "grid",
        "name": "mall",
        "mode": "carve",
        "parent": None,
    },
    {"op": "retire", "grid": "A", "into": "B"},
    {"op": "rename", "grid": "A", "name": "river"},
    {"op": "recode", "grid": "A", "code": "B"},
    {"op": "reparent", "grid": "A", "parent": "V"},
    {"op": "shapes", "shapes": {"A": AREA}, "create": [{"geometry": AREA, "name": "n"}], "retire": ["B"]},
]


@pytest.mark.parametrize("given", GOOD, ids=lambda given: given["op"])
def test_an_operation_is_kept_as_it_was_given(given: dict[str, Any]) -> None:
    parsed = parse_operation(given)
    assert parsed.op == given["op"]
    assert parsed.as_json() == {member: value for member, value in given.items() if value is not None}
    assert parse_operation(json.loads(json.dumps(parsed.as_json()))) == parsed


def test_every_operation_has_its_members() -> None:
    assert set(MEMBERS) == set(OPS) == {given["op"] for given in GOOD}


@pytest.mark.parametrize("given", GOOD, ids=lambda given: given["op"])
def test_an_unknown_member_and_a_missing_one_are_named(given: dict[str, Any]) -> None:
    with pytest.raises(OperationInvalid) as info:
        parse_operation(given | {"gird": "A"})
    assert info.value.place == "gird"
    for member in MEMBERS[given["op"]][0]:
        with pytest.raises(OperationInvalid) as info:
            parse_operation({key: value for key, value in given.items() if key != member})
        assert info.value.place == member


def polygon(*places: list[float]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [list(places)]}


@pytest.mark.parametrize(
    ("given", "where"),
    [
        (None, "operation"),
        ([], "operation"),
        ({"op": "divide"}, "op"),
        ({"op": ["split"]}, "op"),
        ({"op": "split", "grid": 7, "lines": [LINE]}, "grid"),
        ({"op": "split", "grid": " ", "lines": [LINE]}, "grid"),
        ({"op": "split", "grid": "A" * 65, "lines": [LINE]}, "grid"),
        ({"op": "split", "grid": "A", "lines": LINE}, "lines"),
        ({"op": "split", "grid": "A", "lines": []}, "lines"),
        ({"op": "split", "grid": "A", "lines": [LINE, AREA]}, "lines[1]"),
        ({"op": "split", "grid": "A", "lines": [LINE | {"coordinates": [[1, 2]]}]}, "lines[0]"),
        ({"op": "split", "grid": "A", "lines": [LINE | {"coordinates": [[1, 2], [1, 2]]}]}, "lines[0]"),
        ({"op": "split", "grid": "A", "lines": [LINE | {"coordinates": [[1, 2], "a"]}]}, "lines[0]"),
        ({"op": "split", "grid": "A", "lines": [LINE | {"coordinates": [[1, 2], [1, True]]}]}, "lines[0]"),
        ({"op": "split", "grid": "A", "lines": [LINE | {"coordinates": [[1, 2], [1, float("nan")]]}]}, "lines[0]"),
        ({"op": "split", "grid": "A", "lines": [LINE | {"coordinates": [[1, 2], [181, 2]]}]}, "lines[0]"),
        ({"op": "split", "grid": "A", "lines": [LINE | {"coordinates": [[1, 2], [500000, 3500000]]}]}, "lines[0]"),
        ({"op": "split", "grid": "A", "lines": [LINE | {"coordinates": [[-179, 2], [179, 2]]}]}, "lines[0]"),
        ({"op": "split", "grid": "A", "lines": [LINE | {"coordinates": [[1 + i / 1e5, 2] for i in range(20_001)]}]}, "lines[0]"),
        ({"op": "split", "grid": "A", "lines": [LINE] * 1001}, "lines"),
        ({"op": "split", "grid": "A", "lines": [LINE], "codes": "B"}, "codes"),
        ({"op": "split", "grid": "A", "lines": [LINE], "codes": ["B", ""]}, "codes[1]"),
        ({"op": "merge", "grids": ["A"]}, "grids"),
        ({"op": "merge", "grids": ["A", "A"]}, "grids"),
        ({"op": "reshape", "grids": ["A", "B", "C"], "line": LINE}, "grids"),
        ({"op": "reshape", "grids": ["A", "B"], "line": LINE, "across_parent": "yes"}, "across_parent"),
        ({"op": "transfer", "from": "A", "to": "B", "area": LINE}, "area"),
        ({"op": "transfer", "from": "A", "to": "B", "area": {"type": "Polygon", "coordinates": []}}, "area"),
        ({"op": "transfer", "from": "A", "to": "B", "area": polygon([0, 0], [1, 1])}, "area"),
        ({"op": "transfer", "from": "A", "to": "B", "area": polygon([0, 0], [1, 0], [1, 1], [0, 1])}, "area"),
        ({"op": "transfer", "from": "A", "to": "B", "area": polygon([0, 0], [1, 1], [1, 0], [0, 1], [0, 0])}, "area"),
        ({"op": "transfer", "from": "A", "to": "B", "area": {"type": "Polygon", "coordinates": [7]}}, "area"),
        ({"op": "transfer", "from": "A", "to": "B", "area": {"type": "MultiPolygon", "coordinates": AREA["coordinates"]}}, "area"),
        ({"op": "create", "area": AREA, "layer": "special", "level": "grid"}, "layer"),
        ({"op": "create", "area": AREA, "layer": "general", "level": "town"}, "level"),
        ({"op": "create", "area": AREA, "layer": "general", "level": "grid", "mode": "cut"}, "mode"),
        ({"op": "rename", "grid": "A", "name": ""}, "name"),
        ({"op": "rename", "grid": "A", "name": "x" * 201}, "name"),
        ({"op": "shapes", "shapes": [AREA]}, "shapes"),
        ({"op": "shapes", "shapes": {"A": LINE}}, "shapes.A"),
        ({"op": "shapes", "create": [{"name": "n"}]}, "create[0]"),
        ({"op": "shapes", "create": [{"geometry": AREA, "colour": "red"}]}, "create[0]"),
        ({"op": "shapes", "create": [{"geometry": AREA, "code": 7}]}, "create[0].code"),
    ],
)  # fmt: skip
def test_the_member_at_fault_is_named(given: Any, where: str) -> None:
    with pytest.raises(OperationInvalid) as info:
        parse_operation(given)
    assert info.value.place == where
    assert info.value.message


def test_geometry_is_read_in_two_dimensions_and_bit_for_bit() -> None:
    high = {"type": "LineString", "coordinates": [[0.1 + 0.2, 32.0, 5.0], [121.1, 32.1, 6.0]]}
    assert lines_in(parse_operation({"op": "split", "grid": "A", "lines": [high]})) == [
        [(0.1 + 0.2, 32.0), (121.1, 32.1)]
    ]
    assert lines_in(parse_operation({"op": "reshape", "grids": ["A", "B"], "line": LINE})) == [
        [(121.0, 32.0), (121.1, 32.1)]
    ]
    assert shape_of(AREA).exterior.coords[1] == (121.1, 32.0)
    raised = {"type": "Polygon", "coordinates": [[[0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 0, 1]]]}
    assert not shape_of(raised).has_z
