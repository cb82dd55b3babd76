"""A stage: Gridbeat as a user runs it, from the command line, in a home of its own, on a free port; gone when the block ends."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import sqlalchemy as sa

from gis.store.cluster import Cluster
from gis.store.engine import create_engine

ROOT = Path(__file__).resolve().parents[2]
KEY = "acceptance-key"
PATIENCE_S = 120.0
#: A connection that was not used for so long is not used again: the server closes idle ones.
IDLE_S = 3.0


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str


@dataclass(frozen=True)
class Answer:
    """Status and body of an HTTP answer; JSON where it is JSON."""

    status: int
    body: Any


@dataclass
class Http:
    """One keep-alive connection with the acceptance key; not for several threads at once."""

    port: int
    _line: http.client.HTTPConnection | None = field(default=None, repr=False)
    _used: float = field(default=0.0, repr=False)

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """The answer; OSError or HTTPException when the server is gone. Bytes go as they are, everything else as JSON."""
        sent = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = {"Content-Type": "application/json"} if sent is not None else {}
        told = {name.replace("_", "-"): value for name, value in headers.items()}
        if time.monotonic() - self._used > IDLE_S:
            self.close()  # the server may be doing so at this moment
        if self._line is None:
            self._line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        try:
            self._line.request(method, path, sent, {"Authorization": f"Bearer {KEY}"} | kind | told)
            answer = self._line.getresponse()
            raw = answer.read()
            self._used = time.monotonic()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        return Answer(answer.status, json.loads(raw) if "json" in (answer.getheader("Content-Type") or "") else raw)

    def get(self, path: str, **asked: Any) -> Any:
        """The JSON that a GET gives; RuntimeError for anything but a 200."""
        answer = self.call("GET", f"{path}?{urlencode(asked)}" if asked else path)
        if answer.status != 200:
            raise RuntimeError(f"GET {path} answers {answer.status}: {answer.body}")
        return answer.body

    def features(self, path: str, **asked: Any) -> list[Any]:
        """Every feature of a list, over all its pages."""
        page = self.get(path, limit=10_000, **asked)
        found = list(page["features"])
        while page["next"]:
            page = self.get(path, limit=10_000, cursor=page["next"], **asked)
            found += page["features"]
        return found

    def close(self) -> None:
        """The connection is closed afterwards."""
        if self._line is not None:
            self._line.close()
            self._line = None


@dataclass(frozen=True)
class Service:
    """`gridbeat serve`, running."""

    process: subprocess.Popen[bytes]
    port: int

    def http(self) -> Http:
        """A connection to it."""
        return Http(self.port)

    def kill(self) -> None:
        """Afterwards it and its workers are gone, as by a power cut."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def resident_mb(self) -> float:
        """Memory of the process that answers, in MB (10^6 bytes)."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@dataclass(frozen=True)
class Stage:
    """A home with its private PostGIS; `more` are settings beside the usual ones."""

    home: Path
    more: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Ours, without any setting of the caller's Gridbeat."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("GRIDBEAT_")}
        return kept | {
            "GRIDBEAT_HOME": str(self.home),
            "GRIDBEAT_API_KEYS": f"{KEY}:acceptance:admin",
            "COLUMNS": "300",
            **self.more,
        }

    @property
    def cluster(self) -> Cluster:
        """The private PostGIS."""
        return Cluster.at(self.home)

    def gridbeat(self, *words: str | Path) -> Said:
        """What a command says, on both streams."""
        done = subprocess.run(
            [sys.executable, "-m", "api.cli", *map(str, words)], cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        return Said(done.returncode, done.stdout)

    def do(self, *words: str | Path) -> str:
        """The same for a command that has to work."""
        said = self.gridbeat(*words)
        if said.code != 0:
            raise RuntimeError(f"gridbeat {' '.join(map(str, words))} ends with {said.code}:\n{said.out}")
        return said.out

    def rows(self, statement: str, values: Mapping[str, Any] | None = None) -> Sequence[Any]:
        """The rows of a statement, for truths that no route shows."""
        engine = create_engine(self.cluster.url, pool_size=1)
        try:
            with engine.connect() as connection:
                return connection.execute(sa.text(statement), dict(values or {})).all()
        finally:
            engine.dispose()

    @contextmanager
    def serving(self, workers: int = 1) -> Iterator[Service]:
        """`gridbeat serve`, ready; killed when the block ends."""
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = int(free.getsockname()[1])
        words = ["serve", "--port", str(port), "--workers", str(workers)]
        with (self.home.parent / "serve.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "api.cli", *words], cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        service = Service(process, port)
        try:
            _wait_until_ready(service, self.home.parent / "serve.log")
            yield service
        finally:
            service.kill()


def _wait_until_ready(service: Service, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and service.process.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            if service.http().call("GET", "/readyz").status == 200:
                return
        time.sleep(0.2)
    raise RuntimeError(f"gridbeat serve does not come up:\n{log.read_text('utf-8', 'replace')[-2000:]}")


@contextmanager
def stage(work: Path, name: str, **more: str) -> Iterator[Stage]:
    """A stage (with these settings) below `work`; its database is stopped when the block ends (the folder goes with `work`)."""
    folder = work / name
    folder.mkdir()
    folder.chmod(0o755)  # the server's user looks in
    made = Stage(folder / "home", more)
    made.do("db", "migrate")
    try:
        yield made
    finally:
        made.cluster.stop()


def grid_path(code: str) -> str:
    """Where a grid is asked for."""
    return f"/v1/grids/{quote(code, safe='')}"
