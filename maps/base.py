"""Pages that ask the network for nothing: folium's links become our own files, linked or embedded.

Assets come in two modes. "static" links to `/static/...`, which the server mounts from `static_routes()`; "inline" embeds
scripts, styles and their images, for a page that is opened from disk. A link that is neither known nor dropped on
purpose is an error, so a new folium or a new plugin cannot bring an outside address in unseen.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

from gis.errors import FileUnreadable, ParameterInvalid
from maps import style

Assets = Literal["static", "inline"]

WEB: Final = Path(__file__).parent / "web"
MODULES: Final = WEB / "node_modules"
VENDOR: Final = WEB / "dist" / "vendor"
PAGES: Final = WEB / "pages"

#: The allow-list: what is served under /static/vendor -> where npm lays it. Nothing else of node_modules is reachable.
VENDOR_FILES: Final = {
    "leaflet/leaflet.js": "leaflet/dist/leaflet.js",
    "leaflet/leaflet.css": "leaflet/dist/leaflet.css",
    "leaflet/images/layers.png": "leaflet/dist/images/layers.png",
    "leaflet/images/layers-2x.png": "leaflet/dist/images/layers-2x.png",
    "leaflet/images/marker-icon.png": "leaflet/dist/images/marker-icon.png",
    "leaflet/images/marker-icon-2x.png": "leaflet/dist/images/marker-icon-2x.png",
    "leaflet/images/marker-shadow.png": "leaflet/dist/images/marker-shadow.png",
    "leaflet/LICENSE": "leaflet/LICENSE",
    "swagger-ui/swagger-ui-bundle.js": "swagger-ui-dist/swagger-ui-bundle.js",
    "swagger-ui/swagger-ui.css": "swagger-ui-dist/swagger-ui.css",
    "swagger-ui/LICENSE": "swagger-ui-dist/LICENSE",
    "swagger-ui/NOTICE": "swagger-ui-dist/NOTICE",
}

#: folium's links by the name folium gives them: our own file, or None where our pages do without.
FOLIUM_LINKS: Final[dict[str, str | None]] = {
    "leaflet": "vendor/leaflet/leaflet.js",
    "leaflet_css": "vendor/leaflet/leaflet.css",
    "jquery": None,
    "bootstrap": None,
    "bootstrap_css": None,
    "glyphicons_css": None,
    "awesome_markers": None,
    "awesome_markers_css": None,
    "awesome_markers_font_css": None,
    "awesome_rotate_css": None,
}


@dataclass(frozen=True)
class Basemap:
    """A tile source that a deployment has the right to show: a published map needs its approval number (审图号).

    `crs` is the datum that the tiles are drawn in, "wgs84", "cgcs2000" or "gcj02": what lies on them is shifted to it for
    display. `url` has Leaflet's {z}, {x}, {y}; its origin is the only one that the page may then ask.
    """

    url: str
    attribution: str
    approval: str
    crs: str = "wgs84"
    max_zoom: int = 18

    def __post_init__(self) -> None:
        if self.crs not in {"wgs84", "cgcs2000", "gcj02"}:
            raise ParameterInvalid(f"basemap crs {self.crs!r}: wgs84, cgcs2000 or gcj02", place="basemap.crs")
        if not self.approval.strip():
            raise ParameterInvalid("a basemap needs its approval number (审图号)", place="basemap.approval")
        if not re.fullmatch(r"(https?://[^/\s\"'<>;,]+)?/[^\s\"'<>;,]+", self.url):
            raise ParameterInvalid("a basemap url starts with http(s):// or /", place="basemap.url")

    @property
    def origin(self) -> str:
        """Scheme and host of the tiles; "'self'" for tiles of our own server. A {s} becomes the wildcard of a CSP."""
        found = re.match(r"https?://[^/]+", self.url)
        return found.group().replace("{s}", "*") if found else "'self'"


def static_routes() -> list[tuple[str, Path]]:
    """(URL prefix, folder) of everything a page may link to; the server mounts each as it is."""
    return [("/static/vendor", VENDOR), ("/static/pages", PAGES)]


def lay_out() -> list[Path]:
    """The allow-listed files of node_modules stand under `dist/vendor`, and nothing else does.

    Raises FileUnreadable when a package is missing: run `sh scripts/web`.
    """
    missing = [source for source in VENDOR_FILES.values() if not (MODULES / source).is_file()]
    if missing:
        raise FileUnreadable(f"{missing[0]} is not installed: run `sh scripts/web`", place=missing[0])
    shutil.rmtree(VENDOR, ignore_errors=True)
    laid = [VENDOR / target for target in VENDOR_FILES]
    for path, source in zip(laid, VENDOR_FILES.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(MODULES / source, path)
    return laid


def asset_path(name: str) -> Path:
    """The file of `vendor/...` or `pages/...`. Raises FileUnreadable when it is not there."""
    room, _, rest = name.partition("/")
    path = {"vendor": VENDOR, "pages": PAGES}[room] / rest
    if not path.is_file():
        raise FileUnreadable(f"the browser file {name} is missing: run `sh scripts/web`", place=name)
    return path


def asset_url(name: str) -> str:
    """The address of an asset on our own server; it changes with the content, so it may be cached for long."""
    path = asset_path(name)
    return f"/static/{name}?v={_digest(path, path.stat().st_mtime_ns)}"


@lru_cache(maxsize=64)
def _digest(path: Path, _changed: int) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:10]


def script(name: str, assets: Assets) -> str:
    """A `<script>` element with the asset, linked or embedded."""
    if assets == "static":
        return f'<script src="{asset_url(name)}"></script>'
    return f"<script>{_embeddable(asset_path(name).read_text('utf-8'))}</script>"


def stylesheet(name: str, assets: Assets) -> str:
    """A `<link>` or `<style>` element with the asset; embedded, its images become data addresses."""
    if assets == "static":
        return f'<link rel="stylesheet" href="{asset_url(name)}">'
    path = asset_path(name)
    text = re.sub(
        r"url\((images/[\w.-]+)\)", lambda m: f"url({_data_url(path.parent / m[1])})", path.read_text("utf-8")
    )
    return f"<style>{_embeddable(text)}</style>"


def _embeddable(text: str) -> str:
    # An embedded copy names no address: source maps are not there, and the home page of a library is no request of ours.
    text = re.sub(r"(?m)^/[/*][#@] sourceMappingURL=.*$", "", text)
    text = re.sub(r"https?://(?!www\.w3\.org/)", "", text)
    return text.replace("</script", "<\\/script").replace("<!--", "<\\!--")


def _data_url(path: Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def embed_json(value: Any, element: str) -> str:
    """A `<script type="application/json">` element that holds `value`; no text in it can close it or open another.

    numpy arrays are written as lists. The page reads it with JSON.parse: nothing of it is ever run.
    """
    import orjson

    text = orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return f'<script type="application/json" id="{html.escape(element)}">{text}</script>'


def content_policy(assets: Assets, basemap: Basemap | None = None, connect: str = "'none'") -> str:
    """A Content-Security-Policy element: the page cannot ask any other host, whatever runs in it."""
    own = "'self'" if assets == "static" else ""
    images = " ".join(x for x in (own, "data:", basemap.origin if basemap else "") if x)
    rules = (
        "default-src 'none'",
        f"script-src {own} 'unsafe-inline'",
        f"style-src {own} 'unsafe-inline'",
        f"img-src {images}",
        f"connect-src {connect}",
        "base-uri 'none'",
        "form-action 'none'",
    )
    content = "; ".join(re.sub(" +", " ", rule) for rule in rules)
    return f'<meta http-equiv="Content-Security-Policy" content="{content}">'


def document(
    *,
    title: str,
    lang: str,
    head: Sequence[str],
    body: Sequence[str],
    assets: Assets,
    basemap: Basemap | None = None,
    connect: str = "'none'",
) -> str:
    """A whole HTML page in our frame: language, policy, colours; `title` is escaped, `head` and `body` are HTML already.

    `connect` is what scripts may ask (a source list of a Content-Security-Policy).
    """
    lines = (
        "<!DOCTYPE html>",
        f'<html lang="{"zh-CN" if lang == "zh" else "en"}">',
        "<head>",
        '<meta charset="utf-8">',
        content_policy(assets, basemap, connect),
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        '<link rel="icon" href="data:,">',
        f"<title>{html.escape(title)}</title>",
        f"<style>{style.css_variables()}</style>",
        *head,
        "</head>",
        "<body>",
        *body,
        "</body>",
        "</html>",
        "",
    )
    return "\n".join(lines)


def folium_parts(figure: Any, assets: Assets) -> tuple[list[str], str, str]:
    """(head elements, body, script) of a folium figure, every link replaced by our own file.

    `figure` is what `folium.Map.get_root()` gives. Raises ParameterInvalid for a link that is not vendored.
    """
    figure.render()  # the first render is what makes children fill the header
    head: list[str] = []
    for name, element in figure.header._children.items():
        url = getattr(element, "url", None)
        if url is None:
            head.append("" if name in {"meta_http"} else element.render())
        else:
            head.append(_local(name, str(url), assets))
    body = "".join(child.render() for child in figure.html._children.values())
    code = "".join(child.render() for child in figure.script._children.values())
    kept = [part for part in head if part.strip() and "viewport" not in part]
    _refuse_outside("\n".join([*([] if assets == "inline" else kept), body, code]))
    return kept, body, code


def _local(name: str, url: str, assets: Assets) -> str:
    if name not in FOLIUM_LINKS:
        raise ParameterInvalid(
            f"folium wants {name} from {url}: not vendored, so the page would need the network", place=name
        )
    own = FOLIUM_LINKS[name]
    if own is None:
        return ""
    return script(own, assets) if own.endswith(".js") else stylesheet(own, assets)


def _refuse_outside(text: str) -> None:
    outside = re.search(r"https?://(?!www\.w3\.org/)[^\s\"'<>]*", text)
    if outside:
        raise ParameterInvalid(f"a folium element names an outside address: {outside.group()}", place=outside.group())
    if re.search(r"(?<![\w$])(\$|jQuery)\(", text):
        raise ParameterInvalid("a folium element wants jQuery, which our pages do without", place="jquery")


#: Half a metre a centimetre of screen: closer there is nothing to see, and one turn of the wheel is not lost in a doorway.
MAX_ZOOM: Final = 20


def folium_map(*, centre: tuple[float, float], zoom: int) -> Any:
    """A folium.Map of our kind: canvas renderer, no tiles, a fixed name (`map_gridbeat`), so equal input gives equal HTML.

    `centre` is (lon, lat); folium's swap happens here.
    """
    import folium

    lon, lat = centre
    page = folium.Map(
        location=[lat, lon],
        max_zoom=MAX_ZOOM,
        zoom_start=zoom,
        tiles=None,
        prefer_canvas=True,
        zoom_control=False,
        attribution_control=False,
    )
    page._id = "gridbeat"
    page.get_root()._id = "gridbeat"
    return page


def start_call(function: str, *arguments: Any) -> str:
    """A JavaScript call of one of our own functions with the folium map first; the other arguments are JSON."""
    texts = ", ".join(["map_gridbeat", *(json.dumps(argument) for argument in arguments)])
    return f"{function}({texts});"
