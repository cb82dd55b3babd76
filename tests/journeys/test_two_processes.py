"""Two processes: one publishes, the other takes reports; no report is ever answered by a boundary that is over."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import sqlalchemy as sa

from data.intake import Submission, accept
from data.report import clean
from gis.store.live import Live
from tests.town import drawn, place, published

PUBLISHER = """
import sys, time
from gis.store.engine import create_engine
from tests.town import drawn, published
engine = create_engine(sys.argv[1])
for turn in range(int(sys.argv[2])):
    with engine.begin() as connection:
        published(connection, drawn("AB" if turn % 2 else "XY"), at=None)
    time.sleep(0.02)
"""
#: An event is wrong when its receipt names another generation than the one in force when it was received.
WRONG = """
    SELECT count(*) FROM event e
    JOIN generation own ON own.number = e.generation
    LEFT JOIN generation next ON next.number = e.generation + 1
    WHERE e.received_at < own.effective_at OR e.received_at >= next.effective_at
"""
TURNS = 25


def test_no_report_is_answered_by_a_boundary_that_is_over(database: str, engine: sa.Engine) -> None:
    with engine.begin() as connection:
        published(connection, drawn("AB"))
    lon, lat = place(0.5, 0.5)
    live = Live()
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", PUBLISHER, database, str(TURNS)]
    with subprocess.Popen(command, cwd=root, stderr=subprocess.PIPE, text=True) as publisher:
        while publisher.poll() is None:
            report = clean({"lon": lon, "lat": lat, "channel": "hotline"}, datetime.now(UTC))
            with engine.begin() as connection:
                accept(connection, live, [Submission(report)], actor="tester")
        assert publisher.returncode == 0, publisher.stderr.read() if publisher.stderr else ""
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT max(number) FROM generation")) == TURNS + 1
        assert connection.scalar(sa.text(WRONG)) == 0
        answered = connection.scalar(sa.text("SELECT count(DISTINCT generation) FROM event"))
        assert answered >= TURNS // 2  # reports really came between the publications
        names = connection.execute(sa.text("SELECT DISTINCT answer->>'grid', generation % 2 FROM assignment")).all()
        assert {tuple(row) for row in names} <= {("A", 1), ("X", 0)}
