"""Arrivals: requests sent when they are due, whether or not the earlier ones were answered; one process, keep-alive connections.

    python -m tests.acceptance.arrivals URL KEY RATE < bodies.ndjson        prints one JSON line of figures

Latency runs from the instant a request was due, not from when it could be sent: a server that falls behind cannot hide it.
The gaps between arrivals are exponential, as calls from a whole town are: at 200/s, six within 10 ms are ordinary.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import uvloop

#: Connections are opened as needed up to here; then requests wait, and their latency with them.
MOST = 256
#: A connection that was not used for so long is not used again.
IDLE_S = 3.0
#: The first seconds warm up both sides and are not counted.
WARM_UP_S = 3.0


@dataclass
class Tally:
    """What came back: seconds from due to answered, and how often each status."""

    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    connections: int = 0
    last: float = 0.0


class Wire:
    """Free connections to one address."""

    def __init__(self, host: str, port: int) -> None:
        self.host, self.port = host, port
        self.free: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter, float]] = deque()
        self.gate = asyncio.Semaphore(MOST)
        self.opened = 0

    async def post(self, message: bytes) -> int:
        """The status of the answer, read to its end."""
        async with self.gate:
            reader, writer = await self._connection()
            writer.write(message)
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
            self.free.append((reader, writer, time.perf_counter()))
            return int(head[9:12])

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The connection used last; one that the server may be closing as idle is let go."""
        if self.free:
            reader, writer, used = self.free.pop()
            if time.perf_counter() - used < IDLE_S:
                return reader, writer
            self.free.clear()
        self.opened += 1
        return await asyncio.open_connection(self.host, self.port)


def message(host: str, port: int, key: str, body: bytes) -> bytes:
    """A report as it goes over the wire."""
    head = (
        f"POST /v1/events HTTP/1.1\r\nHost: {host}:{port}\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def send_all(host: str, port: int, key: str, bodies: list[bytes], rate: float) -> dict[str, Any]:
    """The figures of all bodies sent at `rate` a second."""
    wire, tally = Wire(host, port), Tally()
    gaps = np.random.default_rng(200).exponential(1.0 / rate, len(bodies))
    begun = time.perf_counter() + 0.1
    due = (begun + np.cumsum(gaps)).tolist()

    async def one(at: float, body: bytes) -> None:
        status = await wire.post(message(host, port, key, body))
        tally.last = time.perf_counter()
        if at - begun >= WARM_UP_S:
            tally.statuses[status] += 1
            tally.seconds.append(tally.last - at)

    async with asyncio.TaskGroup() as group:
        for at, body in zip(due, bodies, strict=True):
            if (wait := at - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            group.create_task(one(at, body))
    ms = np.array(tally.seconds) * 1000.0
    p50, p99 = np.percentile(ms, [50, 99]).tolist()
    span = tally.last - begun - WARM_UP_S
    return {
        "p50_ms": p50, "p99_ms": p99, "max_ms": float(ms.max()), "requests": len(ms), "per_second": len(ms) / span,
        "seconds": span, "connections": wire.opened, "statuses": dict(tally.statuses),
    }  # fmt: skip


def main(url: str, key: str, rate: str) -> None:
    """Read the bodies, send them, print the figures."""
    host, _, port = url.removeprefix("http://").partition(":")
    bodies = [line.rstrip(b"\n") for line in sys.stdin.buffer]
    print(json.dumps(uvloop.run(send_all(host, int(port), key, bodies, float(rate)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
