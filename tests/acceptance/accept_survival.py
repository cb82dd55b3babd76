"""What must not be lost: reports when everything is killed, and the right boundary while others are being published."""

from __future__ import annotations

import http.client
import os
import random
import signal
import threading
import time
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely

from tests.acceptance.check import Check, at_least, equal
from tests.acceptance.stage import Answer, Http, Service, Stage, stage

REPORTS, CALLERS, KILLED_AFTER = 1_000, 8, 400
PUBLICATIONS, NEAR = 10, timedelta(milliseconds=100)

#: Between two reports of one caller in the race: without it the publisher would not get a core.
PAUSE_S = 0.01

#: Two grids side by side; the border lies at one of two places, and the reports between them.
WEST, SOUTH, EAST, NORTH = 121.20, 32.00, 121.24, 32.02
BORDERS = (121.21, 121.23)
BETWEEN = 121.22


def run(shared: Path, work: Path) -> Iterable[Check]:
    """The kill, then the race."""
    with stage(work, "kill") as one:
        yield from _kill(one, work)
    with stage(work, "race") as one:
        yield from _race(one, work)


def _publish(one: Stage, work: Path, border: float) -> None:
    """A file with the border at this longitude becomes a generation, in force from now on."""
    shapes = [shapely.box(WEST, SOUTH, border, NORTH), shapely.box(border, SOUTH, EAST, NORTH)]
    frame = gpd.GeoDataFrame({"code": ["W", "E"]}, geometry=shapes, crs=4326)
    frame.to_file(work / f"border-{border}.geojson")
    one.do("load", "grids", work / f"border-{border}.geojson", "--layer", "general", "--code-field", "code", "--commit")


# Killed in the middle.


@dataclass
class Acknowledged:
    """Report number -> id of its event, of those that were answered; safe in threads."""

    ids: dict[int, str] = field(default_factory=dict)
    statuses: dict[int, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)
    enough: threading.Event = field(default_factory=threading.Event)

    def note(self, number: int, answer: Answer) -> None:
        """The caller has heard this."""
        with self.lock:
            self.statuses[number] = answer.status
            if answer.status in (200, 201):
                self.ids[number] = answer.body["id"]
            if len(self.ids) >= KILLED_AFTER:
                self.enough.set()


def _post(line: Http, number: int) -> Answer:
    """Report `number`: every other one is known by an Idempotency-Key, the others by their own id."""
    place = random.Random(number)  # noqa: S311 - the same report at every try
    report: dict[str, Any] = {
        "lon": place.uniform(WEST, EAST), "lat": place.uniform(SOUTH, NORTH), "channel": "kill", "text": f"报告 {number}",
    }  # fmt: skip
    if number % 2:
        return line.call("POST", "/v1/events", report, Idempotency_Key=f"kill-{number}")
    return line.call("POST", "/v1/events", report | {"external_id": f"kill-{number}"})


def _send(service: Service, heard: Acknowledged, numbers: Iterable[int]) -> None:
    """One caller: report after report, until the line breaks."""
    line = service.http()
    with suppress(OSError, http.client.HTTPException):
        for number in numbers:
            heard.note(number, _post(line, number))
    line.close()


def _send_all(service: Service, heard: Acknowledged) -> list[threading.Thread]:
    order = list(range(REPORTS))
    random.Random(20261122).shuffle(order)  # noqa: S311
    callers = [threading.Thread(target=_send, args=(service, heard, order[i::CALLERS])) for i in range(CALLERS)]
    for caller in callers:
        caller.start()
    return callers


