"""Callers: so many keep-alive connections, each sends its next report as soon as the last one was answered.

The raw protocol without an HTTP library: a caller takes a few microseconds a request, for it shares the machine with the server.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: The first part of a run warms up both sides and is not counted.
WARM_UP = 0.25


@dataclass(frozen=True)
class Message:
    """A request as it goes over the wire, and the grid that the answer has to name."""

    sent: bytes
    grid: str | None


@dataclass
class Heard:
    """What came back: for every answer when it was asked and given (seconds), its message's number, its status line and body."""

    asked: list[float] = field(default_factory=list)
    given: list[float] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    lost: int = 0


@dataclass(frozen=True)
class Figures:
    """Requests a second and milliseconds of a run, without its warm-up; `wrong` counts answers that are none, or another's."""

    per_second: float
    p50_ms: float
    p99_ms: float
    requests: int
    answered: int
    wrong: int


def post(port: int, path: str, key: str, body: bytes) -> bytes:
    """A POST of JSON as it goes over the wire."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class _Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, messages: Sequence[Message], numbers: Iterator[int], heard: Heard, until: float) -> None:
        self._messages, self._numbers, self._heard, self._until = messages, numbers, heard, until
        self._buffer = b""
        self._number, self._begun = -1, 0.0
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        """The first message goes."""
        self._transport: asyncio.Transport = transport
        self._next()

    def _next(self) -> None:
        if time.perf_counter() >= self._until:
            self._number = -1
            self._transport.close()
            return
        self._number = next(self._numbers) % len(self._messages)
        self._begun = time.perf_counter()
        self._transport.write(self._messages[self._number].sent)

    def data_received(self, data: bytes) -> None:
        """A whole answer is noted, and the next message goes."""
        self._buffer += data
        if not whole(self._buffer):
            return
        self._heard.asked.append(self._begun)
        self._heard.given.append(time.perf_counter())
        self._heard.numbers.append(self._number)
        self._heard.answers.append(self._buffer)
        self._buffer = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """A message without an answer is counted."""
        self._heard.lost += self._number >= 0
        self.ended.set_result(None)


def whole(buffer: bytes) -> bool:
    """Whether an answer with a Content-Length has come to its end."""
    head, end, body = buffer.partition(b"\r\n\r\n")
    if not end:
        return False
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return len(body) >= int(length)


async def _call(port: int, messages: Sequence[Message], connections: int, seconds: float) -> tuple[Heard, float]:
    heard, begun = Heard(), time.perf_counter()
    numbers = itertools.count()
    loop = asyncio.get_running_loop()
    lines = []
    for _ in range(connections):
        _, line = await loop.create_connection(
            lambda: _Line(messages, numbers, heard, begun + seconds), "127.0.0.1", port
        )
        lines.append(line.ended)
    await asyncio.gather(*lines)
    return heard, begun


def call(port: int, messages: Sequence[Message], connections: int, seconds: float) -> Figures:
    """The figures of a run against a server on this machine; every answer was checked."""
    import uvloop

    heard, begun = uvloop.run(_call(port, messages, connections, seconds))
    return figures(heard, messages, begun + WARM_UP * seconds, begun + seconds)


def figures(heard: Heard, messages: Sequence[Message], since: float, until: float) -> Figures:
    """What was asked and answered between two instants, and how many of all answers are wrong."""
    wrong = sum(
        not is_right(answer, messages[number].grid) for answer, number in zip(heard.answers, heard.numbers, strict=True)
    )
    asked, given = np.array(heard.asked), np.array(heard.given)
    counted = (given >= since) & (given <= until)
    ms = 1e3 * (given - asked)[counted]
    p50, p99 = np.percentile(ms, [50, 99]).tolist() if len(ms) else (float("nan"), float("nan"))
    return Figures(len(ms) / (until - since), p50, p99, len(ms), len(given), wrong + heard.lost)


def is_right(answer: bytes, grid: str | None) -> bool:
    """Whether it is a 201 that names this grid."""
    import orjson

    head, _, body = answer.partition(b"\r\n\r\n")
    return head.split(b" ", 2)[1] == b"201" and orjson.loads(body)["grid"] == grid
