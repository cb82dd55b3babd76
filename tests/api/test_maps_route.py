"""`/maps/grids` through HTTP: a page and a picture, nothing from elsewhere, also over an empty store."""

from __future__ import annotations

import io
import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.api.test_events import refused
from tests.asking import BEGUN, LAT, LON, Asking


def size_of(png: bytes) -> tuple[int, int]:
    from matplotlib.image import imread

    height, width = imread(io.BytesIO(png)).shape[:2]
    return width, height


def test_the_page_names_the_grids_and_asks_no_other_host(asking: Asking) -> None:
    asking.report(text="路灯不亮")
    answer = asking.http.get("/maps/grids")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "南桥" in answer.text
    assert "乙三" in answer.text
    links = set(re.findall(r"""(?:src|href)=["']([^"']+)""", answer.text))
    assert links
    assert all(link.startswith(("/", "#", "data:", ".")) and not link.startswith("//") for link in links)


def test_every_file_that_the_page_loads_is_there(asking: Asking) -> None:
    page = asking.http.get("/maps/grids").text
    files = {link for link in re.findall(r"""(?:src|href)=["']([^"'#]+)""", page) if link.startswith("/")}
    assert files
    assert {link: asking.http.get(link).status_code for link in files} == dict.fromkeys(files, 200)


def test_the_page_of_the_past_shows_the_past(asking: Asking) -> None:
    page = asking.http.get("/maps/grids", params={"at": BEGUN.isoformat()}).text
    assert "乙一" in page
    assert "南桥" not in page


def test_the_picture_has_the_size_that_was_asked_for(asking: Asking) -> None:
    answer = asking.http.get("/maps/grids", params={"f": "png", "width": 640, "height": 480})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    assert size_of(answer.content) == (640, 480)


def test_pictures_drawn_at_once_are_the_same_pictures(asking: Asking) -> None:
    def draw(_: int) -> bytes:
        answer = asking.http.get("/maps/grids", params={"f": "png", "width": 640, "height": 480, "channel": "nobody"})
        assert answer.status_code == 200
        return size_of(answer.content).__repr__().encode()

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(draw, range(6)))) == 1


@pytest.mark.parametrize("f", ["html", "png"])
def test_an_empty_store_has_an_empty_map(bare: Asking, f: str) -> None:
    answer = bare.http.get("/maps/grids", params={"f": f, "width": 640, "height": 480})
    assert answer.status_code == 200
    assert len(answer.content) > 1_000


@pytest.mark.parametrize("f", ["html", "png"])
def test_reports_without_a_place_or_grid_do_not_break_the_map(alone: Asking, f: str) -> None:
    alone.report(lon=..., lat=..., address="花园路1号")
    alone.report(lon=LON + 0.3, lat=LAT + 0.3)
    alone.report(text="</script><script>alert(1)</script>")
    answer = alone.http.get("/maps/grids", params={"f": f, "width": 640, "height": 480})
    assert answer.status_code == 200
    if f == "html":
        assert "<script>alert(1)" not in answer.text


@pytest.mark.parametrize(
    ("parameters", "place"),
    [({"f": "pdf"}, "f"), ({"width": 8}, "width"), ({"width": 8_001}, "width"), ({"lang": "fr"}, "lang"), ({"zoom": 3}, "zoom"),
     ({"datetime": "now"}, "datetime"), ({"bbox": "1"}, "bbox"), ({"f": "png", "width": 8_000, "height": 8_000}, "width")],
)  # fmt: skip
def test_a_parameter_that_makes_no_map_is_refused_by_name(
    asking: Asking, parameters: dict[str, object], place: str
) -> None:
    answer = asking.http.get("/maps/grids", params=parameters)
    assert 400 <= answer.status_code < 500
    assert answer.json()["place"] == place


def test_one_layer_can_be_shown_alone(asking: Asking) -> None:
    page = asking.http.get("/maps/grids", params={"layer": "dedicated", "lang": "en"})
    assert page.status_code == 200
    assert "市场" in page.text
    refused(asking.http.get("/maps/grids", params={"layer": "x\0"}), 400, "parameter-invalid")
    for nobody in ("foo", "frontage", ""):
        refused(asking.http.get("/maps/grids", params={"layer": nobody}), 400, "parameter-invalid")