def _kill(one: Stage, work: Path) -> Iterator[Check]:
    """Server and database die by kill -9 while eight callers report; everybody tries everything again."""
    _publish(one, work, BETWEEN)
    before, after = Acknowledged(), Acknowledged()
    with one.serving() as service:
        callers = _send_all(service, before)
        before.enough.wait(60)
        database = one.cluster.status().pid
        assert database is not None
        os.kill(database, signal.SIGKILL)
        service.kill()
        for caller in callers:
            caller.join()
    with one.serving() as service:
        for caller in _send_all(service, after):
            caller.join()
        events = service.http().features("/v1/events")
        receipts = _receipts(service, sorted(after.ids.values()))
    known = sum(status == 200 for status in after.statuses.values())
    yield at_least(f"kill -9: acknowledged before it, of {REPORTS:,}", KILLED_AFTER, len(before.ids))
    yield equal("kill -9: some were still to come", True, len(before.ids) < REPORTS)
    yield equal("kill -9: all retried with the same keys are answered", REPORTS, len(after.ids))
    kept = sum(after.ids[number] == event for number, event in before.ids.items())
    yield equal("kill -9: acknowledged ones answered with the same event", len(before.ids), kept)
    yield at_least("kill -9: known already at the retry", len(before.ids), known)
    stored = [event["id"] for event in events]
    yield equal(
        "kill -9: events listed, and different ones among them", (REPORTS, REPORTS), (len(stored), len(set(stored)))
    )
    yield equal("kill -9: they are those that were answered", True, set(stored) == set(after.ids.values()))
    yield equal("kill -9: events with exactly one receipt, cause received", REPORTS, receipts.count(["received"]))
    yield from _keys(one)


def _receipts(service: Service, events: list[str]) -> list[list[str]]:
    """The causes of each event's receipts."""
    line = service.http()
    found = [line.get(f"/v1/events/{event}/assignments")["assignments"] for event in events]
    return [[receipt["cause"] for receipt in receipts] for receipts in found]


def _keys(one: Stage) -> Iterator[Check]:
    """Every key leads to an event that is there, and every event has its key."""
    ((keys, leading, named),) = one.rows("""
        SELECT count(*), count(e.id), count(DISTINCT e.id)
        FROM event_key k LEFT JOIN event e ON e.id = k.event AND e.received_at = k.received_at
    """)
    yield equal("kill -9: keys, those that lead to an event, events led to", (REPORTS,) * 3, (keys, leading, named))


# Published in between.


def _race(one: Stage, work: Path) -> Iterator[Check]:
    """Two workers take reports without a pause while another process moves the border ten times."""
    _publish(one, work, BORDERS[0])
    over = threading.Event()
    with one.serving(workers=2) as service, ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(_report_until, service, over) for _ in range(4)]
        try:
            for i in range(1, PUBLICATIONS + 1):
                _publish(one, work, BORDERS[i % 2])
                time.sleep(0.3)
        finally:
            over.set()
        heard = [answer for caller in callers for answer in caller.result()]
        refused = [answer for answer in heard if answer.status != 201]
        line = service.http()
        events = [event["properties"] for event in line.features("/v1/events")]
        generations = sorted(line.get("/v1/generations")["generations"], key=lambda one: one["number"])
    yield equal("race: generations published", PUBLICATIONS + 1, len(generations))
    yield equal("race: reports refused", [], [answer.body for answer in refused][:3])
    taken = [answer.body for answer in heard if answer.status == 201]
    yield from _in_force(taken, [datetime.fromisoformat(one["effective_at"]) for one in generations])
    last = "E" if len(generations) % 2 else "W"
    behind = sum(event["grid"] != last for event in events)
    yield equal("race: open events that did not follow the last publication", 0, behind)


def _report_until(service: Service, over: threading.Event) -> list[Answer]:
    """One caller reports the place between the borders, anew each time, until it is over."""
    line, heard = service.http(), []
    while not over.is_set():
        heard.append(line.call("POST", "/v1/events", {"lon": BETWEEN, "lat": 32.01, "channel": "race"}))
        time.sleep(PAUSE_S)
    return heard


def _in_force(events: list[Any], since: list[datetime]) -> Iterator[Check]:
    """The generation that every report was answered by is the one in force when it was received, the grid that of its border."""
    wrong = elsewhere = near = 0
    for event in events:
        received = datetime.fromisoformat(event["received_at"])
        number = bisect_right(since, received)  # the newest with effective_at <= received_at
        wrong += event["generation"] != number or event["assignment"]["generation"] != number
        elsewhere += event["grid"] != ("E" if number % 2 else "W")
        near += any(abs(received - instant) < NEAR for instant in since[1:])
    yield at_least("race: reports received by two workers", 1_000, len(events))
    yield at_least("race: of these within 100 ms of a switch", PUBLICATIONS, near)
    yield equal("race: answered by another generation than the one in force at received_at", 0, wrong)
    yield equal("race: given to the grid of the other border", 0, elsewhere)
