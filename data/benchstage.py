"""A stage for `gridbeat bench`: a PostGIS of its own, with a synthetic city where wanted, gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.citygen import City
from gis.store.cluster import Cluster
from gis.store.engine import create_engine, migrate
from gis.store.generations import Publication, publish
from gis.supersede import Incoming

#: The key that the stage's servers take.
KEY = "bench-key"


@dataclass(frozen=True)
class Stage:
    """A home with its private PostGIS; `town` is its one generation."""

    home: Path
    url: str
    town: City

    @property
    def settings(self) -> dict[str, str]:
        """The GRIDBEAT_ variables under which servers and commands work here, and nowhere else."""
        return {
            "GRIDBEAT_HOME": str(self.home),
            "GRIDBEAT_DATABASE_URL": self.url,
            "GRIDBEAT_API_KEYS": f"{KEY}:bench:admin",
            "GRIDBEAT_MAX_BATCH_BYTES": str(1 << 30),
        }


@contextmanager
def served() -> Iterator[tuple[Path, str]]:
    """(home, address) of a PostGIS of its own, migrated and empty; its server and files are gone when the block ends.

    The deployment's own database is neither read nor written. PostgisMissing without a PostgreSQL on this machine.
    """
    home = Path(tempfile.mkdtemp(prefix="gridbeat-bench-", dir="/tmp"))  # short enough for a socket
    home.chmod(0o711)  # the server's user looks in
    cluster = Cluster.at(home)
    try:
        url = cluster.start()
        migrate(url)
        yield home, url
    finally:
        cluster.stop()
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def staged(town: City) -> Iterator[Stage]:
    """A stage with the settings of a real store (every commit is on disk), as `served` makes it."""
    with served() as (home, url):
        _publish(url, town)
        yield Stage(home, url, town)


def _publish(url: str, town: City) -> None:
    dedicated = town.plan.dedicated
    parts = (
        _incoming("dedicated", town, slice(0, dedicated)),
        _incoming("general", town, slice(dedicated, None)),
    )
    engine = create_engine(url, pool_size=1)
    try:
        with engine.begin() as connection:
            publish(connection, Publication(parts, "bench", "admin", None))
    finally:
        engine.dispose()


def _incoming(layer: str, town: City, rows: slice) -> Incoming:
    codes = tuple(town.codes[rows])
    return Incoming(layer, "grid", codes, codes, (None,) * len(codes), np.asarray(town.geometry[rows], dtype=object))
