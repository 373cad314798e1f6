"""Laws T2, T3 and N3 of fundamentals: checked, and kept exactly as they were given."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import dateutil.tz
import numpy as np
import pandas as pd
import pytest
import pytz
from hypothesis import given
from hypothesis import strategies as st

from storecore import FundamentalData, InvalidData, NotSerializable, StorageError
from storecore.fundamentals import (
    checked_fundamental,
    decode_fundamental,
    encode_fundamental,
)

NEW_YORK = ZoneInfo("America/New_York")
text = st.text(st.characters(exclude_categories=["Cs"]))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
)
numbers = st.none() | st.integers(0, 2**70) | st.floats(0, allow_nan=False, allow_infinity=False)
offsets = st.integers(-86_399, 86_399).map(lambda seconds: timezone(timedelta(seconds=seconds)))
moments = st.datetimes(
    datetime(1, 1, 2),
    datetime(9999, 12, 30),
    timezones=st.none() | st.timezones() | offsets,
)
documents = st.builds(
    FundamentalData,
    symbol=st.just("AAPL"),
    timestamp=moments,
    company_name=text,
    cik=text,
    employees=st.none() | st.integers(),
    shares_outstanding=numbers,
    float_shares=numbers,
    industry=st.none() | text,
    category=st.none() | text,
    subcategory=st.none() | text,
    raw_xml=text,
    extra=st.none() | st.dictionaries(text, json_values, max_size=3),
)


@given(data=documents)
def test_t2_every_fundamental_is_kept_as_given(data):
    kept = checked_fundamental("AAPL", data)
    assert (kept, kept.timestamp.tzinfo) == (data, data.timestamp.tzinfo)


@given(data=documents)
def test_t2_every_fundamental_comes_back_from_its_json_as_it_was(data):
    back = decode_fundamental(encode_fundamental(data))
    assert back == data
    assert back.timestamp.isoformat() == data.timestamp.isoformat()
    assert back.timestamp.tzinfo == data.timestamp.tzinfo


@pytest.mark.parametrize(
    "stamp",
    [
        datetime(2026, 3, 8, 2, 30, tzinfo=NEW_YORK),
        datetime(2026, 3, 8, 2, 30, fold=1, tzinfo=NEW_YORK),
        datetime(2026, 11, 1, 1, 30, tzinfo=NEW_YORK),
        datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=NEW_YORK),
    ],
)
def test_t2_an_hour_that_a_clock_change_skips_or_repeats_comes_back_as_it_was(fundamental, stamp):
    back = decode_fundamental(encode_fundamental(fundamental(stamp))).timestamp
    assert (back, back.utcoffset(), back.fold, back.tzinfo) == (
        stamp,
        stamp.utcoffset(),
        stamp.fold,
        NEW_YORK,
    )


@pytest.mark.parametrize(
    "zone",
    [
        pytz.timezone("America/New_York").localize(datetime(2026, 7, 6, 9)).tzinfo,
        dateutil.tz.gettz("America/New_York"),
        NEW_YORK,
    ],
    ids=["pytz", "dateutil", "zoneinfo"],
)
def test_t2_a_time_zone_of_any_library_comes_back_as_the_zoneinfo_of_its_name(fundamental, zone):
    given_as = datetime(2026, 7, 6, 9, tzinfo=zone)
    data = checked_fundamental("AAPL", fundamental(given_as))
    for stamp in (data.timestamp, decode_fundamental(encode_fundamental(data)).timestamp):
        assert (stamp, stamp.tzinfo) == (datetime(2026, 7, 6, 9, tzinfo=NEW_YORK), NEW_YORK)
    unchecked = encode_fundamental(fundamental(given_as))
    assert unchecked == encode_fundamental(data)


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        (pytz.FixedOffset(120), 2),
        (dateutil.tz.tzutc(), 0),
        (dateutil.tz.tzoffset("X", 3600), 1),
        (dateutil.tz.tz.tzfile("/etc/localtime"), None),
        (timezone(timedelta(hours=1), "CET"), 1),
    ],
)
def test_t2_a_time_zone_without_a_name_comes_back_as_its_offset(fundamental, zone, hours):
    given_as = datetime(2026, 7, 6, 9, tzinfo=zone)
    stamp = checked_fundamental("AAPL", fundamental(given_as)).timestamp
    offset = given_as.utcoffset() if hours is None else timedelta(hours=hours)
    assert (stamp, stamp.tzinfo) == (given_as, timezone(offset))


def test_t2_pytz_before_it_is_localized_is_the_instant_that_it_is(fundamental):
    """Its offset is then that of the local time before there were zones."""
    given_as = datetime(2026, 7, 6, 9, tzinfo=pytz.timezone("Europe/Paris"))
    stamp = checked_fundamental("AAPL", fundamental(given_as)).timestamp
    assert (stamp, stamp.tzinfo) == (given_as, ZoneInfo("Europe/Paris"))
    latest = datetime(9999, 12, 31, 23, 30, tzinfo=pytz.timezone("Europe/Paris"))
    stamp = checked_fundamental("AAPL", fundamental(latest)).timestamp
    assert stamp.isoformat() == "9999-12-31T23:30:00+00:09"


def test_an_absent_extra_is_not_written_and_a_document_without_one_is_read(fundamental):
    encoded = encode_fundamental(fundamental())
    assert b"extra" not in encoded
    assert decode_fundamental(encoded).extra is None
    with_one = encode_fundamental(fundamental(extra={}))
    assert with_one == encoded.replace(b',"timezone"', b',"extra":{},"timezone"')


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"a": [{"b": (1,)}]}, r"^data\.extra: \$\.a\[0\]\.b: \(1,\): JSON cannot carry a tuple"),
        ({1: 2}, r"^data\.extra: \$: 1: a key must be a str"),
        ([], r"^data\.extra: \$: expected a dict, got list"),
    ],
)
def test_s1_an_extra_that_json_would_change_is_refused_by_its_path(fundamental, extra, message):
    with pytest.raises(NotSerializable, match=message):
        checked_fundamental("AAPL", fundamental(extra=extra))


def test_s1_subclasses_of_json_types_become_plain_in_an_extra(fundamental):
    given_as = OrderedDict(eps=np.float64(1.5), name=np.str_("x"))
    extra = checked_fundamental("AAPL", fundamental(extra=given_as)).extra
    assert repr(extra) == "{'eps': 1.5, 'name': 'x'}"


@pytest.mark.parametrize("zone", [b"Mars/Olympus", b"America", b"../passwd", b""])
def test_t2_in_a_zone_that_is_not_known_here_a_moment_keeps_its_offset(fundamental, zone):
    encoded = encode_fundamental(fundamental(datetime(2026, 1, 5, tzinfo=NEW_YORK)))
    stamp = decode_fundamental(encoded.replace(b"America/New_York", zone)).timestamp
    assert stamp.isoformat() == "2026-01-05T00:00:00-05:00"


def test_t2_where_a_zone_has_other_rules_here_a_moment_is_the_same_instant(fundamental):
    encoded = encode_fundamental(fundamental(datetime(2026, 1, 5, tzinfo=NEW_YORK)))
    stamp = decode_fundamental(encoded.replace(b"-05:00", b"-07:00")).timestamp
    assert stamp.isoformat() == "2026-01-05T02:00:00-05:00"


@pytest.mark.parametrize(
    ("given_as", "kept"),
    [
        (pd.Timestamp("2026-01-05 12:00", tz=NEW_YORK), datetime(2026, 1, 5, 12, tzinfo=NEW_YORK)),
        (np.datetime64("2026-01-05T12", "ns"), datetime(2026, 1, 5, 12)),
        (datetime(2026, 1, 5, 12, tzinfo=UTC), datetime(2026, 1, 5, 12, tzinfo=UTC)),
    ],
)
def test_t1_a_timestamp_of_any_kind_is_kept_as_the_plain_one(fundamental, given_as, kept):
    stamp = checked_fundamental("AAPL", fundamental(given_as)).timestamp
    assert (stamp, stamp.tzinfo, type(stamp)) == (kept, kept.tzinfo, datetime)


@pytest.mark.parametrize(
    ("field", "given_as", "kept"),
    [
        ("employees", np.int64(5), 5),
        ("shares_outstanding", np.float64(1.5), 1.5),
        ("float_shares", 7, 7),
        ("industry", np.str_("tech"), "tech"),
    ],
)
def test_values_of_other_types_are_kept_as_the_plain_ones_that_they_equal(
    fundamental, field, given_as, kept
):
    value = getattr(checked_fundamental("AAPL", fundamental(**{field: given_as})), field)
    assert (value, type(value)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"symbol": "MSFT"}, r"^data\.symbol='MSFT': expected 'AAPL'"),
        ({"timestamp": date(2026, 1, 5)}, r"^data\.timestamp=.*expected a datetime, got a date"),
        ({"timestamp": "2026-01-05"}, r"^data\.timestamp='2026-01-05': expected a datetime"),
        ({"timestamp": pd.NaT}, r"^data\.timestamp=NaT"),
        (
            {"timestamp": datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))},
            r"^data\.timestamp=.*outside the years",
        ),
        ({"company_name": None}, r"^data\.company_name=None: expected a str, got NoneType$"),
        ({"employees": 1.5}, r"^data\.employees=1\.5: expected a whole number or None$"),
        ({"employees": True}, r"^data\.employees=True: expected a whole number or None, got bool$"),
        (
            {"float_shares": float("inf")},
            r"^data\.float_shares=inf: expected a finite number or None$",
        ),
    ],
)
def test_what_cannot_be_kept_is_refused_with_its_field(fundamental, fields, message):
    with pytest.raises(InvalidData, match=message):
        checked_fundamental("AAPL", fundamental(**fields))


@pytest.mark.parametrize("data", [None, {}, "AAPL"])
def test_what_is_no_fundamental_is_refused(data):
    with pytest.raises(InvalidData, match=r"^data: expected a FundamentalData, got "):
        checked_fundamental("AAPL", data)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"[]",
        b"5",
        b"{}",
        b'{"timezone":null,"timestamp":5}',
        b'{"timezone":null,"timestamp":"soon"}',
        b'{"timezone":null,"timestamp":"2026-01-05"}',
        b'{"timezone":null,"timestamp":"2026-01-05","other":1}',
    ],
)
def test_what_was_no_encoded_fundamental_is_a_value_error(encoded):
    with pytest.raises(ValueError, match=r"."):
        decode_fundamental(encoded)


def test_t2_an_offset_that_text_cannot_carry_is_refused(fundamental):
    odd = timezone(-timedelta(microseconds=1))
    with pytest.raises(InvalidData, match=r"data\.timestamp=.*convert it to UTC first"):
        checked_fundamental("AAPL", fundamental(datetime(2026, 1, 5).replace(tzinfo=odd)))


class Keyed(tzinfo):
    """A time zone of another library, with a key that is none of ZoneInfo's."""

    key = ("not", "a", "zone")

    def utcoffset(self, moment):
        return timedelta(hours=2)


def test_t2_a_time_zone_of_another_library_comes_back_as_its_offset(fundamental):
    data = fundamental(datetime(2026, 1, 5).replace(tzinfo=Keyed()))
    assert decode_fundamental(encode_fundamental(data)) == data


def test_d5_a_time_zone_that_cannot_be_read_is_no_other_answer(fundamental, monkeypatch):
    encoded = encode_fundamental(fundamental(datetime(2026, 1, 5, tzinfo=ZoneInfo("Asia/Tokyo"))))

    def refuse(zone):
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("storecore.values.zones.ZoneInfo", refuse)
    with pytest.raises(StorageError, match="cannot read the time zone 'Asia/Tokyo': Too many"):
        decode_fundamental(encoded)
