"""codes: profiles of grid codes: validate, take apart, the next in sequence; numbers of spreadsheets back into text.

A code is text, always: leading zeros count. It is neither identity (that is the uid) nor forever: a voided code is never
given again, so callers pass used *and* voided codes as `used`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Sequence
from numbers import Integral, Real
from typing import Protocol

import numpy as np
import numpy.typing as npt

from gis.errors import CodeInvalid

LONGEST = 64
_LAST = 999
_DIGITS15 = re.compile(r"[0-9]{15}")
_DIGITS12 = re.compile(r"[0-9]{12}")
_SHORTENED = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+[0-9]+")
_POINT_ZERO = re.compile(r"([0-9]{12,15})\.0+")
_INVISIBLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}
_AS_TEXT = "give the column the format Text before the codes are typed or imported, and export it again"


class CodeProfile(Protocol):
    """A form of codes that a deployment uses."""

    @property
    def name(self) -> str:
        """The profile's name in settings and in the store."""

    def validate(self, code: str) -> None:
        """Returns if the code fits; raises CodeInvalid, saying what does not."""

    def parts(self, code: str) -> dict[str, str]:
        """The code's pieces by name; raises CodeInvalid if it does not fit."""

    def next(self, parent_code: str, used: Iterable[str]) -> str:
        """A code under this parent that is not among `used`; raises CodeInvalid when there is none."""


class Cn15:
    """15 digits 6+3+3+3: district 区, subdistrict 街道/镇, community 社区/村, sequence 001-999 within the community.

    The most common form in use (DB11/T 2157-2023 has it).
    """

    name = "cn15"

    def build(self, district: str, subdistrict: str, community: str, sequence: int) -> str:
        """The code of 6 + 3 + 3 digits and a sequence number 1-999; raises CodeInvalid."""
        for what, piece, width in (
            ("district", district, 6),
            ("subdistrict", subdistrict, 3),
            ("community", community, 3),
        ):
            if not re.fullmatch(rf"[0-9]{{{width}}}", piece):
                raise CodeInvalid(f"{what} {piece!r} must have {width} digits", place=str(piece))
        if not 1 <= sequence <= _LAST:
            raise CodeInvalid(f"sequence {sequence} is out of range (1 to {_LAST})", place=str(sequence))
        return f"{district}{subdistrict}{community}{sequence:03d}"

    def validate(self, code: str) -> None:
        """Returns if the code has 15 digits of which the last three are not 000; raises CodeInvalid."""
        if not _DIGITS15.fullmatch(code):
            raise CodeInvalid(
                f"code {_shown(code)} must have 15 digits (6 district, 3 subdistrict, 3 community, 3 sequence){_why(code)}",
                place=code,
            )
        if code.endswith("000"):
            raise CodeInvalid(
                f"code {_shown(code)} ends in 000, but sequence numbers begin at 001; if a spreadsheet rounded it, {_AS_TEXT}",
                place=code,
            )

    def parts(self, code: str) -> dict[str, str]:
        """`district` (6 digits), `subdistrict` (3), `community` (3), `sequence` (3) and `parent`, the community's 12 digits."""
        self.validate(code)
        return {
            "district": code[:6],
            "subdistrict": code[6:9],
            "community": code[9:12],
            "sequence": code[12:],
            "parent": code[:12],
        }

    def next(self, parent_code: str, used: Iterable[str]) -> str:
        """The code after the community's highest, or if that is 999 its lowest that was never used.

        `parent_code` is the community's 12 digits; codes of other communities and forms in `used` do not matter. Raises
        CodeInvalid for another parent code and when all 999 numbers have been used.
        """
        if not _DIGITS12.fullmatch(parent_code):
            raise CodeInvalid(
                f"the parent's code {_shown(parent_code)} must have 12 digits: a community", place=parent_code
            )
        taken = {int(code[12:]) for code in used if _DIGITS15.fullmatch(code) and code.startswith(parent_code)}
        following = max(taken, default=0) + 1
        if following > _LAST:
            following = next((n for n in range(1, _LAST + 1) if n not in taken), 0)
        if not following:
            raise CodeInvalid(
                f"all {_LAST} codes of community {parent_code} have been used, voided ones included", place=parent_code
            )
        return f"{parent_code}{following:03d}"


