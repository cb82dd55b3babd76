"""Households: what is stored shows in the newest id, and the weights of a process follow it."""

from __future__ import annotations

import sqlalchemy as sa

from gis.store.households import LiveHouseholds, NewHousehold, newest_household, read_households, store_households
from gis.store.live import Live
from tests.town import drawn, place, published


def test_every_load_gives_a_newer_id_also_to_a_household_that_it_replaces(connection: sa.Connection) -> None:
    assert newest_household(connection) is None
    seen = []
    for n in range(1, 20):  # many of them within one millisecond
        store_households(connection, [NewHousehold(*place(0.5, 0.5), n, external_id="1")])
        seen.append(newest_household(connection))
    assert seen == sorted(set(seen), key=str)
    assert read_households(connection)[2].tolist() == [19]


def test_weights_are_counted_when_households_change_and_only_then(connection: sa.Connection) -> None:
    published(connection, drawn("AB"), drawn("M.", layer="dedicated"))
    index = Live().state(connection, Live().now(connection)).index
    held = LiveHouseholds()
    assert held.weights(connection, index) is None
    store_households(connection, [NewHousehold(*place(0.5, 0.5), 30, external_id="1")])
    # A and M have 30 each, B none: 20 is the mean of three grids of one size.
    first = held.weights(connection, index)
    assert first == {"A": 1.25, "B": 0.5, "M": 1.25}
    assert held.weights(connection, index) is first
    store_households(connection, [NewHousehold(*place(1.5, 0.5), 60, external_id="1")])
    assert held.weights(connection, index) == {"A": 0.5, "B": 2.0, "M": 0.5}


def test_weights_of_few_indices_are_kept(connection: sa.Connection) -> None:
    published(connection, drawn("AB"))
    store_households(connection, [NewHousehold(*place(0.5, 0.5), 30)])
    held = LiveHouseholds(keep=1)
    one, two = (Live().state(connection, Live().now(connection)).index for _ in range(2))
    first = held.weights(connection, one)
    assert held.weights(connection, two) == first
    assert held.weights(connection, one) is not first
