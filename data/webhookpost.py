"""One POST to a webhook's target: to a judged address, within a time, without following anybody anywhere."""

from __future__ import annotations

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, cast

from data.webhooktarget import Allowed, Resolve, Target, addresses, parse_target
from gis.errors import TargetRefused

CONNECT_S = 5.0
TOTAL_S = 10.0
#: More of an answer is not read.
LONGEST_ANSWER = 4_096


@dataclass(frozen=True)
class Answer:
    """What a target said: its status, if it came to that, and why it does not count as accepted."""

    status: int | None
    fault: str | None


class _Timed:
    """A connected socket as http.client needs it, of which every wait ends at one deadline."""

    def __init__(self, raw: socket.socket, deadline: float) -> None:
        self.raw, self.deadline = raw, deadline

    def _left(self) -> None:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.raw.settimeout(left)

    def sendall(self, content: bytes) -> None:
        self._left()
        self.raw.sendall(content)

    def makefile(self, _: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self))

    def close(self) -> None:
        """http.client closes before the answer's body was read; `post` closes in the end."""


class _Reader(io.RawIOBase):
    def __init__(self, timed: _Timed) -> None:
        self.timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.timed._left()
        return self.timed.raw.recv_into(buffer)


def post(url: str, body: bytes, headers: Mapping[str, str], allowed: Allowed, lookup: Resolve | None = None) -> Answer:
    """What the target answered within TOTAL_S; never raises for what a target or the network does.

    The name is looked up and judged here, and the connection goes to the judged address. A redirect is a fault.
    """
    deadline = time.monotonic() + TOTAL_S
    try:
        target = parse_target(url)
        found = addresses(target, allowed, lookup)
        with _connected(target, found, deadline) as raw:
            return _asked(target, raw, deadline, body, headers)
    except TargetRefused as refused:
        return Answer(None, refused.message)
    except TimeoutError:
        return Answer(None, f"no answer within {CONNECT_S:g} s to connect, {TOTAL_S:g} s in all")
    except ssl.SSLError as error:
        return Answer(None, f"no trusted TLS connection: {error.reason or 'handshake failed'}")
    except (OSError, http.client.HTTPException) as error:
        return Answer(None, f"no answer: {getattr(error, 'strerror', None) or type(error).__name__}")


def _connected(target: Target, found: list[str], deadline: float) -> socket.socket:
    """A connection to the first of the addresses that takes one; the last one's error when none does."""
    fault: OSError = TimeoutError()
    for address in found:
        left = min(CONNECT_S, deadline - time.monotonic())
        if left <= 0:
            break
        try:
            raw = socket.create_connection((address, target.port), timeout=left)
        except OSError as error:
            fault = error
            continue
        if target.scheme == "http":
            return raw
        try:
            raw.settimeout(max(0.01, min(CONNECT_S, deadline - time.monotonic())))
            return _tls().wrap_socket(raw, server_hostname=target.host)
        except OSError:
            raw.close()
            raise
    raise fault


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _asked(target: Target, raw: socket.socket, deadline: float, body: bytes, headers: Mapping[str, str]) -> Answer:
    connection = http.client.HTTPConnection(target.host, target.port)
    connection.sock = cast(socket.socket, _Timed(raw, deadline))
    sent = {"Host": target.authority, "Connection": "close", "Accept-Encoding": "identity", **headers}
    connection.request("POST", target.path, body, sent)
    answer = connection.getresponse()
    status = answer.status
    if 200 <= status < 300:
        answer.read(LONGEST_ANSWER)
        return Answer(status, None)
    if 300 <= status < 400:
        return Answer(status, f"the target answered {status}: redirects are not followed, register the final address")
    return Answer(status, f"the target answered {status}")
