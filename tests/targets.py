"""A real HTTP server on 127.0.0.1 that plays a webhook's target: it notes what comes in and answers as it is told."""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Received:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def delivery(self) -> str:
        return self.headers["gridbeat-delivery"]

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.body)
        return found

    def is_signed_with(self, secret: str) -> bool:
        """As docs/api.md tells receivers to check it."""
        told = dict(part.split("=", 1) for part in self.headers["gridbeat-signature"].split(","))
        expected = hmac.new(secret.encode(), told["t"].encode() + b"." + self.body, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected, told["v1"])


@dataclass
class Target:
    """What the server got, and how it answers: a status, or a function of the request that gives status and headers."""

    answer: Callable[[Received], tuple[int, dict[str, str]]] | int = 200
    got: list[Received] = field(default_factory=list)
    port: int = 0
    answering: int = 0
    most_at_once: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook"

    @property
    def allow(self) -> str:
        return f"127.0.0.1:{self.port}"

    def wait_for(self, number: int, seconds: float = 20.0) -> None:
        """Until so many requests came in."""
        end = time.monotonic() + seconds
        while len(self.got) < number:
            assert time.monotonic() < end, f"{len(self.got)} of {number} requests came in"
            time.sleep(0.01)


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        target: Target = self.server.target  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers["content-length"]))
        one = Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        with target.lock:
            target.got.append(one)
            target.answering += 1
            target.most_at_once = max(target.most_at_once, target.answering)
        status, headers = target.answer(one) if callable(target.answer) else (target.answer, {})
        with target.lock:
            target.answering -= 1
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_POST()

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Who asked may be gone before the answer: killed, or tired of waiting."""


@contextmanager
def serving(answer: Callable[[Received], tuple[int, dict[str, str]]] | int = 200) -> Iterator[Target]:
    """A target on a free port of 127.0.0.1 until the block ends."""
    target = Target(answer)
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.target = target  # type: ignore[attr-defined]
        target.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield target
        finally:
            server.shutdown()
            thread.join()
