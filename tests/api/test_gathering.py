"""The line of reports: who shares a transaction, who waits, who is told what."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from api.gathering import LANES, MOST, Gathering
from data.intake import Submission
from data.report import clean
from data.together import Kept
from gis.errors import DatabaseUnavailable, KeyReused

NOW = datetime(2026, 5, 3, tzinfo=UTC)


def report(text: str) -> Submission:
    return Submission(clean({"lon": 121.2, "lat": 32.05, "channel": "x", "text": text}, NOW))


class Shop:
    """Keeps what it is given once the door is open; remembers who came together."""

    def __init__(self) -> None:
        self.door, self.parts, self.lock = threading.Event(), list[list[str]](), threading.Lock()

    def keep(self, submissions: Sequence[Submission]) -> list[Kept | Exception]:
        texts = [str(one.report.text) for one in submissions]
        with self.lock:
            self.parts.append(texts)
        assert self.door.wait(10)
        return [KeyReused("no") if text == "refused" else Kept({"text": text}, repeated=False) for text in texts]


async def send(line: Gathering, texts: Sequence[str]) -> list[Any]:
    return await asyncio.gather(*(line.store(report(text)) for text in texts), return_exceptions=True)


def test_a_lone_report_goes_at_once() -> None:
    shop = Shop()
    shop.door.set()
    (kept,) = asyncio.run(send(Gathering(shop.keep), ["a"]))
    assert (kept.row, shop.parts) == ({"text": "a"}, [["a"]])


def test_reports_that_come_meanwhile_share_the_next_transactions() -> None:
    async def rush() -> list[Any]:
        first = asyncio.create_task(send(line, ["a", "b"]))
        while len(shop.parts) < 1:
            await asyncio.sleep(0.001)
        more = asyncio.create_task(send(line, [str(n) for n in range(200)]))
        await asyncio.sleep(0.05)
        assert line.size == 202
        shop.door.set()
        return await first + await more

    shop = Shop()
    line = Gathering(shop.keep)
    answers = asyncio.run(rush())
    assert [one.row["text"] for one in answers] == ["a", "b", *map(str, range(200))]
    assert sorted(text for part in shop.parts for text in part) == sorted(["a", "b", *map(str, range(200))])
    assert len(shop.parts) <= LANES + 200 // MOST + 1
    assert max(map(len, shop.parts)) <= MOST
    assert line.size == 0


def test_one_refusal_is_heard_by_one_caller() -> None:
    shop = Shop()
    shop.door.set()
    a, refused, b = asyncio.run(send(Gathering(shop.keep), ["a", "refused", "b"]))
    assert isinstance(refused, KeyReused)
    assert (a.row, b.row) == ({"text": "a"}, {"text": "b"})


def test_when_keeping_itself_fails_everybody_hears_it_and_the_line_goes_on() -> None:
    def keep(submissions: Sequence[Submission]) -> list[Kept | Exception]:
        if submissions[0].report.text == "bomb":
            raise ValueError("a bug")
        return [Kept({}, repeated=False) for _ in submissions]

    async def both() -> tuple[list[Any], list[Any]]:
        return await send(line, ["bomb", "beside"]), await send(line, ["later"])

    line = Gathering(keep)
    hurt, later = asyncio.run(both())
    assert [type(one) for one in hurt] == [ValueError, ValueError]
    assert [type(one) for one in later] == [Kept]


def test_who_was_not_begun_in_time_is_told_to_come_again_and_not_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    async def rush() -> list[Any]:
        begun = [asyncio.create_task(send(line, [text])) for text in ("a", "b")]
        while len(shop.parts) < LANES:
            await asyncio.sleep(0.001)
        late = await send(line, ["late"])
        shop.door.set()
        return [*(await begun[0]), *(await begun[1]), *late]

    monkeypatch.setattr("api.gathering.PATIENCE_S", 0.05)
    monkeypatch.setattr("api.gathering.MOST", 1)
    shop = Shop()
    line = Gathering(shop.keep)
    a, b, late = asyncio.run(rush())
    assert (a.row, b.row) == ({"text": "a"}, {"text": "b"})
    assert isinstance(late, DatabaseUnavailable)
    assert sorted(shop.parts) == [["a"], ["b"]]
    assert line.size == 0
