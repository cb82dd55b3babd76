"""Pages that ask nobody: folium's links, embedded files, policy, JSON that no text can leave."""

from __future__ import annotations

import json
import re
from pathlib import Path

import folium
import pytest
from folium.plugins import MarkerCluster
from hypothesis import given
from hypothesis import strategies as st

from gis.errors import FileUnreadable, ParameterInvalid
from maps import base

WEB = Path(base.__file__).parent / "web"


def addresses(text: str) -> list[str]:
    return re.findall(r"https?://(?!www\.w3\.org/)[^\s\"'<>]*", text)


@pytest.mark.parametrize("assets", ["static", "inline"])
def test_folium_names_no_outside_address(assets: base.Assets) -> None:
    figure = base.folium_map(centre=(121.2, 32.05), zoom=12).get_root()
    assert len(addresses(figure.render())) >= 10  # as it comes
    head, body, code = base.folium_parts(figure, assets)
    assert addresses("\n".join([*head, body, code])) == []
    assert "center: [32.05, 121.2]" in code


def test_a_plugin_that_is_not_vendored_is_an_error() -> None:
    page = base.folium_map(centre=(121.2, 32.05), zoom=12)
    MarkerCluster().add_to(page)
    with pytest.raises(ParameterInvalid, match="not vendored"):
        base.folium_parts(page.get_root(), "static")


def test_outside_tiles_are_an_error() -> None:
    page = base.folium_map(centre=(121.2, 32.05), zoom=12)
    folium.TileLayer("https://tiles.example/{z}/{x}/{y}.png", attr="x").add_to(page)
    with pytest.raises(ParameterInvalid, match="outside address"):
        base.folium_parts(page.get_root(), "static")


def test_an_element_that_wants_jquery_is_an_error() -> None:
    page = base.folium_map(centre=(121.2, 32.05), zoom=12)
    folium.Marker([32.05, 121.2], popup="x").add_to(page)
    with pytest.raises(ParameterInvalid, match=r"jQuery|not vendored|outside"):
        base.folium_parts(page.get_root(), "static")


def test_only_the_allow_list_is_served() -> None:
    served = {
        p.relative_to(base.VENDOR).as_posix()
        for p in base.VENDOR.rglob("*")
        if p.is_file() and not p.name.startswith(".")
    }
    assert served == set(base.VENDOR_FILES)
    assert [prefix for prefix, _ in base.static_routes()] == ["/static/vendor", "/static/pages"]
    assert all(folder.is_dir() for _, folder in base.static_routes())


def test_a_missing_file_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "VENDOR", tmp_path)
    monkeypatch.setattr(base, "MODULES", tmp_path)
    with pytest.raises(FileUnreadable, match="sh scripts/web"):
        base.script("vendor/leaflet/leaflet.js", "static")
    with pytest.raises(FileUnreadable, match="sh scripts/web"):
        base.lay_out()


def test_an_address_changes_with_the_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "PAGES", tmp_path)
    (tmp_path / "a.js").write_text("1")
    first = base.asset_url("pages/a.js")
    (tmp_path / "a.js").write_text("22")
    assert base.asset_url("pages/a.js") != first


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert not [name for name, package in lock["packages"].items() if "resolved" in package]
    assert all(package.get("integrity") for name, package in lock["packages"].items() if name)
    assert addresses((WEB / "package-lock.json").read_text()) == []


@given(st.text())
def test_no_text_leaves_its_json_element(text: str) -> None:
    element = base.embed_json({"text": text}, "d")
    inner = element.removeprefix('<script type="application/json" id="d">').removesuffix("</script>")
    assert not set("<>&\u2028\u2029") & set(inner)
    assert json.loads(inner) == {"text": text}


def test_the_policy_lets_no_page_ask_another_host() -> None:
    inline, linked = base.content_policy("inline"), base.content_policy("static")
    assert "default-src 'none'" in inline
    assert "'self'" not in inline
    assert "connect-src 'none'" in linked
    tiles = base.Basemap("https://{s}.tiles.example/{z}/{x}/{y}.png", "示例", "GS(2026)0001")
    assert "img-src 'self' data: https://*.tiles.example" in base.content_policy("static", tiles)


@pytest.mark.parametrize(
    "url",
    ["javascript:alert(1)", "https://a b/{z}", 'https://x/"><script>', "ftp://x/{z}", "https://x/{z};script-src *"],
)
def test_a_basemap_url_cannot_carry_more_than_an_address(url: str) -> None:
    with pytest.raises(ParameterInvalid):
        base.Basemap(url, "示例", "GS(2026)0001")
