"""The only colours of every map, and the font stack: the browser reads them as CSS variables, the picture as hex strings.

`FILLS` was searched for: lightness 79-95, chroma <= 21 in CIE Lab, the six that keep the largest distance from each other
to normal, deuteranope and protanope eyes (Machado, Oliveira, Fernandes 2009, severity 1.0). `tests/maps/test_style.py`
holds that distance and the contrast of every text.
"""

from __future__ import annotations

from typing import Final

#: What neighbouring grids are filled with: six muted tones, told apart without red and green.
FILLS: Final = ("#faedc6", "#a8c7e8", "#eff2e7", "#d1c2a8", "#cdedfd", "#cbc1c6")

#: Everything else, by what it draws. `recency-...`: blue while within the cycle, orange to brown once overdue, and darker with every
#: class, so that black and white keep the order; what is no age differs by its pattern (`...-mark`) besides.
COLOURS: Final = {
    "paper": "#f5f5f1",
    "graticule": "#dcdcd4",
    "surface": "#ffffff",
    "surface-quiet": "#f0f2f4",
    "surface-line": "#c5ccd3",
    "ink": "#1b2733",
    "ink-quiet": "#4a5866",
    "halo": "#ffffff",
    "focus": "#0b57d0",
    "focus-soft": "#dbe7fb",
    "grid-border": "#5f6f7c",
    "grid-chosen": "#0b57d0",
    "community": "#25323e",
    "community-casing": "#ffffff",
    "dedicated": "#6b2f8a",
    "frontage": "#0f6657",
    "badge": "#1f3f66",
    "badge-text": "#ffffff",
    "badge-zero": "#ffffff",
    "report": "#1f3f66",
    "report-edge": "#ffffff",
    "report-line": "#ffffff",
    "unassigned": "#b3261e",
    "unassigned-text": "#ffffff",
    "street": "#ffffff",
    "street-casing": "#8b9197",
    "water": "#6d97cf",
    "water-line": "#3d68a3",
    "building": "#a9a296",
    "field": "#dfe8c8",
    "plan-piece": "#f3b562",
    "plan-line": "#8a4b00",
    "plan-before": "#4a5866",
    "plan-after": "#d7191c",
    "plan-touched": "#e4e7f5",
    "plan-quiet": "#f7f7f4",
    "recency-fresh": "#cbe5fb",
    "recency-half": "#98c7f2",
    "recency-cycle": "#5c9dda",
    "recency-late": "#d67b12",
    "recency-late-mark": "#7d2f06",
    "recency-old": "#7d2f06",
    "recency-never": "#2b0a45",
    "recency-never-mark": "#ffffff",
    "recency-unknown": "#cccac3",
    "recency-unknown-mark": "#5d5b55",
    "recency-none": "#f5f5f1",
    "track": "#a3005a",
    "track-dot": "#d6006c",
    "track-lost": "#ffffff",
    "warning": "#8a4b00",
    "warning-soft": "#fdf1de",
    "error": "#a11212",
    "error-soft": "#fde8e6",
}

#: Text on its background, each pair with a contrast of at least 4.5 (WCAG 2.2, 1.4.3).
TEXT_PAIRS: Final = (
    *(("ink", fill) for fill in FILLS),
    ("ink", "paper"),
    ("ink", "surface"),
    ("ink", "surface-quiet"),
    ("ink", "focus-soft"),
    ("ink-quiet", "surface"),
    ("ink-quiet", "surface-quiet"),
    ("badge-text", "badge"),
    ("unassigned-text", "unassigned"),
    ("unassigned", "surface"),
    ("dedicated", "surface"),
    ("warning", "warning-soft"),
    ("error", "error-soft"),
    ("focus", "surface"),
    ("ink", "plan-piece"),
    ("ink", "plan-touched"),
    ("plan-line", "surface"),
    *(("ink", f"recency-{key}") for key in ("fresh", "half", "cycle", "late", "unknown", "none")),
    *(("surface", f"recency-{key}") for key in ("old", "never")),
    ("recency-old", "surface"),
    ("recency-never", "surface"),
    ("recency-unknown-mark", "surface"),
)

#: Chinese first, from what Windows, macOS, Android and Linux desktops carry; nothing is fetched.
FONTS: Final = (
    "PingFang SC",
    "Microsoft YaHei",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "system-ui",
    "sans-serif",
)


def css_variables() -> str:
    """A CSS rule that sets every colour and the font stack on `:root`, to stand before any other rule."""
    colours = [f"--{name}:{value}" for name, value in COLOURS.items()]
    fills = [f"--fill-{i}:{value}" for i, value in enumerate(FILLS)]
    fonts = ",".join(f if f in {"system-ui", "sans-serif"} else f'"{f}"' for f in FONTS)
    return ":root{" + ";".join([*colours, *fills, f"--font:{fonts}"]) + "}"


def colour(name: str) -> str:
    """The hex string of a named colour, or `name` itself when it is a hex string already."""
    return name if name.startswith("#") else COLOURS[name]
