"""Recency as it is told: seen so long ago, never, unknown, nothing to see."""

from __future__ import annotations

from typing import Any

import numpy as np

from data.evidence import utc
from gis.fixes import Flags, Times


def recencies(
    last: Times, as_of: np.datetime64, watched: Flags, there: Flags, *, whole_days: bool = False
) -> list[dict[str, Any]]:
    """What is known of when things were last seen: never and unknown apart, none where there is nothing to see.

    With `whole_days` not when, but how many days ago: who may not see where members are shall not follow them by this.
    """
    found: list[dict[str, Any]] = []
    for at, is_watched, is_there in zip(last, watched.tolist(), there.tolist(), strict=True):
        if not np.isnat(at):
            days = float((as_of - at) / np.timedelta64(1, "us")) / 86_400e6
            told = (float(int(days)), None) if whole_days else (round(days, 4), utc(at))
            found.append({"kind": "seen", "days": told[0], "at": told[1]})
        else:
            kind = "none" if not is_there else "never" if is_watched else "unknown"
            found.append({"kind": kind, "days": None, "at": None})
    return found
