"""On post: for how much of a shift a member was seen in the own grid, was seen elsewhere, or was not seen at all.

    shift      |==============================|
    leave               |-----|                        outside the denominator: due = shift less leave
    evidence     +  + +         - -       +            + in or on the edge of the own grid, - outside
    on post     ######               ... ####          each reading vouches for `hold_s` before and after it, at most to the
    elsewhere                  ####                    middle between it and the next
    unknown           ##           #### ##    ##       silence: nobody knows, and it is counted as neither

Seconds on post, elsewhere and unknown add up to those due. What comes out depends on the set of readings alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
#: (n, 2) begin and end in microseconds since 1970, half-open.
Spans = npt.NDArray[np.int64]

#: A reading vouches for so many seconds on either side: two that are at most twice as far apart leave no silence between them.
HOLD_S: Final = 300.0
MICRO: Final = 1_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=timezone.utc)  # noqa: UP017 - `UTC` reads like a clock here


@dataclass(frozen=True)
class OnPost:
    """Seconds of duty: `due_s` = `on_s` + `elsewhere_s` + `unknown_s`; `leave_s` lay in the shift and is not due."""

    due_s: float
    on_s: float
    elsewhere_s: float
    unknown_s: float
    leave_s: float

    @property
    def share(self) -> float | None:
        """Seconds on post of those due: what is proved, so silence lowers it; None when nothing was due."""
        return self.on_s / self.due_s if self.due_s else None

    @property
    def share_of_known(self) -> float | None:
        """Seconds on post of those of which something is known; None when nothing is."""
        known = self.on_s + self.elsewhere_s
        return self.on_s / known if known else None

    @property
    def unknown_share(self) -> float | None:
        """Seconds of silence of those due; None when nothing was due."""
        return self.unknown_s / self.due_s if self.due_s else None

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON values: numerators, the denominator and the shares."""
        shares = ("share", "share_of_known", "unknown_share")
        return vars(self) | {name: getattr(self, name) for name in shares}


def micros_of(at: datetime) -> int:
    """An instant as microseconds since 1970."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def spans_of(pairs: Sequence[tuple[datetime, datetime]]) -> Spans:
    """Spans of begins and ends, overlapping and touching ones united, in order."""
    return united(np.array([[micros_of(at) for at in pair] for pair in pairs], dtype=np.int64).reshape(-1, 2))


def united(spans: Spans) -> Spans:
    """The same instants as disjoint spans in order; empty ones (end not after begin) count for nothing."""
    spans = spans[spans[:, 1] > spans[:, 0]]
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    reach = np.maximum.accumulate(spans[:, 1]) if len(spans) else spans[:, 1]
    fresh = np.ones(len(spans), dtype=bool)
    fresh[1:] = spans[1:, 0] > reach[:-1]
    begins = np.flatnonzero(fresh)
    ends = np.append(begins[1:], len(spans)) - 1
    return np.column_stack([spans[begins, 0], reach[ends]]) if len(spans) else spans


def without(spans: Spans, gone: Spans) -> Spans:
    """The instants of `spans` that are in none of `gone`; both united, and so is the answer."""
    edges = np.concatenate([gone[:, 0], gone[:, 1]])
    cut = np.sort(edges).reshape(-1, 2) if len(gone) else gone
    outer = np.concatenate([[np.iinfo(np.int64).min], cut.ravel(), [np.iinfo(np.int64).max]]).reshape(-1, 2)
    return common(spans, outer)


def common(spans: Spans, others: Spans) -> Spans:
    """The instants that are in both; both united, and so is the answer."""
    found = [
        [max(begin, other_begin), min(end, other_end)]
        for begin, end in spans.tolist()
        for other_begin, other_end in _touching(others, begin, end).tolist()
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 2)


def _touching(spans: Spans, begin: int, end: int) -> Spans:
    first = np.searchsorted(spans[:, 1], begin, side="right")
    last = np.searchsorted(spans[:, 0], end, side="left")
    return spans[first:last]


def seconds(spans: Spans) -> float:
    """How long disjoint spans are together."""
    return int((spans[:, 1] - spans[:, 0]).sum()) / MICRO


def vouched(at: Ints, hold_s: float = HOLD_S) -> Spans:
    """The span that each of ascending instants vouches for: `hold_s` on either side, at most to the middle to its neighbour."""
    hold = round(hold_s * MICRO)
    middle = at[:-1] + (at[1:] - at[:-1]) // 2
    begin, end = at - hold, at + hold
    begin[1:] = np.maximum(begin[1:], middle)
    end[:-1] = np.minimum(end[:-1], middle)
    return np.column_stack([begin, end])


def on_post(shift: Spans, leave: Spans, at: Ints, on: Flags, hold_s: float = HOLD_S) -> OnPost:
    """What is known of a shift (or several, disjoint): `at[i]` (microseconds since 1970) the member was seen, `on[i]`: in the own grid.

    Readings may come in any order and repeatedly; of several at one instant one in the grid is enough.
    """
    due = without(united(shift), united(leave))
    instants, back = np.unique(at, return_inverse=True)
    here = np.zeros(len(instants), dtype=bool)
    np.logical_or.at(here, back, on)
    spans = vouched(instants, hold_s)
    on_s, elsewhere_s = (seconds(common(due, united(spans[which]))) for which in (here, ~here))
    due_s = seconds(due)
    unknown_s = seconds(without(due, united(spans)))
    return OnPost(due_s, on_s, elsewhere_s, unknown_s, seconds(united(shift)) - due_s)
