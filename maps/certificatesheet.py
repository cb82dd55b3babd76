"""The certificate as a PDF: a summary on A4 with lines to sign, then as many pages of grids as there are; drawn by matplotlib."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from maps import payload
from maps.certificate import COLUMNS, SIGNED, CertificateView, cells, counted, facts, headline, small_print
from maps.glyphs import Glyphs
from maps.picture import font_family
from maps.plantable import fitting
from maps.style import COLOURS
from maps.words import both, word

WIDTH_MM: Final = 210.0
HEIGHT_MM: Final = 297.0
MARGIN: Final = 18.0
#: Rows of a page of grids.
A_PAGE: Final = 46
ROW_MM: Final = 5.3
_INCH: Final = 25.4
_POINT_MM: Final = _INCH / 72
#: A PDF without the hour of its making: equal views give equal bytes.
_METADATA: Final = {"Creator": "Gridbeat", "Producer": "Gridbeat", "CreationDate": None}
#: Left edges of the text columns and right edges of the figures (mm), in the order of COLUMNS.
_EDGES: Final = (0.0, 36.0, 93.0, 107.0, 119.0, 134.0, 153.0, 174.0)


@dataclass
class Page:
    """One page being drawn; the unit of its axes is the millimetre, from the lower left of what is printed on."""

    figure: Any
    axes: Any

    def text(self, x: float, y: float, text: str, size: float = 10.0, **how: Any) -> None:
        """A text in points; a dollar sign is a dollar sign."""
        how = {"color": COLOURS["ink"], "family": font_family(), "va": "center"} | how
        self.axes.text(x, y, text, fontsize=size, parse_math=False, **how)

    def line(
        self, y: float, begin: float = 0.0, end: float = WIDTH_MM - 2 * MARGIN, width: float = 0.6, **how: Any
    ) -> None:
        """A line at one height."""
        self.axes.plot([begin, end], [y, y], linewidth=width, **({"color": COLOURS["ink"]} | how))


#: What is printed on, in millimetres.
INNER_WIDTH: Final = WIDTH_MM - 2 * MARGIN
INNER_HEIGHT: Final = HEIGHT_MM - 2 * MARGIN


def draw_pdf(view: CertificateView) -> bytes:
    """All pages as a PDF; equal views give equal bytes."""
    import matplotlib as mpl
    from matplotlib.backends.backend_pdf import PdfPages

    out = io.BytesIO()
    # Glyphs as outlines: the CJK fonts are collections, which cannot be embedded as TrueType.
    with mpl.rc_context({"pdf.fonttype": 3, "pdf.compression": 6}), PdfPages(out, metadata=dict(_METADATA)) as pages:
        for page in _pages(view):
            pages.savefig(page.figure)
    return out.getvalue()


def table_pages(rows: int) -> list[tuple[int, int]]:
    """(begin, end) of the rows of each page of grids; none is left out."""
    return [(begin, min(begin + A_PAGE, rows)) for begin in range(0, rows, A_PAGE)]


def _pages(view: CertificateView) -> Iterator[Page]:
    rest = table_pages(len(view.rows))
    page = _page(view, 1, 1 + len(rest))
    _summary(page, view)
    yield page
    for number, (begin, end) in enumerate(rest, start=2):
        page = _page(view, number, 1 + len(rest))
        _table(page, view, begin, end)
        yield page


def _page(view: CertificateView, number: int, of: int) -> Page:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH_MM / _INCH, HEIGHT_MM / _INCH), facecolor=COLOURS["surface"])
    FigureCanvasAgg(figure)
    frame = (MARGIN / WIDTH_MM, MARGIN / HEIGHT_MM, INNER_WIDTH / WIDTH_MM, INNER_HEIGHT / HEIGHT_MM)
    axes = figure.add_axes(frame)
    axes.set(xlim=(0, INNER_WIDTH), ylim=(0, INNER_HEIGHT))
    axes.axis("off")
    page = Page(figure, axes)
    made = both("certificate.made", time=payload.time_text(view.made))
    page.text(0, -7, f"{made} · Gridbeat", 7.5, color=COLOURS["ink-quiet"])
    page.text(INNER_WIDTH, -7, both("certificate.page", n=number, of=of), 7.5, ha="right", color=COLOURS["ink-quiet"])
    return page


# -- the summary -------------------------------------------------------------------------------------------------------


def _summary(page: Page, view: CertificateView) -> None:
    page.text(0, 253, fitting(view.town, INNER_WIDTH / _POINT_MM, 26), 26, weight="bold")
    page.text(0, 241, both("title.certificate"), 15)
    page.line(235, width=1.6)
    y = 228.0
    for name, text in facts(view):
        page.text(0, y, name, 10, color=COLOURS["ink-quiet"])
        page.text(42, y, text, 10.5)
        y -= 6.6
    _figures(page, view)
    _counts(page, view)
    _small_print(page, view)
    _signatures(page)


def _figures(page: Page, view: CertificateView) -> None:
    """Three boxes; what is unknown is dashed and hatched, so that it is no part of the share beside it."""
    from matplotlib.patches import Rectangle

    width, height, low = 55.0, 40.0, 160.0
    for i, (key, large, below) in enumerate(headline(view)):
        left = i * (width + 4.5)
        look: dict[str, Any] = {"facecolor": "none", "edgecolor": COLOURS["ink"], "linewidth": 1.2, "clip_on": False}
        if key == "unknown":
            look |= {"linestyle": (0, (4, 2))}
            ground = Rectangle(
                (left, low),
                width,
                height,
                facecolor="none",
                edgecolor=COLOURS["surface-line"],
                hatch="///",
                linewidth=0,
            )
            ground.set_hatch_linewidth(0.5)
            page.axes.add_patch(ground)
        page.axes.add_patch(Rectangle((left, low), width, height, **look))
        box = {"facecolor": COLOURS["surface"], "edgecolor": "none", "pad": 1.5} if key == "unknown" else None
        room = (width - 7) / _POINT_MM
        page.text(left + 3.5, low + 35, word(f"certificate.{key}", "zh"), 10, weight="bold", bbox=box)
        page.text(left + 3.5, low + 30.5, word(f"certificate.{key}", "en"), 7, color=COLOURS["ink-quiet"], bbox=box)
        size = 17 if key == "oldest" else 27
        page.text(left + 3.5, low + 22, fitting(large, room, size), size, weight="bold", bbox=box)
        lines = below.split("\n")
        for step, line in enumerate(lines):
            page.text(left + 3.5, low + 4.3 * (len(lines) - step), fitting(line, room, 8.5), 8.5, bbox=box)


def _counts(page: Page, view: CertificateView) -> None:
    page.text(0, 150, both("certificate.counts"), 10.5, weight="bold")
    step = INNER_WIDTH / 4
    for i, (name, number) in enumerate(counted(view)):
        page.text(i * step, 141, number, 18, weight="bold")
        page.text(i * step, 134, name, 9)
    page.text(0, 127, word("certificate.rule", "zh"), 8.5, color=COLOURS["ink-quiet"])
    page.text(0, 122.5, word("certificate.rule", "en"), 8, color=COLOURS["ink-quiet"])
    page.line(117, color=COLOURS["surface-line"])


def _small_print(page: Page, view: CertificateView) -> None:
    """Every parameter, in rows as high as the room above the signatures allows."""
    page.text(0, 111, both("certificate.parameters"), 10.5, weight="bold")
    rows = [*small_print(view), *(("", note) for note in view.notes)]
    step = min(5.6, 50 / max(len(rows), 1))
    size = min(8.5, step / _POINT_MM * 0.7)
    for i, (name, text) in enumerate(rows):
        y = 104 - step * i
        page.text(0, y, name, size, color=COLOURS["ink-quiet"])
        page.text(82 if name else 0, y, text, size)


def _signatures(page: Page) -> None:
    for i, key in enumerate(SIGNED):
        y = 34 - 14 * i
        page.text(0, y, word(f"certificate.signed.{key}", "zh"), 11)
        page.text(0, y - 4.4, word(f"certificate.signed.{key}", "en"), 7.5, color=COLOURS["ink-quiet"])
        page.line(y - 5, 24, 106)
        page.text(112, y - 2, both("certificate.date"), 8.5)
        page.line(y - 5, 130, INNER_WIDTH)


# -- the grids ---------------------------------------------------------------------------------------------------------


def _table(page: Page, view: CertificateView, begin: int, end: int) -> None:
    page.text(0, 258, f"{both('certificate.rows')}（{begin + 1:,}–{end:,} / {len(view.rows):,}）", 10.5, weight="bold")
    for (key, is_number), x in zip(COLUMNS, _EDGES, strict=True):
        side = "right" if is_number else "left"
        page.text(x, 251.5, word(f"certificate.{key}", "zh"), 8.5, weight="bold", ha=side)
        page.text(x, 247.8, word(f"certificate.{key}", "en"), 6.5, color=COLOURS["ink-quiet"], ha=side)
    page.line(245.4, width=0.9)
    written = Glyphs(8.0, COLOURS["ink"])
    for i, row in enumerate(view.rows[begin:end]):
        y = 245.0 - ROW_MM * (i + 0.5)
        if i % 2:
            page.axes.axhspan(y - ROW_MM / 2, y + ROW_MM / 2, color=COLOURS["surface-quiet"], linewidth=0)
        for text, (key, is_number), x in zip(cells(row), COLUMNS, _EDGES, strict=True):
            room = {"code": 35.0, "name": 44.0}.get(key, 21.0) / _POINT_MM
            written.add(x, y, fitting(text, room, 8), right=is_number)
    written.draw(page.axes)
