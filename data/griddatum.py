"""Which datum a grids file is in: its own tag, `--crs`, and what happens when the two differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from gis.crs import Datum, parse_datum
from gis.errors import DatumContradiction, DatumUnknown

#: Tags that a gcj02 or bd09 file wears for want of its own: `--crs gcj02|bd09` overrides them.
_STANDS_FOR_DEGREES: Final = frozenset({"wgs84", "cgcs2000"})
_SURE: Final = 70
_PERHAPS: Final = 20


@dataclass(frozen=True)
class Chosen:
    """The datum that is used, the file's own words (None: no tag), and what to tell the user."""

    datum: Datum
    declared: str | None
    notes: tuple[str, ...]


def choose(tag: Any, wanted: Datum | None, *, place: str, default: str | None = None, own: str | None = None) -> Chosen:
    """The datum of a file with this tag (pyproj CRS or None) when the caller says `wanted`; `default` is the format's own rule.

    `own` is the gcj02 or bd09 that a file written by `gridbeat export` says of itself, beside or instead of a tag.
    Raises DatumUnknown when nobody says it or the tag is no known CRS, DatumContradiction when tag and caller differ -
    except that gcj02 and bd09 override a tag of EPSG:4326 or 4490, since such files cannot say it themselves.
    """
    if own is not None:
        return _of_ours(parse_datum(own), wanted, place)
    if tag is None:
        return _untagged(wanted, place, default)
    declared = _title(tag)
    held = datum_of(tag)
    if wanted is None:
        if held is None:
            raise DatumUnknown(
                f"{place} has a coordinate system of its own ({tag.name}) without an EPSG code; save it in a known one",
                place=place,
            )
        return Chosen(held, declared, (f"crs: {held.name}, from the file",))
    if held == wanted or (held is None and _equal(tag, wanted)):
        return Chosen(wanted, declared, (f"crs: {wanted.name}, from the file and --crs",))
    if wanted.lossy and held is not None and held.name in _STANDS_FOR_DEGREES:
        return Chosen(
            wanted, declared, (f"crs: {wanted.name} as --crs says; the file's own tag {declared} is set aside",)
        )
    raise DatumContradiction(
        f"{place} says {declared}, --crs says {wanted.name}: leave --crs out if the file is right, else correct the file's tag",
        place=place,
        file=declared,
        given=wanted.name,
    )


def _of_ours(held: Datum, wanted: Datum | None, place: str) -> Chosen:
    if wanted not in {None, held}:
        raise DatumContradiction(
            f"{place} says it was exported in {held}, --crs says {wanted}: leave --crs out",
            place=place,
            file=held.name,
            given=str(wanted),
        )
    return Chosen(held, held.name, (f"crs: {held}, as the file says of itself (gridbeat_crs)",))


def _untagged(wanted: Datum | None, place: str, default: str | None) -> Chosen:
    if wanted is not None:
        return Chosen(wanted, None, (f"crs: {wanted.name}, from --crs (the file does not say)",))
    if default is not None:
        return Chosen(parse_datum(default), None, (f"crs: {default} (the file does not say; the format's own rule)",))
    raise DatumUnknown(
        f"{place} does not say its coordinate system (a Shapefile says it in a .prj file): give --crs, "
        "for example --crs wgs84, gcj02, cgcs2000 or EPSG:4549",
        place=place,
    )


def datum_of(tag: Any) -> Datum | None:
    """The Datum of a pyproj CRS, however it is spelled; None for one without an EPSG code."""
    flat = tag.to_2d()
    if flat.is_geographic and flat.name.replace(" ", "").upper() in {"WGS84", "WGS84(CRS84)"}:
        return parse_datum("wgs84")
    sure = flat.to_epsg(min_confidence=_SURE)
    if sure is not None:
        return parse_datum(f"EPSG:{sure}")
    perhaps = flat.to_epsg(min_confidence=_PERHAPS)
    if perhaps is None:
        return None
    datum = parse_datum(f"EPSG:{perhaps}")
    return datum if _equal(flat, datum) else None


def _equal(tag: Any, datum: Datum) -> bool:
    from pyproj import CRS

    return datum.epsg is not None and bool(CRS.from_epsg(datum.epsg).equals(tag.to_2d(), ignore_axis_order=True))


def _title(tag: Any) -> str:
    epsg = tag.to_2d().to_epsg(min_confidence=_SURE)
    return f"EPSG:{epsg}" if epsg else str(tag.name)
