"""Supersede: identity, lineage and parents, on towns whose answers are drawn."""

from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import CodeInvalid, ParameterInvalid
from gis.partition import Boundaries
from gis.supersede import Incoming, Lineage, compare, receive_all, same_shape
from tests.town import drawn, shapes

NOTHING = Boundaries(0, ())


def after(before: Boundaries, *incoming: Incoming) -> Boundaries:
    number = count(len(before.units) + 1000 * len(before.partitions))
    return receive_all(before, incoming, lambda: f"u{next(number)}")


def uid(boundaries: Boundaries, code: str) -> str:
    return boundaries.by_code[code].uid


def test_the_first_file_creates_everything() -> None:
    state = after(NOTHING, drawn("AB"))
    facts = compare(NOTHING, state)
    assert facts.summary() == {
        "created": 2, "reshaped": 0, "renamed": 0, "recoded": 0, "reparented": 0, "retired": 0,
    }  # fmt: skip
    assert {line.kind for line in facts.lineage} == {"create"}


def test_the_same_file_again_changes_nothing() -> None:
    state = after(NOTHING, drawn("AB"))
    assert not compare(state, after(state, drawn("AB")))


def test_a_ring_that_starts_elsewhere_is_the_same_shape() -> None:
    square = shapes("A")["A"]
    x, y = square.exterior.coords.xy
    turned = type(square)([*list(zip(x, y, strict=True))[2:-1], *list(zip(x, y, strict=True))[:3]])
    assert list(turned.exterior.coords) != list(square.exterior.coords)
    assert same_shape(square, turned)


def test_a_rename_keeps_the_identity() -> None:
    before = after(NOTHING, drawn("AB"))
    now = after(before, drawn("AB", names={"A": "river"}))
    facts = compare(before, now)
    assert uid(now, "A") == uid(before, "A")
    assert facts.names == {uid(before, "A"): "river"}
    assert facts.lineage == (Lineage("rename", uid(before, "A"), uid(before, "A")),)
    assert not facts.shapes
    assert not facts.voided


def test_a_merge_by_file_retires_one_and_reshapes_the_other() -> None:
    before = after(NOTHING, drawn("AB"))
    now = after(before, drawn("BB"))
    facts = compare(before, now)
    assert set(facts.retired) == {uid(before, "A")}
    assert facts.voided == {"A": uid(before, "A")}
    assert Lineage("merge", uid(before, "A"), uid(before, "B"), 1.0) in facts.lineage
    assert Lineage("reshape", uid(before, "B"), uid(before, "B")) in facts.lineage


def test_a_split_by_file_names_every_part() -> None:
    before = after(NOTHING, drawn("AA\nAA"))
    now = after(before, drawn("XY\nXY"))
    shares = {line.successor: line.share for line in compare(before, now).lineage if line.kind == "split"}
    assert shares == {uid(now, "X"): pytest.approx(0.5), uid(now, "Y"): pytest.approx(0.5)}


def test_one_grid_in_place_of_another_is_its_successor() -> None:
    before = after(NOTHING, drawn("AB"))
    now = after(before, drawn("XB"))
    assert [line.kind for line in compare(before, now).lineage] == ["successor"]


def test_a_grid_cut_between_two_old_ones_is_redistributed() -> None:
    before = after(NOTHING, drawn("ABC"))
    now = after(before, drawn("AACC", codes={}))
    kinds = [line.kind for line in compare(before, now).lineage if line.predecessor == uid(before, "B")]
    assert kinds == ["merge"]  # B's square lies in the new A alone


def test_a_grid_that_nobody_takes_is_retired() -> None:
    before = after(NOTHING, drawn("A.B"))
    now = after(before, drawn("A.."))
    assert Lineage("retire", uid(before, "B"), None) in compare(before, now).lineage


def test_by_area_a_new_code_is_a_recode() -> None:
    before = after(NOTHING, drawn("AB"))
    now = after(before, drawn("XB", match="area"))
    facts = compare(before, now)
    assert uid(now, "X") == uid(before, "A")
    assert facts.codes == {uid(before, "A"): "X"}
    assert facts.voided == {"A": uid(before, "A")}
    assert not facts.created


def test_by_area_two_grids_may_swap_their_codes() -> None:
    before = after(NOTHING, drawn("AB"))
    now = after(before, drawn("BA", match="area"))
    facts = compare(before, now)
    assert {uid(now, "A"), uid(now, "B")} == {uid(before, "A"), uid(before, "B")}
    assert uid(now, "A") == uid(before, "B")
    assert not facts.voided  # both codes are still in use


def test_match_is_code_or_area() -> None:
    with pytest.raises(ParameterInvalid):
        after(NOTHING, drawn("A", match="name"))


def test_parents_are_found_by_place() -> None:
    state = after(NOTHING, drawn("VVWW", level="community"), drawn("ABCD"))
    assert {code: state.path(code)[0]["code"] for code in "ABCD"} == {"A": "V", "B": "V", "C": "W", "D": "W"}


def test_a_named_parent_wins_over_place() -> None:
    state = after(NOTHING, drawn("VVWW", level="community"), drawn("ABCD", parents={"B": "W"}))
    assert state.path("B")[0]["code"] == "W"


def test_a_parent_that_is_not_there_is_refused() -> None:
    with pytest.raises(CodeInvalid, match="parent Z"):
        after(NOTHING, drawn("VV", level="community"), drawn("AB", parents={"A": "Z"}))


def test_a_code_of_another_layer_is_refused() -> None:
    state = after(NOTHING, drawn("AB"))
    with pytest.raises(CodeInvalid, match="in use in layer general"):
        after(state, drawn("A", layer="dedicated"))


def test_a_dedicated_grid_over_two_villages_has_both_as_parents() -> None:
    state = after(NOTHING, drawn("VVVW", level="community"), drawn("ABCD"), drawn(".MMM", layer="dedicated"))
    market = state.by_code["M"]
    assert (market.parent, market.further_parents) == (uid(state, "V"), (uid(state, "W"),))


def test_grids_get_a_new_parent_when_theirs_is_merged_away() -> None:
    before = after(NOTHING, drawn("VVWW", level="community"), drawn("ABCD"))
    now = after(before, drawn("VVVV", level="community"))
    facts = compare(before, now)
    assert {code for code in "ABCD" if uid(before, code) in facts.parents} == {"C", "D"}
    assert now.path("D")[0]["code"] == "V"


def test_communities_that_come_after_their_grids_become_their_parents() -> None:
    before = after(NOTHING, drawn("ABCD"))
    now = after(before, drawn("VVWW", level="community"))
    assert [now.path(code)[0]["code"] for code in "ABCD"] == ["V", "V", "W", "W"]


PLANS = st.lists(st.text("ABCD.", min_size=4, max_size=4), min_size=2, max_size=4).map("\n".join)


@given(PLANS, PLANS)
def test_comparing_there_and_back_finds_the_same_grids(one: str, other: str) -> None:
    """What is created one way is retired the other way, and every retired grid says what became of it."""
    before = after(NOTHING, drawn(one)) if set(one) & set("ABCD") else NOTHING
    now = after(before, drawn(other)) if set(other) & set("ABCD") else before
    there, back = compare(before, now), compare(now, before)
    assert set(there.created) == set(back.retired)
    assert set(there.retired) == set(back.created)
    assert set(there.retired) <= {line.predecessor for line in there.lineage}
    shares: dict[str | None, float] = {}
    for line in there.lineage:
        shares[line.predecessor] = shares.get(line.predecessor, 0.0) + (line.share or 0.0)
    assert all(shares[uid] <= 1.000001 for uid in there.retired)
