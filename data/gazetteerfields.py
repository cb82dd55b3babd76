"""What the columns of a gazetteer file are called, and what kind of thing a row is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gis.gazetteer import KINDS

#: Headings of tables and properties of shapes, the first that is there feeds the field.
HEADINGS: dict[str, tuple[str, ...]] = {
    "name": ("name", "名称", "标准名称", "地名", "路名", "name:zh"),
    "kind": ("kind", "类别", "类型"),
    "address": ("address", "地址", "标准地址", "详细地址", "addr:full"),
    "street": ("street", "addr:street", "addr_street"),
    "number": ("number", "addr:housenumber", "addr_housenumber", "门牌号"),
    "admin": ("admin", "行政区划", "所属区划"),
    "aliases": ("aliases", "alias", "别名", "曾用名", "alt_name", "old_name", "short_name"),
    "external_id": ("external_id", "id", "编码", "编号", "code", "osm_id", "@id"),
    "lon": ("lon", "longitude", "lng", "x", "经度"),
    "lat": ("lat", "latitude", "y", "纬度"),
    "radius_m": ("radius_m", "误差"),
    "highway": ("highway", "fclass"),
    "building": ("building",),
    "place": ("place",),
}

#: Columns of single admin names, the widest first.
ADMIN: tuple[tuple[str, ...], ...] = (
    ("province", "省", "省份"),
    ("city", "市", "城市", "addr:city"),
    ("district", "county", "adname", "区县", "区", "县", "addr:district"),
    ("town", "subdistrict", "乡镇", "街道", "镇街", "镇", "addr:subdistrict"),
    ("village", "community", "村", "社区", "村居", "村社区"),
)

#: Words that a column of kinds may hold instead of ours.
_WORDS = {
    "street": "道路 路 街道路 街 巷 road street major_road minor_road path highway",
    "crossing": "路口 交叉口 crossing intersection junction",
    "village": "村 行政村 自然村 village hamlet",
    "group": "组 村民小组 小组 group",
    "community": "社区 居委会 小区 community neighbourhood residential quarter",
    "town": "镇 乡 街道 乡镇 town suburb",
    "building": "建筑 楼栋 门牌 楼宇 building house",
    "poi": "兴趣点 设施 单位 商户 poi",
}
_KIND_OF = {word: kind for kind, words in _WORDS.items() for word in (kind, *words.split())}
_ENDINGS = (
    (re.compile(r"(?:与|和|×).+(?:路口|交叉口|交汇处)$"), "crossing"),
    (re.compile(r"[\d一二三四五六七八九十百]+(?:村民)?小?组$"), "group"),
    (re.compile(r"(?:村|村委会|村民委员会)$"), "village"),
    (re.compile(r"(?:社区|居委会|居民委员会)$"), "community"),
    (re.compile(r"(?:街道|街道办事处|镇|乡)$"), "town"),
    (re.compile(r"[\d一二三四五六七八九十百]+(?:号|弄|号楼|幢|栋)$"), "building"),
)


def text_of(value: Any) -> str:
    """A cell as text: "" for nothing, no `.0` behind whole numbers."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def kind_of_row(told: Mapping[str, Any], name: str, shape: str) -> str:
    """What the row is: by its own word, by OpenStreetMap's tags, by its shape, by the ending of its name; else a poi."""
    said = _KIND_OF.get(text_of(told.get("kind")).lower())
    if said is not None:
        return said
    if text_of(told.get("highway")) or shape.endswith("LineString"):
        return "street"
    tagged = _KIND_OF.get(text_of(told.get("place")).lower())
    if tagged is not None or text_of(told.get("building")):
        return tagged or "building"
    if text_of(told.get("address")):
        return "poi"  # 渔家村 with an address is a restaurant
    return next((kind for ending, kind in _ENDINGS if ending.search(name)), "poi")


assert set(_KIND_OF.values()) <= set(KINDS)  # noqa: S101 - both lists are ours
