"""What commands that touch the store need: its address, an engine at the newest revision, who acts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from api.settings import Caller, Settings

if TYPE_CHECKING:
    from gis.store.engine import Engine


def database_url(settings: Settings) -> str:
    """The address of a database that answers: the given one, else the private one, started if need be."""
    if settings.database_url:
        return settings.database_url
    from gis.store.cluster import Cluster

    return Cluster.at(settings.home).start()


def terminal_caller() -> Caller:
    """Who acts at a terminal: whoever can reach the database may administer it; the login's name stands in the audit."""
    import getpass

    try:
        name = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        name = str(os.getuid())
    return Caller(f"terminal:{name}", "admin")


@contextmanager
def opened(settings: Settings) -> Iterator[Engine]:
    """An engine over the store, migrated to the newest revision, closed afterwards; driver errors leave as ours."""
    from gis.store.engine import create_engine, migrate
    from gis.store.errors import translating

    url = database_url(settings)
    migrate(url)
    engine = create_engine(url, pool_size=2, application="gridbeat-terminal")
    try:
        with translating():
            yield engine
    finally:
        engine.dispose()
