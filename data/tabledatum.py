"""Which datum a table of points is in: the file's own tag against what the caller says."""

from __future__ import annotations

from data.griddatum import choose
from data.rowchunk import Table
from gis.crs import Datum, parse_datum
from gis.errors import DatumUnknown


def datum_of_table(table: Table, given: str | None, *, place: str) -> Datum | None:
    """The datum that all rows of the table share; None when neither file nor caller says one (each row may then declare its own).

    Raises DatumContradiction when the file's tag and the caller differ, but for gcj02 and bd09 over a tag of degrees.
    """
    wanted = parse_datum(given) if given else None
    if table.crs_declared is None:
        return wanted
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    try:
        tag = CRS.from_user_input(table.crs_declared)
    except CRSError:
        raise DatumUnknown(
            f"{place} names a coordinate system that nobody knows: {table.crs_declared}", place=place
        ) from None
    return choose(tag, wanted, place=place).datum
