"""RejectedWriter: the rows that were left out, as a CSV that a person can correct and load again."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from data.rowchunk import Rejection

#: The columns in front of the row's own.
HEAD = ("row", "reason", "code")


class RejectedWriter:
    """Writes rejected rows to `path`: row, reason, code, then the original columns; no row, no file.

    UTF-8 with a byte-order mark, so that a spreadsheet shows Chinese. `count` is how many were written.
    """

    def __init__(self, path: Path, columns: Iterable[str] = ()) -> None:
        self.path = path
        self.columns = list(columns)
        self.count = 0
        self._file: TextIO | None = None
        path.unlink(missing_ok=True)  # an older run's rows are not this one's

    def __enter__(self) -> RejectedWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def write(self, rejections: Iterable[Rejection]) -> None:
        """The rejections stand in the file; what has no column of its own goes into a last one, `rest`, as JSON."""
        for rejection in rejections:
            record = dict(rejection.record)
            own = [as_text(record.pop(column, None)) for column in self.columns]
            rest = json.dumps(record, ensure_ascii=False, default=str) if record else ""
            self._writer().writerow([rejection.row, rejection.reason, rejection.code, *own, rest])
            self.count += 1

    def _writer(self) -> Any:
        if self._file is None:
            self._file = self.path.open("w", encoding="utf-8-sig", newline="")
            csv.writer(self._file).writerow([*HEAD, *self.columns, "rest"])
        return csv.writer(self._file)


def as_text(value: Any) -> str:
    """A value as a CSV cell holds it: empty for None, ISO 8601 for times, JSON for lists and objects."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
