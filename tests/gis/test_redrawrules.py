"""Redraw rules on drawn towns; a letter's square is about 92 by 108 m."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely

from gis.findings import Finding, has_errors
from gis.ground import ground_m2
from gis.partition import Partition, partition_of
from gis.redrawrules import RuleLimits, compactness, reused_codes, rule_warnings
from tests.town import shapes

OFF = RuleLimits(min_compactness=None, max_across_m2=None, max_detached_m2=None)


def partition(plan: str, level: str = "grid") -> Partition:
    drawn = shapes(plan)
    return partition_of(list(drawn), list(drawn.values()), level=level)


def said(findings: list[Finding]) -> list[tuple[str, tuple[str, ...]]]:
    return [(finding.kind, finding.grids) for finding in findings]


def test_a_town_of_squares_breaks_no_rule() -> None:
    assert rule_warnings(partition("AAB\nAAB"), communities=partition("VVW\nVVW", "community")) == []


def test_sizes_are_judged_only_with_a_threshold() -> None:
    town = partition("AAB")
    letter = float(ground_m2(town.geometry)[1])
    found = rule_warnings(town, limits=RuleLimits(min_area_m2=letter * 1.5))
    assert said(found) == [("size", ("B",))]
    assert "less than" in found[0].message
    assert said(rule_warnings(town, limits=RuleLimits(max_area_m2=letter * 1.5))) == [("size", ("A",))]
    assert rule_warnings(town) == []


def test_households_and_members_are_judged_where_they_are_known() -> None:
    limits = RuleLimits(min_households=300, max_households=500, min_members=1)
    found = rule_warnings(partition("ABC"), limits=limits, households={"A": 299, "B": 500}, members={"C": 0})
    assert said(found) == [("size", ("A",)), ("size", ("C",))]
    assert {finding.message for finding in found} == {
        "A has 299 households, less than 300", "C has 0 members, less than 1",
    }  # fmt: skip


def test_compactness_is_one_for_a_circle_and_a_quarter_pi_for_a_square() -> None:
    circle = shapely.Point(121.2, 0.0).buffer(0.001, quad_segs=200)
    square = shapely.box(121.2, -0.001, 121.202, 0.001)
    scores = compactness(np.array([circle, square, shapely.Polygon()], dtype=object))
    assert scores[:2] == pytest.approx([1.0, math.pi / 4], rel=1e-4)
    assert math.isnan(scores[2])


def test_a_stringy_grid_is_told_of() -> None:
    found = rule_warnings(partition("A" * 20 + "B"))
    assert said(found) == [("compactness", ("A",))]
    assert rule_warnings(partition("A" * 20 + "B"), limits=OFF) == []


def test_detached_parts_are_told_of() -> None:
    found = rule_warnings(partition("AABA"))
    assert said(found) == [("multipart", ("A",))]
    assert found[0].area_m2 == pytest.approx(ground_m2(partition("AB").geometry)[0], rel=1e-4)
    assert rule_warnings(partition("AABA"), limits=OFF) == []


def test_a_grid_in_two_communities_names_them_and_the_ground_beyond() -> None:
    communities = partition("VVWW", "community")
    (found,) = rule_warnings(partition("AAAB"), communities=communities)
    assert (found.kind, found.grids, found.severity) == ("crosses_community", ("A",), "warning")
    assert found.message.startswith("A lies mostly in V, but has ")
    assert found.message.endswith(" in W")
    assert found.area_m2 == pytest.approx(ground_m2(partition("B").geometry)[0], rel=1e-4)
    assert rule_warnings(partition("AAAB"), communities=communities, limits=OFF) == []


def test_only_the_codes_asked_for_are_judged() -> None:
    town = partition("ABAB")
    assert said(rule_warnings(town, only={"B"})) == [("multipart", ("B",))]


def test_rules_never_block() -> None:
    limits = RuleLimits(max_area_m2=1.0, min_compactness=1.0)
    found = rule_warnings(partition("ABA"), communities=partition("VWW", "community"), limits=limits)
    assert {finding.kind for finding in found} == {"size", "compactness", "multipart", "crosses_community"}
    assert not has_errors(found)


def test_a_code_that_now_stands_for_other_ground_is_told_of() -> None:
    found = reused_codes(partition("AABBCC"), partition("BAACCX"))
    assert said(found) == [("reused_code", ("B",))]
    assert found[0].message == "code B now stands for other ground: 0.0% of its former grid lie in it"
    assert reused_codes(partition("AB"), partition("AB")) == []
