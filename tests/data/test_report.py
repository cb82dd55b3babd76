"""Report: every field checked, every time with an offset, the place in its declared datum; on dicts, without a store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.report import CLOCK_SKEW, LENGTHS, OLDEST, canonical, clean, parse_time
from gis.crs import from_storage, parse_datum
from gis.errors import BodyTooLarge, BodyUnreadable, FieldMissing, GridError, TimeInvalid

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
CHINA = ZoneInfo("Asia/Shanghai")
PLACED = {"lon": 121.2, "lat": 32.05, "channel": "hotline"}

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
FIELDS = ["lon", "lat", "crs", "accuracy_m", "occurred_at", "reported_at", "closed_at", "status", *LENGTHS]
bodies = st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=5), values, max_size=8)


@given(bodies, st.booleans())
def test_any_body_is_a_report_or_a_refusal_of_ours(body: dict[str, Any], zoned: bool) -> None:
    try:
        report = clean(PLACED | body, NOW, zone=CHINA if zoned else None)
    except GridError:
        return
    assert (report.lon is None) == (report.lat is None)
    assert report.lon is not None or report.address
    assert report.channel.strip() == report.channel != ""
    for instant in (report.occurred_at, report.reported_at, report.closed_at):
        assert instant is None or OLDEST <= instant <= NOW + CLOCK_SKEW


@given(st.dictionaries(st.text(max_size=5), st.integers(0, 9) | st.text(max_size=5), max_size=6), st.randoms())
def test_the_hash_does_not_know_the_order_of_members(body: dict[str, Any], random: Any) -> None:
    shuffled = list(body.items())
    random.shuffle(shuffled)
    try:
        assert canonical(body) == canonical(dict(shuffled))
    except BodyUnreadable:  # a surrogate
        return


def test_other_bodies_have_other_hashes() -> None:
    hashes = {clean(PLACED | {"text": text}, NOW).body_hash for text in ("a", "b", "")} | {clean(PLACED, NOW).body_hash}
    assert len(hashes) == 4


@pytest.mark.parametrize("crs", ["wgs84", "gcj02", "bd09", "cgcs2000", "EPSG:4549"])
def test_the_place_is_converted_and_the_given_one_kept(crs: str) -> None:
    x, y = (float(axis[0]) for axis in from_storage([121.2], [32.05], parse_datum(crs)))
    report = clean({"lon": str(x), "lat": y, "crs": crs, "channel": "x"}, NOW)
    assert (report.x, report.y, report.datum.name) == (x, y, crs)
    assert (report.lon, report.lat) == pytest.approx((121.2, 32.05), abs=1e-9)


ZONED = [
    ("2026/5/3 8:00", datetime(2026, 5, 3, 0, 0, tzinfo=UTC)),
    ("2026/05/03 08:00:05", datetime(2026, 5, 3, 0, 0, 5, tzinfo=UTC)),
    ("2026-5-3 8:00", datetime(2026, 5, 3, 0, 0, tzinfo=UTC)),
    ("2026.5.3 8:00", datetime(2026, 5, 3, 0, 0, tzinfo=UTC)),
    ("2026年5月3日 8:00", datetime(2026, 5, 3, 0, 0, tzinfo=UTC)),
    ("2026年5月3日8时30分", datetime(2026, 5, 3, 0, 30, tzinfo=UTC)),
    ("2026-05-03T08:00:00", datetime(2026, 5, 3, 0, 0, tzinfo=UTC)),
    ("2026-05-03", datetime(2026, 5, 2, 16, 0, tzinfo=UTC)),
    ("2026/5/3", datetime(2026, 5, 2, 16, 0, tzinfo=UTC)),
    (" 2026-05-03T08:00:00Z ", datetime(2026, 5, 3, 8, 0, tzinfo=UTC)),
    (datetime(2026, 5, 3, 8, 0), datetime(2026, 5, 3, 0, 0, tzinfo=UTC)),  # noqa: DTZ001 - a workbook's cell
    (datetime(2026, 5, 3, 8, 0, tzinfo=timezone(timedelta(hours=-5))), datetime(2026, 5, 3, 13, 0, tzinfo=UTC)),
]  # fmt: skip


@pytest.mark.parametrize(("given_as", "instant"), ZONED)
def test_a_table_s_times_are_read_in_its_zone(given_as: Any, instant: datetime) -> None:
    assert parse_time(given_as, "occurred_at", CHINA) == instant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "8:00",
        "2026/13/3 8:00",
        "2026/2/30 8:00",
        "2026/5/3 25:00",
        "3/5/2026 8:00",
        "5月3日",
        "２０２６/5/3 8:00",
        "46145.33",
    ],
)
def test_what_is_no_time_is_refused_in_any_zone(text: str) -> None:
    with pytest.raises(TimeInvalid):
        parse_time(text, "occurred_at", CHINA)


@pytest.mark.parametrize("text", ["2026/5/3 8:00", "2026-05-03T08:00:00", "2026-05-03"])
def test_without_a_zone_a_time_needs_its_offset(text: str) -> None:
    with pytest.raises(TimeInvalid):
        parse_time(text, "occurred_at")


def test_the_future_begins_after_ten_minutes_and_the_past_ends_in_1990() -> None:
    for instant in (NOW + CLOCK_SKEW, OLDEST):
        assert clean(PLACED | {"occurred_at": instant.isoformat()}, NOW).occurred_at == instant
    for instant in (NOW + CLOCK_SKEW + timedelta(microseconds=1), OLDEST - timedelta(microseconds=1)):
        with pytest.raises(TimeInvalid):
            clean(PLACED | {"occurred_at": instant.isoformat()}, NOW)


@pytest.mark.parametrize(("name", "longest"), LENGTHS.items())
def test_a_text_may_be_as_long_as_it_says_and_no_longer(name: str, longest: int) -> None:
    assert clean(PLACED | {name: "长" * longest}, NOW).raw[name] == "长" * longest
    with pytest.raises(BodyTooLarge) as refusal:
        clean(PLACED | {name: "长" * (longest + 1)}, NOW)
    assert refusal.value.place == name


def test_blank_members_are_missing_ones() -> None:
    report = clean(
        {"lon": "", "lat": None, "address": " 花园路 ", "channel": " 热线 ", "text": "  ", "accuracy_m": ""}, NOW
    )
    assert (report.lon, report.address, report.channel, report.text, report.accuracy_m) == (
        None,
        "花园路",
        "热线",
        None,
        None,
    )


def test_numbers_are_taken_as_the_text_of_a_text_field() -> None:
    assert clean(PLACED | {"external_id": 42}, NOW).external_id == "42"


def test_a_report_without_place_or_channel_says_what_it_needs() -> None:
    with pytest.raises(FieldMissing, match="address"):
        clean({"channel": "x"}, NOW)
    with pytest.raises(FieldMissing, match="channel"):
        clean({"lon": 121.2, "lat": 32.05}, NOW)


def test_a_bad_place_is_refused_even_where_an_address_would_do() -> None:
    with pytest.raises(GridError):
        clean({"lon": 0, "lat": 0, "address": "花园路", "channel": "x"}, NOW)
