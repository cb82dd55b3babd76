"""Gathering: reports that come while others are being stored share the next transaction.

    report -> line -> lane (a thread, a transaction) -> answer, after the commit

A lone report goes at once. In a rush a transaction carries what came meanwhile, so that its price is shared and the service
keeps up instead of falling behind; and a few threads, not one a report, contend for the interpreter.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from data.intake import Submission
from data.together import Kept
from gis.errors import DatabaseUnavailable

#: Transactions at a time, and reports in one of them at most.
LANES, MOST = 2, 50
#: Seconds that a report waits in line before it is told to come again.
PATIENCE_S = 10.0


@dataclass(frozen=True, eq=False)
class _Waiting:
    submission: Submission
    answer: asyncio.Future[Kept]


class Gathering:
    """The line of one process. `keep` stores several reports in a thread and says what became of each, in order."""

    def __init__(self, keep: Callable[[Sequence[Submission]], list[Kept | Exception]]) -> None:
        self._keep = keep
        self._line: deque[_Waiting] = deque()
        self._lanes: set[asyncio.Task[None]] = set()
        self.size = 0
        """Reports in line or being stored."""

    async def store(self, submission: Submission) -> Kept:
        """The report is committed; raises what refused it, DatabaseUnavailable when it was not begun in time."""
        waiting = _Waiting(submission, asyncio.get_running_loop().create_future())
        self._line.append(waiting)
        if len(self._lanes) < LANES:
            self._lanes.add(asyncio.create_task(self._serve()))
        self.size += 1
        try:
            await asyncio.wait([waiting.answer], timeout=PATIENCE_S)
            if waiting in self._line:
                raise DatabaseUnavailable("too many reports wait for the store; nothing was stored, come again")
            return await waiting.answer
        finally:
            self.size -= 1
            if waiting in self._line:
                self._line.remove(waiting)

    async def _serve(self) -> None:
        """One lane, until nobody waits; it ends in the very step that answers last, so that no half of it is left behind."""
        try:
            while self._line:
                part = [self._line.popleft() for _ in range(min(MOST, len(self._line)))]
                for one, kept in zip(part, await self._kept(part), strict=True):
                    _tell(one.answer, kept)
        finally:
            self._lanes.discard(asyncio.current_task())

    async def _kept(self, part: Sequence[_Waiting]) -> Sequence[Kept | Exception]:
        try:
            return await run_in_threadpool(self._keep, [one.submission for one in part])
        except Exception as error:  # noqa: BLE001 - nobody may be left waiting
            return [error] * len(part)


def _tell(answer: asyncio.Future[Kept], kept: Kept | Exception) -> None:
    if answer.done():  # the caller has gone
        return
    if isinstance(kept, Exception):
        answer.set_exception(kept)
    else:
        answer.set_result(kept)
