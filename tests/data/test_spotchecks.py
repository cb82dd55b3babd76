"""Spot checks from the store: what coverage tells weighs; without it nothing is known of anybody; the words say so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from data.spotchecks import DrawWish, draw, keep, named, sheet_csv, spotcheck_json, take_outcome
from gis.errors import ParameterInvalid
from gis.store.boundaries import Moment, find_grid
from gis.store.live import Live
from gis.store.spotchecks import NewDraw
from tests.town import drawn, published


@pytest.fixture
def town(connection: sa.Connection) -> sa.Connection:
    """Two villages of four grids: V has A, B, C, D, W has E, F, G, H."""
    parents = dict(zip("ABCDEFGH", "VVVVWWWW", strict=True))
    published(connection, drawn("VVVV\nWWWW", level="community"), drawn("ABCD\nEFGH", parents=parents))
    return connection


def uid(connection: sa.Connection, code: str) -> str:
    now = datetime.now(UTC)
    return str(find_grid(connection, Moment(now, now), code)["uid"])


def weights(connection: sa.Connection, made: NewDraw) -> dict[str, int]:
    """Code -> weight in the frame."""
    codes = {uid(connection, code): code for code in "ABCDEFGH"}
    return {codes[one]: weight for one, weight in zip(made.frame["grid"], made.frame["weight"], strict=True)}


def strata(connection: sa.Connection, made: NewDraw) -> dict[str, str]:
    codes = {uid(connection, code): code for code in "ABCDEFGH"}
    return {codes[one]: name for one, name in zip(made.frame["grid"], made.frame["stratum"], strict=True)}


def test_without_recency_it_weighs_nothing_and_is_not_spoken_of(town: sa.Connection) -> None:
    made = draw(town, Live(), DrawWish(8, seed=1))
    assert set(weights(town, made).values()) == {1000}
    assert made.parameters["recency"] is False
    assert not any("巡查" in one.reason_zh for one in made.grids)


def test_recency_tells_by_uid_how_long_ago_a_grid_was_seen(town: sa.Connection) -> None:
    """A was seen today, B half an interval ago, C long ago, D never; of the others nobody knows."""
    recency = dict(zip((uid(town, code) for code in "ABCD"), (0.0, 3.5, 30.0, None), strict=True))
    made = draw(town, Live(), DrawWish(8, seed=1), recency)
    assert weights(town, made) == {"A": 1000, "B": 1500} | dict.fromkeys("CDEFGH", 3000)
    assert strata(town, made)["A"] == "V unchecked"
    assert {name for code, name in strata(town, made).items() if code not in "AB"} == {"V unseen", "W unseen"}
    said = {one.code: (one.reason_zh, one.reason_en) for one in made.grids}
    assert "未巡查0.50（3.5天前）" in said["B"][0]
    assert "2.00 unseen (never, or unknown)" in said["D"][1]
    assert "逾期未巡查或情况不明" in said["H"][0]
    assert made.parameters["recency"] is True


def test_what_was_drawn_with_recency_is_drawn_again_without_it(town: sa.Connection) -> None:
    live = Live()
    made = draw(town, live, DrawWish(3, seed=2**53 - 1), {uid(town, "A"): 1.0})
    told = spotcheck_json(town, live, keep(town, made, "sam", "supervisor"), verify=True)
    assert told["reproduced"] is True
    assert [one["code"] for one in told["grids"]] == [one.code for one in made.grids]


def test_a_list_for_the_inspector_has_the_names_of_the_instant(town: sa.Connection) -> None:
    live = Live()
    made = draw(town, live, DrawWish(8, seed=1))
    grids = named(town, live, Moment(made.at, live.now(town).known_at), [vars(one) for one in made.grids])
    assert {(one["code"], one["path"]) for one in grids} >= {("A", "V"), ("H", "W")}
    assert sheet_csv(grids).decode("utf-8-sig").splitlines()[0].startswith("rank,code,name,path,stratum,probability")


def test_a_spot_check_of_then_weighs_as_it_was_known_then(town: sa.Connection) -> None:
    """The outcome noted today does not count for a draw as of yesterday, nor for grids that were drawn and not looked at."""
    live = Live()
    first = keep(town, draw(town, live, DrawWish(8, seed=1)), "sam", "supervisor")
    take_outcome(town, first, "A", {"outcome": "fine"}, "sam")
    now = draw(town, live, DrawWish(8, seed=1))
    assert weights(town, now) == {"A": 100} | dict.fromkeys("BCDEFGH", 1000)
    before = draw(town, live, DrawWish(8, seed=1, at=datetime.now(UTC) - timedelta(days=1)))
    assert set(weights(town, before).values()) == {1000}


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"n": 2.0}, {"n": 2, "seed": "a"}, {"n": 2, "layer": "none"}, {"n": 2, "reason": "x" * 2001}]
)
def test_a_wish_that_is_none_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ParameterInvalid):
        DrawWish(**wrong)  # type: ignore[arg-type]