class Plain:
    """Any text of 1 to 64 characters without invisible characters and without blanks at its ends."""

    name = "plain"

    def validate(self, code: str) -> None:
        """Returns if the text can be a code; raises CodeInvalid."""
        if not code.strip():
            raise CodeInvalid("a grid has no code", place=code)
        if len(code) > LONGEST:
            raise CodeInvalid(
                f"code {_shown(code)} has {len(code)} characters; {LONGEST} are the most", place=code[:LONGEST]
            )
        for character in code:
            if unicodedata.category(character) in _INVISIBLE:
                raise CodeInvalid(
                    f"code {_shown(code)} has an invisible character (U+{ord(character):04X}): remove it",
                    place=_shown(code),
                )
        if code != code.strip():
            raise CodeInvalid(f"code {_shown(code)} begins or ends with a blank: remove it", place=code)

    def parts(self, code: str) -> dict[str, str]:
        """`code` itself: a plain code has no parts that mean anything."""
        self.validate(code)
        return {"code": code}

    def next(self, parent_code: str, used: Iterable[str]) -> str:
        """The parent's code, a hyphen and the number after the highest used one, two digits at least: `A-01`."""
        self.validate(parent_code)
        form = re.compile(re.escape(parent_code) + r"-([0-9]{1,9})")
        taken = (int(match.group(1)) for match in map(form.fullmatch, used) if match)
        code = f"{parent_code}-{max(taken, default=0) + 1:02d}"
        self.validate(code)
        return code


class External(Plain):
    """A plain code that a file or another system brings; never made here."""

    name = "external"

    def next(self, parent_code: str, used: Iterable[str]) -> str:  # noqa: ARG002 - the protocol's form
        """Always raises CodeInvalid: whoever gives these codes has to give the new one."""
        raise CodeInvalid(
            f"codes under {_shown(parent_code)} come from outside (profile external): give the new code with the operation",
            place=parent_code,
        )


PROFILES: dict[str, CodeProfile] = {profile.name: profile for profile in (Cn15(), Plain(), External())}


def code_text(value: object) -> str:
    """The code as text: text as it is, a spreadsheet's number only when no digit can have been lost.

    110105001001001.0, 110105001001001 and the text "110105001001001.0" are "110105001001001"; 42 is "42" (that it once had
    leading zeros nobody can see: the profile's length tells). Raises CodeInvalid for the text "1.10105E+14", for numbers of more
    than 15 digits (spreadsheets keep no more), fractions, negative numbers, and anything that is neither text nor number.
    """
    if isinstance(value, str):
        return _text_of_text(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
        raise CodeInvalid(f"{value!r} is no code: a code is text", place=str(value)[:LONGEST])
    number = float(value)
    if math.isnan(number):
        raise CodeInvalid("a grid has no code: the cell is empty")
    if not number.is_integer() or number < 0:
        raise CodeInvalid(f"{value} is a number, but no code: {_AS_TEXT}", place=str(value))
    whole = int(value) if isinstance(value, Integral) else int(number)
    if whole >= 10**15:
        raise CodeInvalid(
            f"code {value} came as a number of more than 15 digits, of which spreadsheets lose the last ones: {_AS_TEXT}",
            place=str(value),
        )
    return str(whole)


def _text_of_text(text: str) -> str:
    if _SHORTENED.fullmatch(text.strip()):
        raise CodeInvalid(
            f"code {text.strip()} was shortened by a spreadsheet, its last digits are lost: {_AS_TEXT}",
            place=text.strip(),
        )
    whole = _POINT_ZERO.fullmatch(text.strip())
    return whole.group(1) if whole else text


def sequence(points: npt.ArrayLike, parents: Sequence[str | None] | None = None) -> npt.NDArray[np.intp]:
    """The order in which grids get their sequence numbers: indices into `points`.

    By parent (UTF-8 byte order; without `parents` all are one), then west to east of an inner point of the grid (lon), north
    first among equal lon, then as given. `points` is (n, 2) lon, lat; NaN comes last within its parent.
    """
    places = np.asarray(points, dtype=np.float64).reshape(-1, 2)
    rank = np.zeros(len(places), dtype=np.intp)
    if parents is not None:
        names = [(parent or "").encode() for parent in parents]
        order = {name: i for i, name in enumerate(sorted(set(names)))}
        rank = np.array([order[name] for name in names], dtype=np.intp)
    return np.lexsort((-places[:, 1], places[:, 0], rank))


def _shown(code: str) -> str:
    """The code for a message: quoted, invisible characters escaped, cut if long."""
    return repr(code if len(code) <= LONGEST else code[: LONGEST - 1] + "…")


def _why(code: str) -> str:
    """What probably happened to a code that should have 15 digits."""
    if code != code.strip():
        return "; it begins or ends with a blank"
    if unicodedata.normalize("NFKC", code) != code:
        return "; it has full-width characters"
    if code.isascii() and code.isdigit() and len(code) < 15:
        return f"; it has {len(code)}: a spreadsheet may have dropped leading zeros, {_AS_TEXT}"
    return f"; it has {len(code)} characters"
