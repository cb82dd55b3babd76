"""Servers of their own for the tests that kill them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from gis.store.cluster import Cluster


@pytest.fixture
def home() -> Iterator[Path]:
    """A home directory that the server's user can reach; its cluster, if any, is stopped and removed afterwards."""
    base = Path(tempfile.mkdtemp(prefix="gridbeat-home-", dir="/tmp"))
    base.chmod(0o711)
    yield base
    cluster = Cluster.at(base)
    cluster.stop()
    shutil.rmtree(base)
