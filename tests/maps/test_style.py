"""The colours: told apart by colour-blind eyes, text readable, and no colour anywhere else."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from maps import style

# Machado, Oliveira, Fernandes (2009), "A Physiologically-based Model for Simulation of Color Vision Deficiency",
# IEEE TVCG 15(6), table 1, severity 1.0; on linear RGB.
SEEN_BY = {
    "normal": np.eye(3),
    "protanope": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranope": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
MAPS = Path(style.__file__).parent


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    xyz = TO_XYZ @ np.clip(rgb, 0, 1) / np.array([0.95047, 1.0, 1.08883])
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(a: str, b: str) -> float:
    """WCAG 2.2 contrast ratio."""
    bright, dark = sorted((float(TO_XYZ[1] @ linear(c)) for c in (a, b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_contrast_of_black_on_white_is_21() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21.0, abs=0.01)


@pytest.mark.parametrize("eye", SEEN_BY)
def test_fills_differ_to_every_eye(eye: str) -> None:
    seen = [lab(SEEN_BY[eye] @ linear(fill)) for fill in style.FILLS]
    assert min(float(np.linalg.norm(a - b)) for a, b in combinations(seen, 2)) >= 14.0


@pytest.mark.parametrize("eye", SEEN_BY)
def test_water_is_no_fill_to_any_eye(eye: str) -> None:
    water = lab(SEEN_BY[eye] @ linear(style.COLOURS["water"]))
    assert min(float(np.linalg.norm(water - lab(SEEN_BY[eye] @ linear(fill)))) for fill in style.FILLS) >= 14.0


@pytest.mark.parametrize(("text", "ground"), style.TEXT_PAIRS)
def test_text_is_readable(text: str, ground: str) -> None:
    assert contrast(style.colour(text), style.colour(ground)) >= 4.5


def test_every_colour_stands_in_style_alone() -> None:
    files = [*MAPS.glob("*.py"), *(MAPS / "web" / "pages").iterdir()]
    elsewhere = [
        p.name
        for p in files
        if p.name != "style.py" and re.search(r"#[0-9a-fA-F]{6}\b|#[0-9a-fA-F]{3}\b[;\"']", p.read_text())
    ]
    assert elsewhere == []


@pytest.mark.parametrize("sheet", sorted((MAPS / "web" / "pages").glob("*.css")), ids=lambda path: path.name)
def test_every_css_variable_is_set(sheet: Path) -> None:
    text = sheet.read_text()
    own = re.findall(r"(--[\w-]+):", " ".join(re.findall(r":root *{([^}]*)}", text)))
    assert set(re.findall(r"var\((--[\w-]+)\)", text)) <= {*re.findall(r"(--[\w-]+):", style.css_variables()), *own}
