"""Zip archives with one data set inside, opened safely: judged by their directory first, and never unpacked beyond what it said."""

from __future__ import annotations

import zipfile
from collections.abc import Collection
from pathlib import Path, PurePosixPath
from typing import Final

from data.enclaves import MEMBER
from gis.errors import FileUnreadable

MAX_UNPACKED: Final = 2 * 1024**3
MAX_RATIO: Final = 200
RATIO_FROM: Final = (
    100 * 1024**2
)  # below this unpacked size the ratio does not matter: a small DBF of blanks packs 1 : 500
_CHUNK: Final = 1024**2
_UTF8_NAME: Final = 0x800
#: What belongs to a Shapefile besides the .shp itself.
_SIDECARS: Final = frozenset({".shp", ".shx", ".dbf", ".prj", ".cpg"})


def unpack_one(path: Path, into: Path, wanted: Collection[str], layer_name: str | None = None) -> tuple[Path, str]:
    """The one data set of an archive now lies in the folder `into`; returns its path there and its name in the archive.

    `wanted` are the suffixes that count as a data set (lower case); `layer_name` chooses by file name where there are several.
    Raises FileUnreadable: no zip, a bomb (more than 2 GiB unpacked, or more than 200 : 1 beyond 100 MB), a path that leaves
    the archive, encrypted, a zip within, none or several data sets.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {_named(info): info for info in archive.infolist() if not info.is_dir()}
            _refuse_bombs(path, members)
            chosen = _choose(path, sorted(members), wanted, layer_name)
            unpacked = into / f"grids{PurePosixPath(chosen).suffix.lower()}"
            for name in _belonging(chosen, members):
                _copy(archive, members[name], into / f"grids{PurePosixPath(name).suffix.lower()}")
            return unpacked, chosen
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError) as error:
        raise FileUnreadable(f"{path.name} is no zip archive that can be read: {error}", place=path.name) from error


def _named(info: zipfile.ZipInfo) -> str:
    """A member's name; without the UTF-8 flag Windows wrote it in the local code page, here GB18030."""
    if info.flag_bits & _UTF8_NAME or info.filename.isascii():
        return info.filename
    try:
        return info.filename.encode("cp437").decode("gb18030")
    except UnicodeError:
        return info.filename


def _refuse_bombs(path: Path, members: dict[str, zipfile.ZipInfo]) -> None:
    for name, info in members.items():
        parts = PurePosixPath(name.replace("\\", "/")).parts
        if ".." in parts or name.startswith(("/", "\\")) or ":" in name.split("/")[0]:
            raise FileUnreadable(f"{path.name} has a member that points outside the archive: {name}", place=name)
        if info.flag_bits & 1:
            raise FileUnreadable(f"{path.name} is encrypted; unpack it first", place=name)
        if name.lower().endswith(".zip"):
            raise FileUnreadable(
                f"{path.name} has a zip within the zip ({name}); unpack the outer one first", place=name
            )
    unpacked = sum(info.file_size for info in members.values())
    packed = max(1, sum(info.compress_size for info in members.values()))
    if unpacked > MAX_UNPACKED or (unpacked > RATIO_FROM and unpacked > MAX_RATIO * packed):
        raise FileUnreadable(
            f"{path.name} would unpack to {unpacked / 1024**2:,.0f} MB from {packed / 1024**2:,.1f} MB; refused as a zip bomb "
            f"(at most {MAX_UNPACKED / 1024**2:,.0f} MB, and {MAX_RATIO} : 1 beyond {RATIO_FROM / 1024**2:,.0f} MB)",
            place=path.name,
        )


def _choose(path: Path, names: list[str], wanted: Collection[str], layer_name: str | None) -> str:
    sets = [name for name in names if PurePosixPath(name).suffix.lower() in wanted and not _hidden(name)]
    if layer_name is not None and len(sets) > 1:
        sets = [name for name in sets if PurePosixPath(name).stem == layer_name]
    if len(sets) == 1:
        return sets[0]
    held = ", ".join(sets or names[:10]) or "nothing"
    hint = (
        "name one with --layer-name (its file name without ending)" if sets else f"none of {', '.join(sorted(wanted))}"
    )
    raise FileUnreadable(f"{path.name} holds {held}: {hint}", place=path.name)


def _hidden(name: str) -> bool:
    """The copies that macOS adds, and what Gridbeat itself left in the archive."""
    return name == MEMBER or any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(name).parts)


def _belonging(chosen: str, members: dict[str, zipfile.ZipInfo]) -> list[str]:
    """The chosen member, and for a Shapefile its sidecars, in whatever letter case."""
    whole = PurePosixPath(chosen)
    if whole.suffix.lower() != ".shp":
        return [chosen]
    stem = str(whole.with_suffix("")).lower()
    return [
        name
        for name in members
        if str(PurePosixPath(name).with_suffix("")).lower() == stem and PurePosixPath(name).suffix.lower() in _SIDECARS
    ]


def _copy(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    """A member copied in pieces; a directory that lied about its size is found out before the disk is full."""
    left = info.file_size
    with archive.open(info) as source, target.open("wb") as sink:
        while piece := source.read(_CHUNK):
            left -= len(piece)
            if left < 0:
                raise FileUnreadable(
                    f"{info.filename} is longer than the archive says: a zip bomb", place=info.filename
                )
            sink.write(piece)
