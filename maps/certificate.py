"""The certificate of a re-visit cycle: oldest place, share on time, share unknown, grid by grid; printed from the browser or as a PDF."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from gis.errors import ParameterInvalid
from gis.shares import Share
from maps import base, figures, payload
from maps.coveragepayload import parameters
from maps.words import Lang, both, word

if TYPE_CHECKING:
    from maps.base import Assets

#: States that places are counted by, in this order.
COUNTED: Final = ("visited", "missed", "unknown", "n/a")
#: Columns of the table: key of the heading, whether it is a number.
COLUMNS: Final = (
    ("code", False), ("name", False), ("places", True), ("row.on_time", True), ("row.late", True), ("row.unknown", True),
    ("row.share", True), ("row.oldest", True),
)  # fmt: skip
SIGNED: Final = ("made", "checked", "approved")


@dataclass(frozen=True)
class OldestPlace:
    """The place that was seen longest ago: `last` and `age_days` are None where it was not visited since the evidence begins."""

    code: str
    name: str
    grid: str | None
    last: datetime | None
    age_days: float | None


@dataclass(frozen=True)
class GridRow:
    """One grid: its must-visit places, of which on time, late and unknown; the age of the one seen longest ago.

    `oldest_days` is None without places, or where one was never visited (`never`). Raises ParameterInvalid when the three do not
    add up to the places.
    """

    code: str
    name: str
    places: int
    on_time: int
    late: int
    unknown: int
    oldest_days: float | None = None
    never: bool = False

    def __post_init__(self) -> None:
        if self.on_time + self.late + self.unknown != self.places or min(self.on_time, self.late, self.unknown) < 0:
            raise ParameterInvalid(f"grid {self.code}: on time, late and unknown are not all its places", place="rows")


@dataclass(frozen=True)
class CertificateView:
    """Everything a certificate says of the cycle from `begin` to `end`, in the deployment's offset.

    `on_time` counts places on time over places of which it is known; `unknown` the unknown over all places, so that nothing is
    counted twice: ParameterInvalid where known and unknown are not all. `counts` are places by state (of COUNTED). `parameters` are
    all printed. `town` heads the sheet.
    """

    begin: datetime
    end: datetime
    layer: str
    generation: int
    on_time: Share
    unknown: Share
    oldest: OldestPlace | None
    counts: Mapping[str, int]
    rows: Sequence[GridRow]
    parameters: Mapping[str, Any]
    town: str
    made: datetime
    lang: Lang = "zh"
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.on_time.denominator + self.unknown.numerator != self.unknown.denominator:
            raise ParameterInvalid("places known and places unknown are not all places", place="unknown")

    @property
    def heading(self) -> str:
        """The town, and what this is."""
        return (
            f"{self.town} · {word('title.certificate', self.lang)}"
            if self.town
            else word("title.certificate", self.lang)
        )


def render_html(view: CertificateView, assets: Assets = "static") -> str:
    """A page of A4 that prints as it stands: no script is needed, nothing is asked of the network. Equal views give equal bytes."""
    said = f"<button type='button' onclick='print()'>{both('certificate.print')}</button>"
    return base.document(
        title=view.heading,
        lang=view.lang,
        head=[base.stylesheet("pages/certificate.css", assets)],
        body=[
            "<main>",
            f"<header><h1>{html.escape(view.town)}<small>{both('title.certificate')}</small></h1>{said}</header>",
            _facts(facts(view)),
            '<section class="shares">',
            *(_figure(*one) for one in headline(view)),
            "</section>",
            _counts(view),
            _end(view),
            _table(view),
            "</main>",
        ],
        assets=assets,
    )


def render_pdf(view: CertificateView) -> bytes:
    """A PDF of A4 pages: the summary with lines to sign, then the grids in tables. Equal views give equal bytes.

    Raises FileUnreadable when no Chinese font is installed.
    """
    from maps.certificatesheet import draw_pdf

    return draw_pdf(view)


# -- what both say -----------------------------------------------------------------------------------------------------


def facts(view: CertificateView) -> list[tuple[str, str]]:
    """(heading in both languages, text) of what the certificate is about."""
    begin, end = payload.time_text(view.begin), payload.time_text(view.end)
    return [
        (both("certificate.cycle"), f"{begin} – {end}"),
        (both("certificate.layer"), both(f"layer.{view.layer}")),
        (both("certificate.generation"), str(view.generation)),
    ]


def headline(view: CertificateView) -> list[tuple[str, str, str]]:
    """(key, what is large, what stands below it) of the three figures: share on time, share unknown, oldest place."""
    shares = [
        (key, figures.NOTHING if share.value is None else share.percent(), figures.fraction(share.numerator, share.denominator))
        for key, share in (("on_time", view.on_time), ("unknown", view.unknown))
    ]  # fmt: skip
    return [*shares, ("oldest", *oldest(view))]


def oldest(view: CertificateView) -> tuple[str, str]:
    """(its age, which place it is) of the place that was seen longest ago."""
    place = view.oldest
    if place is None:
        return "–", both("certificate.oldest.none")
    named = "\n".join([place.name, " · ".join(part for part in (place.code, place.grid) if part)])
    if place.last is None or place.age_days is None:
        return both("coverage.short.never"), f"{named}\n{both('certificate.oldest.never')}"
    days = both("certificate.oldest.days", days=figures.days(place.age_days))
    return days, f"{named}\n{payload.time_text(place.last)}"


def counted(view: CertificateView) -> list[tuple[str, str]]:
    """(state in both languages, how many places) of every state, none left out."""
    return [(both(f"certificate.count.{state}"), f"{view.counts.get(state, 0):,}") for state in COUNTED]


def cells(row: GridRow) -> list[str]:
    """The row as texts, in the order of COLUMNS; the share is of the places that are known."""
    known = row.on_time + row.late
    age = "–" if row.oldest_days is None else figures.days(row.oldest_days)
    return [
        row.code, "" if row.name == row.code else row.name, f"{row.places:,}", f"{row.on_time:,}", f"{row.late:,}", f"{row.unknown:,}",
        figures.percent(row.on_time, known), both("coverage.short.never") if row.never else age,
    ]  # fmt: skip


def small_print(view: CertificateView) -> list[tuple[str, str]]:
    """(name in both languages, value) of every parameter."""
    return [
        (both(f"coverage.parameter.{name}"), both(f"layer.{text}") if name == "layer" else text)
        for name, text in parameters(view.parameters, view.made.tzinfo)
    ]


# -- HTML --------------------------------------------------------------------------------------------------------------


def _facts(rows: Sequence[tuple[str, str]]) -> str:
    inner = "".join(f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in rows)
    return f"<dl>{inner}</dl>"


def _figure(key: str, large: str, below: str) -> str:
    lines = "".join(f"<span>{html.escape(line)}</span>" for line in below.split("\n"))
    said = f"{word(f'certificate.{key}', 'zh')}<small>{word(f'certificate.{key}', 'en')}</small>"
    return f'<div class="figure figure-{key}"><h2>{said}</h2><b>{html.escape(large)}</b>{lines}</div>'


def _counts(view: CertificateView) -> str:
    inner = "".join(f"<td><b>{number}</b>{html.escape(name)}</td>" for name, number in counted(view))
    rule = f"<p>{both('certificate.rule')}</p>"
    return f'<h2>{both("certificate.counts")}</h2><table class="counts"><tr>{inner}</tr></table>{rule}'


def _table(view: CertificateView) -> str:
    heads = "".join(
        f"<th scope='col'>{word(f'certificate.{key}', 'zh')}<small>{word(f'certificate.{key}', 'en')}</small></th>"
        for key, _ in COLUMNS
    )
    rows = "".join(
        "<tr>" + "".join(f"<td>{html.escape(text)}</td>" for text in cells(row)) + "</tr>" for row in view.rows
    )
    title = f"<h2 class='rows-title'>{both('certificate.rows')}（{len(view.rows):,}）</h2>"
    return f'{title}<table class="rows"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table>'


def _end(view: CertificateView) -> str:
    lines = "".join(
        f"<div>{both(f'certificate.signed.{key}')}<i></i>{both('certificate.date')}<i></i></div>" for key in SIGNED
    )
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in view.notes)
    made = both("certificate.made", time=payload.time_text(view.made))
    small = f"<h2>{both('certificate.parameters')}</h2>{_facts(small_print(view))}"
    return f'{small}{notes}<section class="signed">{lines}</section><footer>{made} · Gridbeat</footer>'
