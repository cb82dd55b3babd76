"""The printed sheet: a PNG of the asked size, the same every time, with everything in the margin."""

from __future__ import annotations

import io
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import matplotlib.image
import numpy as np
import pytest

from gis.errors import FileUnreadable, ParameterInvalid
from maps import legend, picture, placing, style
from maps.grids import GridsView, render_png
from maps.payload import payload
from maps.placing import Taken, around
from tests.maps import drawn


def pixels(png: bytes) -> np.ndarray:
    return np.round(matplotlib.image.imread(io.BytesIO(png), format="png")[..., :3] * 255).astype(int)


def share(image: np.ndarray, colour: str) -> float:
    wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
    return float((np.abs(image - wanted).max(axis=2) <= 2).mean())


def test_a_picture_has_the_asked_size_and_shows_fills_alarm_and_dedicated() -> None:
    image = pixels(render_png(drawn.view(), 900, 636))
    assert image.shape == (636, 900, 3)
    assert share(image, style.COLOURS["unassigned"]) > 4e-5
    assert share(image, style.COLOURS["dedicated"]) > 1e-4
    fills = {feature["properties"]["fill"] for feature in payload(drawn.view())["grids"]["features"][:-1]}
    assert all(share(image, style.FILLS[fill]) > 0.02 for fill in fills)


def test_equal_views_give_equal_pictures_in_threads() -> None:
    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(lambda _: render_png(drawn.view(), 500, 354), range(3)))) == 1


def test_an_empty_town_and_dollar_signs_are_drawn() -> None:
    assert render_png(GridsView([], title="$x_1$"), 400, 320).startswith(b"\x89PNG")
    assert render_png(drawn.view(grids=drawn.grids("$a_{n}$ {village}"), title="50$ $"), 500, 354).startswith(
        b"\x89PNG"
    )


@pytest.mark.parametrize(("width", "height"), [(100, 800), (800, 90_000)])
def test_a_senseless_size_is_refused(width: int, height: int) -> None:
    with pytest.raises(ParameterInvalid):
        render_png(drawn.view(), width, height)


def test_without_a_chinese_font_the_apt_line_is_said() -> None:
    with pytest.raises(FileUnreadable, match="apt-get install fonts-noto-cjk"):
        picture.first_family({"DejaVu Sans"})


def test_mainland_forms_come_before_japanese_ones() -> None:
    assert picture.first_family({"Noto Sans CJK JP", "Noto Sans CJK SC"}) == "Noto Sans CJK SC"


@pytest.mark.parametrize(("widest", "metres"), [(1, 1), (19, 10), (20, 20), (499, 200), (1000, 1000), (7200, 5000)])
def test_a_scale_bar_is_a_round_length(widest: float, metres: int) -> None:
    assert legend.bar_metres(widest) == metres


def test_taken_places_stay_free_of_others() -> None:
    taken = Taken()
    first = taken.first_free([around(100, 100, 40, 20)])
    assert first == (80, 90, 120, 110)
    assert taken.first_free([around(119, 100, 40, 20)]) is None
    assert taken.first_free([around(119, 100, 40, 20), around(140, 100, 40, 20)]) == (120, 90, 160, 110)


@pytest.mark.parametrize("scale", [10.0, 3_000.0, 100_000.0])
def test_badges_add_up_at_every_scale(scale: float) -> None:
    data = payload(drawn.view())
    found = placing.badges(
        data["grids"]["features"], data["outlines"]["features"], pixels_a_degree=scale, smallest=15, square=70
    )
    assert sum(badge.n for badge in found) == data["totals"]["assigned"]


def test_badges_go_from_squares_over_villages_to_grids() -> None:
    data = payload(drawn.view())

    def at(scale: float) -> list[tuple[str, int]]:
        parts = data["grids"]["features"], data["outlines"]["features"]
        return [(b.name, b.n) for b in placing.badges(*parts, pixels_a_degree=scale, smallest=15, square=70)]

    assert at(10.0) == [("", 6)]
    assert at(3_200.0) == [("市场", 2), ("甲村", 3), ("乙村", 1)]
    assert at(100_000.0) == [("市场", 2), ("甲村第1网格", 3), ("乙村第3网格", 1)]


def test_importing_the_maps_loads_no_heavy_library() -> None:
    heavy = ("matplotlib", "folium", "geopandas", "shapely", "pandas")
    code = f"import maps.grids, api.commands.map, api.docs_page, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
