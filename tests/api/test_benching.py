"""The bench over HTTP counts what came back: times, shares of answers, and every wrong one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pyarrow.parquet as parquet
import pytest
from typer.testing import CliRunner

from api.benching import batch, report, table
from api.benching.callers import Figures, Heard, Message, call, figures, is_right, post, whole
from api.cli import app
from data.benchstage import Stage
from data.citygen import CITIES, city
from gis.errors import ParameterInvalid


def answer(status: int, body: bytes) -> bytes:
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%b" % (status, len(body), body)


def test_an_answer_is_right_when_it_is_a_201_with_the_grid() -> None:
    assert is_right(answer(201, b'{"grid": "A"}'), "A")
    assert is_right(answer(201, b'{"grid": null}'), None)
    assert not is_right(answer(201, b'{"grid": "B"}'), "A")
    assert not is_right(answer(503, b'{"grid": "A"}'), "A")


def test_an_answer_is_whole_when_its_length_has_come() -> None:
    full = answer(201, b"12345")
    assert [whole(full[:n]) for n in (5, len(full) - 1, len(full))] == [False, False, True]


def test_figures_leave_out_the_warm_up_and_count_every_wrong_answer() -> None:
    right, wrong = answer(201, b'{"grid":"A"}'), answer(201, b'{"grid":"B"}')
    heard = Heard([0.0, 1.0, 1.5, 2.0], [0.5, 1.1, 1.7, 2.3], [0, 0, 0, 0], [wrong, right, right, wrong], lost=1)
    found = figures(heard, [Message(b"", "A")], since=1.0, until=3.0)
    assert (found.requests, found.answered, found.wrong, found.per_second) == (3, 4, 3, 1.5)
    assert (round(found.p50_ms), round(found.p99_ms)) == (200, 298)


def test_callers_send_on_until_the_time_is_over() -> None:
    """Against a server of a few lines, in a thread of its own."""
    import threading

    ready, ports, stop = threading.Event(), [0], []

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.read(10_000):
            assert head.startswith(b"POST /there HTTP/1.1\r\n")
            writer.write(answer(201, b'{"grid":"A"}'))
        writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answering, "127.0.0.1", 0)
        ports[0] = server.sockets[0].getsockname()[1]
        ended = asyncio.Event()
        stop.extend([asyncio.get_running_loop(), ended])
        ready.set()
        await ended.wait()
        server.close()
        await asyncio.sleep(0.05)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(10)
    messages = [Message(post(ports[0], "/there", "k", b"{}"), "A"), Message(post(ports[0], "/there", "k", b"{}"), "B")]
    found = call(ports[0], messages, 3, 0.4)
    stop[0].call_soon_threadsafe(stop[1].set)
    thread.join()
    assert found.answered > 10
    assert found.wrong == pytest.approx(found.answered / 2, abs=2)


def test_the_line_is_the_median_of_the_rounds_and_every_wrong_answer() -> None:
    rounds = [Figures(rate, ms, 2 * ms, 10, 12, wrong) for rate, ms, wrong in ((100, 9, 0), (300, 1, 2), (200, 5, 0))]
    line = report.line_of("x", 1, 16, rounds)
    assert (line.per_second, line.p50_ms, line.p99_ms, line.requests, line.wrong) == (200, 5, 10, 36, 2)


def test_the_same_reports_are_written_in_every_format(tmp_path: Path) -> None:
    files = batch.written(Stage(tmp_path, "", city(CITIES["A"])), 200)
    assert len(files["CSV"].read_text("utf-8").splitlines()) == 201
    assert len(files["NDJSON"].read_bytes().splitlines()) == 200
    assert parquet.read_table(files["Parquet"]).column_names == [
        "external_id",
        "lon",
        "lat",
        "channel",
        "category",
        "text",
    ]


def test_lines_are_shown_as_json_or_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    lines = [{"name": "a", "rate": 1234.5, "wrong": 0, "times": None}]
    table.shown(lines, "t", as_json=True)
    assert capsys.readouterr().out == '{"name":"a","rate":1234.5,"wrong":0,"times":null}\n'
    table.shown(lines, "t", as_json=False)
    assert "1,234" in capsys.readouterr().out


def test_bench_refuses_what_is_not_there_yet() -> None:
    refusal = CliRunner().invoke(app, ["bench", "report", "hotspot"]).exception
    assert isinstance(refusal, ParameterInvalid)
    assert "locate, report, batch, coverage" in refusal.message
