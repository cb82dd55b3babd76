"""Operations: one edit of boundaries as JSON, checked member by member before anything is looked up.

Geometry is GeoJSON in WGS 84 (lon, lat). The members are the contract's; a completed operation (`gis.redraw`) has the same
form, with every code, name and uid that was proposed written in.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import shapely
from shapely.errors import GEOSException

from gis.codes import LONGEST
from gis.errors import OperationInvalid
from gis.noding import Vertex
from gis.partition import LAYERS, LEVELS

OPS: Final = ("split", "merge", "reshape", "transfer", "create", "retire", "rename", "recode", "reparent", "shapes")

#: A line or an area drawn by hand or computed from a road has fewer vertices; a whole file of shapes may have more.
MOST_VERTICES: Final = 20_000
MOST_IN_FILE: Final = 5_000_000
#: Lines of one split, grids of one merge, shapes of one file.
MOST_MEMBERS: Final = 1_000
MOST_SHAPES: Final = 200_000
LONGEST_NAME: Final = 200

#: Checks one member: (value, place); raises OperationInvalid.
Check = Callable[[Any, str], None]


@dataclass(frozen=True)
class Operation:
    """One edit: `op` is one of OPS, `body` the JSON members as given (with `op`), checked."""

    op: str
    body: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """The operation as it was given and as the store and HTTP write it."""
        return dict(self.body)

    def completed(self, **members: Any) -> Operation:
        """The same operation with further members."""
        return Operation(self.op, self.body | members)


def parse_operation(given: Any) -> Operation:
    """The operation that a JSON value states; OperationInvalid names the member at fault in `place`.

    Codes, names and grids are not looked up: `gis.redraw` does.
    """
    if not isinstance(given, dict):
        raise OperationInvalid('an operation is an object such as {"op": "merge", "grids": [...]}', place="operation")
    op = given.get("op")
    if not isinstance(op, str) or op not in OPS:
        raise OperationInvalid(f"op is one of {', '.join(OPS)}", place="op")
    needed, allowed = MEMBERS[op]
    known = needed | allowed
    for member in given:
        if member != "op" and member not in known:
            raise OperationInvalid(f"{op} has no member {_shown(member)}; it has {', '.join(known)}", place=str(member))
    for member, check in known.items():
        if given.get(member) is not None:
            check(given[member], member)
        elif member in needed:
            raise OperationInvalid(f"{op} needs {member}", place=member)
    kept = {member: value for member, value in given.items() if value is not None}
    return Operation(op, kept)


def lines_in(operation: Operation) -> list[list[Vertex]]:
    """The lines of a split or reshape, as vertices."""
    given = operation.body["lines"] if operation.op == "split" else [operation.body["line"]]
    return [[(float(lon), float(lat)) for lon, lat, *_ in one["coordinates"]] for one in given]


def shape_of(given: Mapping[str, Any]) -> Any:
    """The polygon or multipolygon of checked GeoJSON, two-dimensional."""
    return shapely.force_2d(shapely.from_geojson(json.dumps(given)))


def _shown(value: Any) -> str:
    return repr(value)[:60]


def _text(value: Any, place: str, longest: int = LONGEST) -> None:
    if not isinstance(value, str) or not value.strip():
        raise OperationInvalid("this is a text that is not empty", place=place)
    if len(value) > longest:
        raise OperationInvalid(f"this has {len(value)} characters; {longest} are the most", place=place)


def _name(value: Any, place: str) -> None:
    _text(value, place, LONGEST_NAME)


def _maybe_name(value: Any, place: str) -> None:
    if value != "":
        _name(value, place)


def _flag(value: Any, place: str) -> None:
    if not isinstance(value, bool):
        raise OperationInvalid("this is true or false", place=place)


def _one_of(choices: tuple[str, ...], value: Any, place: str) -> None:
    if value not in choices:
        raise OperationInvalid(f"this is one of {', '.join(choices)}", place=place)


def _list(item: Check, least: int, most: int, value: Any, place: str) -> None:
    if not isinstance(value, list) or not least <= len(value) <= most:
        raise OperationInvalid(f"this is a list of {least} to {most:,}", place=place)
    for i, one in enumerate(value):
        item(one, f"{place}[{i}]")


def _different(value: Any, place: str) -> None:
    """A list of grids, each once."""
    _list(_text, 2, MOST_MEMBERS, value, place)
    if len(set(value)) < len(value):
        raise OperationInvalid("each grid stands once", place=place)


def _pair(value: Any, place: str) -> None:
    _list(_text, 2, 2, value, place)
    _different(value, place)


def _line(value: Any, place: str) -> None:
    if (
        not isinstance(value, dict)
        or value.get("type") != "LineString"
        or not isinstance(value.get("coordinates"), list)
    ):
        raise OperationInvalid("this is a GeoJSON LineString in WGS 84", place=place)
    _positions(value["coordinates"], place, MOST_VERTICES)
    if len({tuple(one[:2]) for one in value["coordinates"]}) < 2:
        raise OperationInvalid("a line has two different vertices at least", place=place)


def check_area(value: Any, place: str, most: int = MOST_VERTICES) -> None:
    """Returns if the value is a valid GeoJSON Polygon or MultiPolygon in WGS 84 of at most so many vertices; OperationInvalid else."""
    types = ("Polygon", "MultiPolygon")
    if not isinstance(value, dict) or value.get("type") not in types or not isinstance(value.get("coordinates"), list):
        raise OperationInvalid("this is a GeoJSON Polygon or MultiPolygon in WGS 84", place=place)
    bodies = [value["coordinates"]] if value["type"] == "Polygon" else value["coordinates"]
    rings = [ring for body in bodies if isinstance(body, list) for ring in body]
    positions = [one for ring in rings if isinstance(ring, list) for one in ring]
    _positions(positions, place, most)
    try:
        shape = shape_of(value)
    except GEOSException:
        raise OperationInvalid(
            "a ring is not closed, has fewer than four vertices, or is no ring", place=place
        ) from None
    if shapely.is_empty(shape):
        raise OperationInvalid("the area is empty", place=place)
    if not shapely.is_valid(shape):
        raise OperationInvalid(f"the area is not valid: {shapely.is_valid_reason(shape)}", place=place)


def _positions(positions: list[Any], place: str, most: int) -> None:
    if len(positions) > most:
        raise OperationInvalid(f"this has {len(positions):,} vertices; {most:,} are the most", place=place)
    for one in positions:
        if not isinstance(one, list) or not 2 <= len(one) <= 4 or not all(map(_number, one)):
            raise OperationInvalid(f"a vertex is [lon, lat], not {_shown(one)}", place=place)
        if abs(one[0]) > 180 or abs(one[1]) > 90:
            raise OperationInvalid(f"{_shown(one)} is no lon, lat in degrees (WGS 84)", place=place)
    lons = np.array([one[0] for one in positions], dtype=np.float64)
    if len(lons) and np.ptp(lons) > 180:
        raise OperationInvalid(
            "this reaches over more than 180 degrees of longitude: cut it at the antimeridian", place=place
        )


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _shapes(value: Any, place: str) -> None:
    if not isinstance(value, dict) or len(value) > MOST_SHAPES:
        raise OperationInvalid("this is an object of code: geometry", place=place)
    for code, shape in value.items():
        _text(code, place)
        check_area(shape, f"{place}.{code}", MOST_IN_FILE)


def _fresh(value: Any, place: str) -> None:
    """A grid that a file brings."""
    members: dict[str, Check] = {
        "geometry": partial(check_area, most=MOST_IN_FILE), "code": _text, "name": _maybe_name, "parent": _text, "uid": _text,
    }  # fmt: skip
    if not isinstance(value, dict) or not set(value) <= set(members) or value.get("geometry") is None:
        raise OperationInvalid(f"this is an object with {', '.join(members)}", place=place)
    for member, check in members.items():
        if value.get(member) is not None:
            check(value[member], f"{place}.{member}")


_LAYER: Final[Check] = partial(_one_of, tuple(name for name, _, _ in LAYERS))
_LEVEL: Final[Check] = partial(_one_of, LEVELS)
_TEXTS: Final[Check] = partial(_list, _text, 1, MOST_MEMBERS)
_NAMES: Final[Check] = partial(_list, _maybe_name, 1, MOST_MEMBERS)
_ACROSS: Final[dict[str, Check]] = {"across_parent": _flag}

#: op -> (members it needs, members it may have); `uid`, `uids` are what completing writes in.
MEMBERS: Final[dict[str, tuple[dict[str, Check], dict[str, Check]]]] = {
    "split": (
        {"grid": _text, "lines": partial(_list, _line, 1, MOST_MEMBERS)},
        {"codes": _TEXTS, "names": _NAMES, "uids": _TEXTS},
    ),
    "merge": ({"grids": _different}, {"into": _text, "code": _text, "name": _maybe_name, "uid": _text}),
    "reshape": ({"grids": _pair, "line": _line}, _ACROSS),
    "transfer": ({"from": _text, "to": _text, "area": check_area}, _ACROSS),
    "create": (
        {"area": check_area, "layer": _LAYER, "level": _LEVEL},
        {
            "parent": _text, "code": _text, "name": _maybe_name, "uid": _text,
            "mode": partial(_one_of, ("overlay", "carve")), **_ACROSS,
        },
    ),
    "retire": ({"grid": _text}, {"into": _text, **_ACROSS}),
    "rename": ({"grid": _text, "name": _name}, {}),
    "recode": ({"grid": _text}, {"code": _text}),
    "reparent": ({"grid": _text, "parent": _text}, {}),
    "shapes": (
        {},
        {
            "shapes": _shapes, "create": partial(_list, _fresh, 0, MOST_SHAPES), "retire": partial(_list, _text, 0, MOST_SHAPES),
            "layer": _LAYER, "level": _LEVEL,
        },
    ),
}  # fmt: skip
