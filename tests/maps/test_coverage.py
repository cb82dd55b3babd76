"""The coverage map: classes of age, what is told of each grid, and a page that is complete and asks nobody."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import ParameterInvalid
from maps import base, coveragepayload, words
from maps.base import Basemap
from maps.coverage import (
    AGES,
    CLASSES,
    DUE,
    FIGURES,
    CoverageView,
    DayTrack,
    Recency,
    age_limits,
    class_of,
    render_html,
)
from maps.coveragepayload import coverage_payload
from tests.maps import covered
from tests.maps.drawn import AT
from tests.maps.test_base import addresses
from tests.maps.test_grids import WICKED, Tags, data_of

# -- classes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "key"),
    [
        (0.0, "fresh"),
        (1.0, "fresh"),
        (1.01, "half"),
        (3.5, "half"),
        (7.0, "cycle"),
        (7.01, "late"),
        (14.0, "late"),
        (14.01, "old"),
    ],
)
def test_ages_are_classed_by_the_cycle(days: float, key: str) -> None:
    assert class_of(Recency("seen", days), 7.0) == key


@pytest.mark.parametrize("kind", ["never", "unknown", "none"])
def test_what_has_no_age_is_its_own_class(kind: str) -> None:
    assert class_of(Recency(kind, 400.0 if kind == "unknown" else None), 7.0) == kind


def test_a_cycle_of_a_day_or_less_has_fewer_classes() -> None:
    assert age_limits(1.0) == {"fresh": (0.0, 1.0), "late": (1.0, 2.0), "old": (2.0, np.inf)}
    assert age_limits(0.5) == {"fresh": (0.0, 0.5), "late": (0.5, 1.0), "old": (1.0, np.inf)}
    assert list(age_limits(2.0)) == ["fresh", "cycle", "late", "old"]


@given(days=st.floats(0, 1e4), cycle=st.floats(0.01, 400))
def test_an_age_is_overdue_exactly_when_the_cycle_is_over(days: float, cycle: float) -> None:
    key = class_of(Recency("seen", days), cycle)
    assert (key in {"late", "old"}) == (days > cycle)
    least, most = age_limits(cycle)[key]
    assert least < days <= most or (days == 0.0 and key == "fresh")


@given(one=st.floats(0, 400), other=st.floats(0, 400), cycle=st.floats(0.01, 100))
def test_what_is_older_is_never_in_an_earlier_class(one: float, other: float, cycle: float) -> None:
    low, high = sorted((one, other))
    assert AGES.index(class_of(Recency("seen", low), cycle)) <= AGES.index(class_of(Recency("seen", high), cycle))


@pytest.mark.parametrize(("kind", "days"), [("seen", None), ("seen", -1.0), ("seen", float("nan")), ("lost", None)])
def test_a_senseless_recency_is_refused(kind: str, days: float | None) -> None:
    with pytest.raises(ParameterInvalid):
        Recency(kind, days)


@pytest.mark.parametrize("parameters", [{}, {"revisit_days": 0}, {"revisit_days": -7.0}])
def test_a_view_without_a_cycle_is_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(ParameterInvalid):
        covered.view(parameters=parameters)


# -- what is told ------------------------------------------------------------------------------------------------------


def told(view: CoverageView) -> dict[str, Any]:
    return {f["properties"]["name"][:2]: f["properties"] for f in coverage_payload(view)["grids"]["features"]}


def test_each_grid_has_its_class_and_its_age() -> None:
    assert {name: (p["class"], p["days"]) for name, p in told(covered.view()).items()} == {
        "A1": ("fresh", "0.5"),
        "A2": ("cycle", "6"),
        "A3": ("late", "9"),
        "B1": ("old", "20"),
        "B2": ("never", None),
        "B3": ("unknown", "12"),
        "C1": ("none", None),
    }


def test_unknown_grids_are_no_part_of_the_share() -> None:
    revisited = coverage_payload(covered.view())["revisited"]
    assert revisited == {"percent": "40.0 %", "visited": 2.0, "known": 5.0, "missed": 3, "unknown": 1, "none": 1}


def test_without_a_total_the_share_is_that_of_the_counts() -> None:
    assert coverage_payload(covered.view(totals={}))["revisited"]["percent"] == "40.0 %"


def test_where_nothing_is_known_the_share_is_no_zero() -> None:
    data = coverage_payload(covered.unseen())
    assert (data["revisited"]["percent"], data["revisited"]["unknown"], data["oldest"]) == ("n/a", 6, None)
    assert data["evidence"] is False


@pytest.mark.parametrize("part", ["tracks", "places", "streets", "grids"])
def test_any_one_thing_known_is_evidence(part: str) -> None:
    assert covered.unseen(**{part: getattr(covered, part)()}).evidence


def test_figures_keep_numerator_and_denominator_and_their_order() -> None:
    figures = told(covered.view())["A3"]["figures"]
    assert figures == [
        ("places_visited", "75.0 %", "3 / 4"),
        ("street_seen_one_side", "99.9 %", "45,590 / 45,600 m"),
        ("tracked", "75.0 %", "3.0 / 4.0 h"),
    ]
    assert told(covered.view())["C1"]["figures"][0] == ("places_visited", "n/a", "n/a")


def test_every_parameter_is_told() -> None:
    held = dict(coverage_payload(covered.view())["parameters"])
    assert set(held) == set(covered.PARAMETERS)
    assert (held["sight_m"], held["own_rule"], held["evidence_since"]) == ("25", "–", "2026-09-23 09:00 +08:00")


def test_places_keep_their_order_and_say_how_late_they_are() -> None:
    data = coverage_payload(covered.view())["places"]
    assert [(r["code"], r["is_over"], r["over"], r["likely"]) for r in data["rows"]] == [
        ("P1", True, "10", None),
        ("P2", True, "2", None),
        ("P3", False, "1", "32 %"),
        ("P4", False, "5", None),
    ]
    assert data["counts"] == {"overdue": 1, "unknown": 1, "soon": 1, "due": 1}
    assert (data["rows"][0]["last"], data["rows"][1]["last"]) == ("", "2026-11-12 21:00")


def test_times_are_told_in_the_offset_of_the_map() -> None:
    rows = [replace(place, due=place.due.astimezone(UTC)) for place in covered.places()]
    assert coverage_payload(covered.view(places=rows))["places"]["rows"][0]["due"] == "2026-11-12 09:00"


def unpacked(steps: Any) -> Any:
    return np.cumsum(np.asarray(steps).reshape(-1, 3), axis=0) / [1.0, 1e6, 1e6]


def test_tracks_arrive_to_a_second_and_a_decimetre_and_stay_in_pieces() -> None:
    sent = coverage_payload(covered.view())["day"]["tracks"]
    assert [len(track["pieces"]) for track in sent] == [2, 1]
    for one, given_track in zip(sent, covered.tracks(), strict=True):
        for steps, piece in zip(one["pieces"], given_track.pieces, strict=True):
            np.testing.assert_allclose(unpacked(steps), piece, atol=6e-7, rtol=0)


@given(st.lists(st.tuples(st.floats(0, 86_400), st.floats(73, 135), st.floats(18, 54)), min_size=1, max_size=40))
def test_no_error_adds_up_along_a_track(rows: list[tuple[float, float, float]]) -> None:
    piece = np.array(sorted(rows))
    sent = coveragepayload.track(DayTrack("M", "M", None, [piece, piece[:0]]), lambda places: places)["pieces"]
    assert len(sent) == 1
    assert np.all(np.abs(unpacked(sent[0]) - piece) <= [0.5, 5.1e-7, 5.1e-7])


def test_on_the_tiles_of_another_datum_everything_is_shifted_alike() -> None:
    gcj = Basemap("/tiles/{z}/{x}/{y}.png", "图", "GS(2026)1", crs="gcj02")
    plain, shifted = (coverage_payload(covered.view(basemap=basemap)) for basemap in (None, gcj))

    def corner(data: Any) -> list[Any]:
        ring = data["grids"]["features"][0]["geometry"]["coordinates"][0]
        way = unpacked(data["day"]["tracks"][0]["pieces"][0])
        return [ring[0], data["streets"]["lines"][0][0][0], data["places"]["rows"][0]["at"], way[0, 1:]]

    moves = [np.asarray(b) - np.asarray(a) for a, b in zip(corner(plain), corner(shifted), strict=True)]
    assert all(0.001 < np.hypot(*move) < 0.01 for move in moves)


# -- words -------------------------------------------------------------------------------------------------------------


def test_every_class_state_figure_and_parameter_has_words() -> None:
    composed = [f"coverage.class.{key}" for key in CLASSES] + [f"coverage.due.{state}" for state in DUE]
    composed += [f"coverage.figure.{name}" for name in FIGURES]
    composed += [f"coverage.state.{state}" for state in ("visited", "missed", "unknown", "none")]
    composed += [f"coverage.parameter.{name}" for name in covered.PARAMETERS if name != "own_rule"]
    composed += ["coverage.by.grid", "coverage.by.street", "coverage.short.never", "coverage.short.unknown"]
    assert [key for key in composed if key not in words.MESSAGES] == []


def test_the_three_that_have_no_age_are_called_differently() -> None:
    for lang in ("zh", "en"):
        assert len({words.word(f"coverage.class.{key}", lang) for key in ("never", "unknown", "none")}) == 3


# -- the page ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assets", ["static", "inline"])
def test_the_page_names_no_outside_address(assets: base.Assets) -> None:
    assert addresses(render_html(covered.view(), assets)) == []


def wicked() -> CoverageView:
    named = covered.grids(WICKED.replace("{1}", "") + "{name}")
    return covered.view(
        grids=[replace(grid, path=WICKED, members=(WICKED,)) for grid in named],
        streets=[replace(street, name=WICKED) for street in covered.streets()],
        places=[replace(place, name=WICKED, kind=WICKED) for place in covered.places()],
        tracks=[replace(track, name=WICKED) for track in covered.tracks()],
        title=WICKED,
        notes=(WICKED,),
    )


@pytest.mark.parametrize("assets", ["static", "inline"])
def test_a_wicked_text_adds_no_element(assets: base.Assets) -> None:
    plain = covered.view(title="x", notes=("x",))
    tags = Tags(render_html(wicked(), assets)).found
    assert [tag for tag, _ in tags] == [tag for tag, _ in Tags(render_html(plain, assets)).found]


def test_a_wicked_text_arrives_unchanged() -> None:
    data: Any = data_of(render_html(wicked()))
    assert {data["title"], data["notes"][0], data["streets"]["names"][0], data["places"]["rows"][0]["name"]} == {WICKED}


def test_equal_views_give_equal_pages() -> None:
    assert render_html(covered.view()) == render_html(covered.view())


def test_every_linked_file_is_served() -> None:
    routes = dict(base.static_routes())
    tags = Tags(render_html(covered.view())).found
    links = [a.get("src") or a.get("href") for tag, a in tags if tag in {"script", "link"}]
    own = [link.partition("?")[0] for link in links if link and not link.startswith("data:")]
    assert len(own) == 11
    for link in own:
        prefix = next(prefix for prefix in routes if link.startswith(prefix))
        assert (routes[prefix] / link.removeprefix(prefix + "/")).is_file()


def test_a_page_may_open_by_street() -> None:
    data: Any = data_of(render_html(covered.view(), by="street"))
    assert data["by"] == "street"


def test_streets_are_sent_once_with_their_class_and_length() -> None:
    streets: Any = data_of(render_html(covered.view()))["streets"]
    assert (streets["class"], streets["length_m"]) == (["fresh", "late", "never"], [1000, 1000, 1000])


def test_an_empty_town_is_a_page_too() -> None:
    bare = CoverageView([], begin=AT - timedelta(days=7), end=AT, at=AT, parameters={"revisit_days": 7.0})
    data: Any = data_of(render_html(bare))
    assert (data["grids"]["features"], data["streets"]["lines"], data["places"]["rows"]) == ([], [], [])


def test_a_track_costs_a_few_bytes_a_fix() -> None:
    rng = np.random.default_rng(7)
    way = np.cumsum(rng.normal(0, 1e-4, (2000, 2)), axis=0) + covered.at(1, 1)
    long = DayTrack("M", "M", None, [np.column_stack([8 * 3600 + 15.0 * np.arange(2000), way])])
    added = len(render_html(covered.view(tracks=[long]))) - len(render_html(covered.view(tracks=())))
    assert added / 2000 < 14


def test_importing_the_coverage_map_loads_no_heavy_library() -> None:
    heavy = ("matplotlib", "folium", "geopandas", "shapely", "pandas")
    code = f"import maps.coverage, maps.certificate, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_word_that_the_scripts_compose_is_in_the_table() -> None:
    names = ("coverage", "coveragepanel", "coveragelist", "coveragetime")
    scripts = "".join((base.PAGES / f"{name}.js").read_text("utf-8") for name in names)
    prefixes = set(re.findall(r'word\("([\w.]+\.)" \+', scripts))
    assert prefixes
    assert all(any(key.startswith(prefix) for key in words.MESSAGES) for prefix in prefixes)
