"""Servers of a bench: processes of their own on free ports of this machine, ended when the block ends."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress

from gis.errors import DatabaseUnavailable

#: Seconds that a server has to come up: after an update its compiled loops may have to be made first.
PATIENCE_S = 120.0


@contextmanager
def serving(
    application: str, settings: Mapping[str, str], *, workers: int = 1, path: str = "/openapi.json"
) -> Iterator[int]:
    """The port of a running server; `application` is the factory's `module:name`. DatabaseUnavailable when it does not come up."""
    port = _free_port()
    words = [
        application,
        "--factory",
        "--port",
        str(port),
        "--workers",
        str(workers),
        "--log-level",
        "warning",
        "--no-access-log",
    ]
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile())
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *words], env=_environment(settings), stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, start_new_session=True,
        )  # fmt: skip
        stack.callback(_end, process)
        if not _ready(process, port, path):
            log.seek(0)
            raise DatabaseUnavailable(f"{application} does not come up: {log.read()[-1500:].decode(errors='replace')}")
        yield port


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Ours, without any setting of the deployment's Gridbeat."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDBEAT_")}
    return kept | dict(settings)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _ready(process: subprocess.Popen[bytes], port: int, path: str) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
            line.request("GET", path)
            if line.getresponse().status == 200:
                return True
        time.sleep(0.1)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and its workers are gone."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def run(words: Sequence[str], settings: Mapping[str, str]) -> str:
    """What a `gridbeat` command prints; RuntimeError when it fails."""
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", *words], env=_environment(settings), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"gridbeat {' '.join(words)} ends with {done.returncode}: {done.stdout[-1500:]}")
    return done.stdout
