"""The drawn town of `tests.asking` behind an application."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.asking import Asking, Drawn, publish_town


@pytest.fixture(scope="session")
def town_template(databases: Any, template: str) -> str:
    """The address of a database with the drawn town; only copied."""
    url: str = databases.make(template)
    publish_town(url)
    return url


@pytest.fixture(scope="module")
def asking(databases: Any, town_template: str) -> Iterator[Asking]:
    """The drawn town behind an application, shared by the tests of one file: they add reports, and publish nothing."""
    url = databases.make(town_template)
    asking = Asking(url)
    with asking.http:
        yield asking
    databases.drop(url)


@pytest.fixture
def alone(databases: Any, town_template: str) -> Iterator[Asking]:
    """The drawn town behind an application, for one test alone."""
    url = databases.make(town_template)
    asking = Asking(url)
    with asking.http:
        yield asking
    databases.drop(url)


@pytest.fixture
def drawn(alone: Asking) -> Drawn:
    """The town of `alone`, to publish more of it."""
    return Drawn(alone.url)


@pytest.fixture
def bare(database: str) -> Iterator[Asking]:
    """An application over a store without a single grid."""
    asking = Asking(database)
    with asking.http:
        yield asking
