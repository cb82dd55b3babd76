"""The accepted enclaves that a repaired file remembers, so that whoever loads it need not accept them once more.

Written as `gridbeat_enclaves`, a JSON list of [lon, lat] in WGS 84: a member of the GeoJSON collection, metadata of a
GeoPackage layer or of a Parquet schema, a file in the Shapefile's archive. Another program that saves the file drops it.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

Places = tuple[tuple[float, float], ...]

KEY: Final = "gridbeat_enclaves"
MEMBER: Final = f"{KEY}.json"
_IN_TEXT: Final = re.compile(rb'"gridbeat_enclaves"\s*:\s*(\[(?:\s*\[[^\[\]]*\]\s*,?)*\s*\])')
_MOST: Final = 1_000_000  # bytes


def as_text(places: Places) -> str:
    """The places as JSON."""
    return json.dumps([[lon, lat] for lon, lat in places])


def in_text(raw: bytes) -> Places:
    """The places a GeoJSON text remembers; none where it has no such member."""
    found = _IN_TEXT.search(raw)
    return _places(found[1]) if found else ()


def in_metadata(metadata: Mapping[Any, Any] | None) -> Places:
    """The places that a layer's or a schema's metadata remember; keys and values may be text or bytes."""
    held = metadata or {}
    return _places(held.get(KEY) or held.get(KEY.encode()) or "[]")


def in_archive(path: Path) -> Places:
    """The places that an archive remembers."""
    with zipfile.ZipFile(path) as archive:
        if MEMBER not in archive.namelist() or archive.getinfo(MEMBER).file_size > _MOST:
            return ()
        return _places(archive.read(MEMBER))


def _places(text: str | bytes) -> Places:
    """Whatever is no list of pairs of numbers is nothing to remember."""
    try:
        return tuple((float(lon), float(lat)) for lon, lat in json.loads(text))
    except (ValueError, TypeError):
        return ()
