"""Channels: which ones sent events, in which declared datum, and where those lie."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

Floats = npt.NDArray[np.float64]

#: So many positions of a channel are read, the newest received ones.
MOST = 50_000

CHANNELS = sa.text("""
    SELECT DISTINCT channel, crs FROM event
    WHERE geom IS NOT NULL AND (CAST(:channel AS text) IS NULL OR channel = :channel)
      AND (CAST(:since AS timestamptz) IS NULL OR received_at >= :since)
    ORDER BY channel, crs
""")
#: A pin that somebody moved says nothing of what the channel sends.
POSITIONS = sa.text("""
    SELECT ST_X(e.geom), ST_Y(e.geom) FROM event e
    WHERE e.geom IS NOT NULL AND e.channel = :channel AND e.crs = :crs AND e.method <> 'address'
      AND (CAST(:since AS timestamptz) IS NULL OR e.received_at >= :since)
      AND NOT EXISTS (SELECT 1 FROM assignment a WHERE a.event = e.id AND a.received_at = e.received_at AND a.cause = 'moved')
    ORDER BY e.received_at DESC, e.id DESC LIMIT :limit
""")


def channel_places(
    connection: sa.Connection, channel: str | None, since: datetime | None
) -> Iterator[tuple[str, str, Floats, Floats]]:
    """Channel, declared datum, and the WGS 84 lon and lat of its newest events, for every channel (or one) and datum."""
    for row in connection.execute(CHANNELS, {"channel": channel, "since": since}).all():
        asked = {"channel": row.channel, "crs": row.crs, "since": since, "limit": MOST}
        pairs = [tuple(pair) for pair in connection.execute(POSITIONS, asked)]
        places = np.array(pairs, dtype=np.float64).reshape(-1, 2)
        yield row.channel, row.crs, places[:, 0].copy(), places[:, 1].copy()
