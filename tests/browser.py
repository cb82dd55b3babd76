"""Chromium for tests: opens pages, and keeps every request, console error and uncaught fault for the test to look at."""

from __future__ import annotations

import functools
import http.server
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Seen:
    """What a page did: every address it asked, every console error, every uncaught fault."""

    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def outside(self, own: str = "http://127.0.0.1:") -> list[str]:
        """The requests that left this machine's own server, the file itself and data addresses."""
        return [url for url in self.requests if not url.startswith((own, "file:", "data:", "blob:", "about:"))]


@contextmanager
def browser() -> Iterator[Any]:
    """A headless Chromium of the distribution; a missing one is an error, never a skipped test."""
    if not Path(CHROMIUM).exists():
        raise FileNotFoundError(f"{CHROMIUM} is missing: apt-get install chromium fonts-noto-cjk")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def page(chromium: Any, width: int = 1366, height: int = 768) -> Iterator[tuple[Page, Seen]]:
    """A fresh page of that size with its `Seen`."""
    context = chromium.new_context(viewport={"width": width, "height": height}, locale="zh-CN")
    opened = context.new_page()
    seen = Seen()
    opened.on("request", lambda request: seen.requests.append(request.url))
    opened.on("console", lambda message: seen.errors.append(message.text) if message.type == "error" else None)
    opened.on("pageerror", lambda fault: seen.errors.append(str(fault)))
    try:
        yield opened, seen
    finally:
        context.close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    routes: tuple[tuple[str, Path], ...] = ()

    def translate_path(self, path: str) -> str:
        bare = path.partition("?")[0]
        for prefix, folder in self.routes:
            if bare.startswith(prefix + "/"):
                return str(folder / bare.removeprefix(prefix + "/"))
        return super().translate_path(path)

    def log_message(self, *_: object) -> None:
        """Nothing is written to the terminal."""


@contextmanager
def server(folder: Path, routes: tuple[tuple[str, Path], ...] = ()) -> Iterator[str]:
    """The address of a small file server on a free port of 127.0.0.1; `routes` map prefixes to other folders."""
    handler = type("Handler", (_Quiet,), {"routes": routes})
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(folder)))
    thread = threading.Thread(target=served.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{served.server_address[1]}"
    finally:
        served.shutdown()
        served.server_close()
        thread.join()
