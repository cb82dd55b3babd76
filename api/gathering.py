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

#: Transactions at a time: while one waits for the disk another is made. In a rush one large one after the other is quicker, for
#: threads that all have work only take the interpreter from each other.
LANES, LANES_IN_A_RUSH = 2, 1
#: So many reports in line or being stored are a rush; a transaction takes so many at most.
RUSH, MOST = 48, 128
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
        loop = asyncio.get_running_loop()
        waiting = _Waiting(submission, loop.create_future())
        self._line.append(waiting)
        self.size += 1
        if len(self._lanes) < self._wanted:
            self._lanes.add(asyncio.create_task(self._serve()))
        late = loop.call_later(PATIENCE_S, self._give_up, waiting)
        try:
            return await waiting.answer
        except asyncio.CancelledError:  # the caller has gone
            self._leave(waiting)
            raise
        finally:
            late.cancel()
            self.size -= 1

    @property
    def _wanted(self) -> int:
        """How many lanes are best now."""
        return LANES_IN_A_RUSH if self.size > RUSH else LANES

    def _give_up(self, waiting: _Waiting) -> None:
        """One that was not begun in time hears so; one that is being stored waits for what becomes of it."""
        if self._leave(waiting):
            _tell(
                waiting.answer,
                DatabaseUnavailable("too many reports wait for the store; nothing was stored, come again"),
            )

    def _leave(self, waiting: _Waiting) -> bool:
        """Whether it still stood in line; it does not any more."""
        if waiting not in self._line:
            return False
        self._line.remove(waiting)
        return True

    async def _serve(self) -> None:
        """One lane, until nobody waits; it ends in the very step that answers last, so that no half of it is left behind."""
        try:
            while self._line and len(self._lanes) <= self._wanted:
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
