"""Figures as people read them: the per cent by the rule of `gis.shares.Share`, and numerator over denominator in one unit."""

from __future__ import annotations

from typing import Final

from gis.shares import Share

#: Unit of a figure -> what it is shown in, the largest first: (divisor, decimals, text, from which denominator on).
_SHOWN: Final[dict[str, tuple[tuple[float, int, str, float], ...]]] = {
    "m2": ((1e6, 2, " km²", 1e6), (1e4, 2, " ha", 1e4), (1.0, 0, " m²", 0.0)),
    "m": ((1e3, 1, " km", 1e3), (1.0, 0, " m", 0.0)),
    "s": ((3600.0, 1, " h", 3600.0), (60.0, 0, " min", 60.0), (1.0, 0, " s", 0.0)),
    "": ((1.0, 0, "", 0.0),),
}
NOTHING: Final = "n/a"


def percent(numerator: float, denominator: float, decimals: int = 1) -> str:
    """The share in per cent, or "n/a"; 100 only where nothing is missing, 0 only where nothing was covered."""
    return Share("", "", numerator, denominator).percent(decimals)


def fraction(numerator: float, denominator: float, unit: str = "") -> str:
    """The two numbers as "12.3 / 45.6 km"; "n/a" where there is nothing to cover.

    In the largest unit that suits the denominator and still tells two different numbers apart; numbers alike in every unit stay
    so in the smallest.
    """
    if not denominator > 0:
        return NOTHING
    told = ""
    for divisor, decimals, text, least in _SHOWN[unit]:
        if denominator < least:
            continue
        one, other = (f"{value / divisor:,.{decimals}f}" for value in (numerator, denominator))
        told = f"{one} / {other}{text}"
        if (one == other) == (numerator == denominator):
            return told
    return told


def days(value: float) -> str:
    """An age in whole days, rounded down; below one day in tenths, at least 0.1, so that only nothing is 0."""
    return f"{max(int(value * 10), 1) / 10:.1f}" if 0 < value < 1 else f"{int(value):,}"
