"""Lanes: parts of a long load are decided and stored side by side, and come out in their order.

While the server writes one part, the next is being decided, on another connection. The keys are claimed in the order of the parts
all the same, so that of two rows with one key the first is stored and the second is the repeated one, as without lanes.
"""

from __future__ import annotations

import gc
import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event
from types import TracebackType
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

#: One part is being decided while another is being written; a third would wait for the same two processors.
LANES = 2


class Turn:
    """A place in the order: `with turn:` is entered after the turn before was left, or was given up."""

    def __init__(self, before: Turn | None = None) -> None:
        self._before = before
        self._over = Event()

    def __enter__(self) -> None:
        if self._before is not None:
            self._before._over.wait()
            self._before = None  # else every turn would keep all that were before it

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_up()

    def give_up(self) -> None:
        """The next one need not wait for this turn (any more)."""
        self._over.set()


def in_lanes(
    parts: Iterable[Item], work: Callable[[Item, Turn], Result], *, lanes: int = LANES
) -> Generator[tuple[Item, Result]]:
    """Every part with what `work` made of it, in order; at most `lanes` are worked on, and one is held ready, at a time.

    The first error of a part is raised when its place in the order comes; parts begun by then are finished first.
    """
    turn: Turn | None = None
    begun: deque[tuple[Item, Future[Result]]] = deque()
    with ThreadPoolExecutor(lanes) as pool:
        for part in parts:
            turn = Turn(turn)
            begun.append((part, pool.submit(_worked, work, part, turn)))
            if len(begun) > lanes:
                item, future = begun.popleft()
                yield item, future.result()
        while begun:
            item, future = begun.popleft()
            yield item, future.result()


def _worked(work: Callable[[Item, Turn], Result], part: Item, turn: Turn) -> Result:
    try:
        return work(part, turn)
    finally:
        turn.give_up()


@contextmanager
def unswept(every: int = 100) -> Iterator[Callable[[], None]]:
    """Python's search for cycles rests meanwhile: rows by the ten thousand make it half of the work, and they have no cycles.

    What is yielded is to be called between chunks: each `every` calls it sweeps once, so that memory stays flat whatever happens.
    """
    was_on = gc.isenabled()
    calls = itertools.count(1)

    def between() -> None:
        if next(calls) % every == 0:
            gc.collect()

    gc.disable()
    try:
        yield between
    finally:
        if was_on:
            gc.enable()
