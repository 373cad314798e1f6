"""Laws A1 to A4: one line a record, chained, so that any change is found and located."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from storecore import (
    Action,
    Decision,
    DecisionRecord,
    InvalidData,
    InvalidName,
    NotSerializable,
    Order,
    OrderRecord,
    OrderResult,
    StorageError,
)
from storecore.audit.chain import audit_report, follow_chain
from storecore.audit.records import (
    GENESIS,
    Link,
    chain,
    chained,
    day_bounds,
    decision_bodies,
    decision_body,
    decision_entry,
    decode_record,
    end_of,
    line_after,
    moment_and_day,
    order_bodies,
    order_body,
    order_entry,
    select_records,
)
from storecore.values.times import time_range

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
text = st.text(st.characters(exclude_categories=["Cs"]))


def log(count, reasoning="cheap"):
    """Return the lines of a log of decisions, each with its place, and its end."""
    lines, last = [], GENESIS
    for row in range(1, count + 1):
        decision = Decision("AAPL", Action.BUY, 0.5, 0.9, reasoning)
        line, last = chained(decision_entry("value", decision), last)
        lines.append((f"line {row}", line))
    return lines, last


def forged(body):
    """Return a line of any body with the hash that it should have."""
    return b'%b,"hash":"%b"}\n' % (body, sha256(body).hexdigest().encode())


def test_a1_a_record_is_one_line_of_json():
    ((_, line),), _ = log(1)
    assert line.count(b"\n") == 1
    assert list(json.loads(line)) == ["seq", "timestamp", "strategy", "decision", "prev", "hash"]


def test_a1_a_record_is_logged_now_in_utc(decision):
    before = datetime.now(UTC)
    stamp = decision_entry("value", decision()).timestamp
    assert before <= stamp <= datetime.now(UTC)
    assert stamp.tzinfo is UTC


def test_a3_a_hash_covers_the_bytes_of_the_line_before_it():
    ((_, line),), end = log(1)
    body = line[: line.rindex(b',"hash":"')]
    assert json.loads(line)["hash"] == sha256(body).hexdigest() == end.hash


def test_a3_each_record_follows_the_one_before():
    lines, _ = log(3)
    records = [decode_record(line, DecisionRecord) for _, line in lines]
    assert [record.seq for record in records] == [1, 2, 3]
    assert [record.prev for record in records] == ["", records[0].hash, records[1].hash]


@given(reasoning=text | st.just('","hash":"') | st.just("\n"), strategy=text)
def test_every_decision_comes_back_from_its_line(reasoning, strategy):
    entry = decision_entry(strategy, Decision("AAPL", Action.EXIT, 0, 1, reasoning))
    line, end = chained(entry, Link(6, "ab"))
    assert decode_record(line, DecisionRecord) == replace(entry, seq=7, prev="ab", hash=end.hash)


def test_an_order_and_its_result_come_back_from_their_line(order):
    entry = order_entry("value", order(), OrderResult("1", "filled", 99.5, 10))
    line, end = chained(entry, GENESIS)
    assert decode_record(line, OrderRecord) == replace(entry, seq=1, hash=end.hash)


def test_a_line_continues_the_log_that_it_is_given(decision):
    entry = decision_entry("value", decision())
    first = line_after(None, entry)
    second = line_after(first, entry)
    assert follow_chain([("1", first), ("2", second)]) == (end_of(second), None)


@pytest.mark.parametrize(
    "line", [b"", b'{"seq":1,"prev":"","hash":"00"}\n', forged(b"no json"), forged(b'{"seq":1')]
)
def test_what_was_not_logged_ends_no_chain(line):
    with pytest.raises(ValueError, match=r"."):
        end_of(line)


@given(data=st.data())
def test_a3_any_other_byte_in_a_line_is_noticed(data):
    ((_, line),), _ = log(1)
    at = data.draw(st.integers(0, len(line) - 1))
    byte = data.draw(st.integers(0, 255).filter(lambda byte: byte != line[at]))
    edited = line[:at] + bytes([byte]) + line[at + 1 :]
    with pytest.raises(ValueError, match=r"."):
        decode_record(edited, DecisionRecord)
    assert follow_chain([("line 1", edited)])[1].kind == "edited"


def test_a_line_of_another_log_is_none_of_this_one():
    ((_, line),), _ = log(1)
    with pytest.raises(ValueError, match="order"):
        decode_record(line, OrderRecord)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_a3_an_unchanged_log_is_followed_to_its_end(count):
    lines, end = log(count)
    assert follow_chain(lines) == (end, None)


@pytest.mark.parametrize(
    ("change", "kind", "place"),
    [
        (lambda lines: lines[1:], "missing", "line 2"),
        (lambda lines: [lines[0], *lines[2:]], "missing", "line 3"),
        (lambda lines: [lines[0], lines[2], lines[1]], "reordered", "line 3"),
        (lambda lines: [lines[0], *lines], "duplicated", "line 1"),
        (lambda lines: [*lines, lines[0]], "duplicated", "line 1"),
        (lambda lines: [*lines, ("line 4", log(2, "dear")[0][1][1])], "edited", "line 4"),
        (lambda lines: [lines[0], ("line 2", b"\n"), lines[2]], "edited", "line 2"),
        (
            lambda lines: [lines[0], ("line 2", lines[1][1].replace(b"0.5", b"0.6")), lines[2]],
            "edited",
            "line 2",
        ),
        (
            lambda lines: [lines[0], ("line 2", log(2, "dear")[0][1][1]), lines[2]],
            "edited",
            "line 1",
        ),
        (lambda lines: [("line 1", log(1, "dear")[0][0][1]), *lines[1:]], "edited", "line 1"),
        (lambda lines: [("line 1", forged(b"no json"))], "edited", "line 1"),
        (lambda lines: [("line 1", forged(b"[1"))], "edited", "line 1"),
        (lambda lines: [("line 1", forged(b'{"seq":"1","prev":""'))], "edited", "line 1"),
        (lambda lines: [("line 1", forged(b'{"prev":""'))], "edited", "line 1"),
        (lambda lines: [("line 1", forged(b'{"seq":1,"prev":"00"'))], "edited", "line 1"),
        (
            lambda lines: [("line 1", sha256(b"").hexdigest().encode() + b'"}\n')],
            "edited",
            "line 1",
        ),
    ],
)
def test_a3_an_edit_a_removal_and_a_reordering_are_found_where_they_begin(change, kind, place):
    lines, _ = log(3)
    _, broken = follow_chain(change(lines))
    assert (broken.kind, broken.place) == (kind, place)


def test_a3_a_record_out_of_place_is_reported_with_the_one_that_was_expected():
    lines, _ = log(3)
    _, broken = follow_chain([lines[0], lines[2]])
    assert broken.detail == "expected record 2, found record 3"


def test_a3_the_chain_ends_before_its_first_break():
    lines, _ = log(3)
    end, _ = follow_chain([lines[0], lines[2]])
    assert end.seq == 1


def test_a_report_counts_records_and_gives_the_head_of_each_log():
    one, end = log(1)
    report = audit_report({"decisions": one, "orders": []})
    assert (report.checked, report.heads, report.ok) == (
        1,
        {"decisions": end.hash, "orders": ""},
        True,
    )


def test_a_report_tells_the_break_of_each_log():
    lines, _ = log(2)
    report = audit_report({"decisions": lines[1:], "orders": lines[1:]})
    assert [finding.place for finding in report.findings] == ["line 2", "line 2"]


@pytest.fixture
def records(decision):
    """Four records, an hour apart, of two strategies in turn, the last first."""
    entry = decision_entry("", decision())
    return [
        replace(entry, seq=seq, strategy="ab"[seq % 2], timestamp=NOON + timedelta(hours=seq))
        for seq in (4, 3, 2, 1)
    ]


@pytest.mark.parametrize(
    ("strategy", "first", "last", "seqs"),
    [
        (None, 0, 9, [1, 2, 3, 4]),
        (None, 2, 3, [2, 3]),
        ("a", 0, 9, [2, 4]),
        ("b", 2, 3, [3]),
        ("c", 0, 9, []),
        (None, 9, 10, []),
    ],
)
def test_a4_the_records_of_a_range_and_a_strategy_in_the_order_of_seq(
    records, strategy, first, last, seqs
):
    span = time_range(NOON + timedelta(hours=first), NOON + timedelta(hours=last))
    assert [record.seq for record in select_records(records, span, strategy)] == seqs


def test_a4_the_clock_does_not_change_the_order(records):
    set_back = [replace(record, timestamp=NOON - record.seq * timedelta(1)) for record in records]
    span = time_range(datetime.min, datetime.max)
    assert [record.seq for record in select_records(set_back, span, None)] == [1, 2, 3, 4]


@pytest.mark.parametrize("zone", [None, UTC])
def test_t2_the_time_of_a_record_is_of_the_kind_asked_for(records, zone):
    span = time_range(datetime(2026, 1, 5, 13, tzinfo=zone), datetime(2026, 1, 5, 13, tzinfo=zone))
    (record,) = select_records(records, span, None)
    assert record.timestamp == datetime(2026, 1, 5, 13, tzinfo=zone)


@pytest.mark.parametrize("strategy", ["", "\0", 5])
def test_n2_a_strategy_that_is_no_name_is_refused(records, strategy):
    with pytest.raises(InvalidName, match=r"^strategy_name"):
        select_records(records, time_range(NOON, NOON), strategy)


def test_n3_an_order_is_logged_under_its_own_strategy(order):
    with pytest.raises(
        InvalidData, match=r"^order\.strategy_name='value': expected 'other', the str"
    ):
        order_body("other", order(), OrderResult("1", "filled"))


def test_a_decision_is_checked(decision):
    with pytest.raises(
        InvalidData, match=r"^decision\.target_weight='2': expected a finite number"
    ):
        decision_entry("value", decision(target_weight="2"))


@pytest.mark.parametrize(
    ("fields", "result", "message"),
    [
        ({"action": "HOLD"}, OrderResult("1", "filled"), r'^order\.action=.*"BUY" or "SELL"'),
        ({"quantity": "10"}, OrderResult("1", "filled"), r"^order\.quantity='10': expected"),
        (
            {"strategy_name": "other"},
            OrderResult("1", "filled"),
            r"^order\.strategy_name='other': ",
        ),
        ({}, OrderResult(None, "filled"), r"^result\.order_id=None: expected an int or a str"),
        ({}, None, r"^result: expected OrderResult, got NoneType"),
    ],
)
def test_an_order_and_its_result_are_checked(order, fields, result, message):
    with pytest.raises(InvalidData, match=message):
        order_entry("value", order(**fields), result)


@given(strategy=text, reasonings=st.lists(text, max_size=4))
def test_a1_a_batch_has_the_lines_that_its_records_have_one_by_one(strategy, reasonings):
    decisions = [Decision("AAPL", Action.BUY, 0.5, 1, each) for each in reasonings]
    lines, end = chain(decision_bodies(strategy, decisions), NOON, Link(6, "ab"))
    last = Link(6, "ab")
    for line, decision in zip(lines, decisions, strict=True):
        record = replace(decision_entry(strategy, decision), timestamp=NOON)
        assert ([line], chained(record, last)[1]) == chain(
            [decision_body(strategy, decision)], NOON, last
        )
        alone, last = chained(record, last)
        assert line == alone
    assert end == last


def test_a1_a_batch_of_orders_has_the_lines_that_they_have_one_by_one(order):
    pairs = [(order(quantity=n), OrderResult(str(n), "filled", n)) for n in (1, 2)]
    assert order_bodies("value", pairs) == [order_body("value", *pair) for pair in pairs]


ORDER = Order("value", "AAPL", "BUY", 10, "MARKET")
RESULT = OrderResult("1", "filled")


@pytest.mark.parametrize(
    ("orders", "message"),
    [
        ([None], r"^orders\[0\]: expected \(Order, OrderResult\), got NoneType"),
        (
            [(ORDER, RESULT), (replace(ORDER, strategy_name="other"), RESULT)],
            r"^orders\[1\]\.strategy_name='other': expected 'value', the strategy",
        ),
        ([()], r"^orders\[0\]: expected \(Order, OrderResult\), got tuple"),
        ([("order", OrderResult("1", "filled"))], r"^orders\[0\]: expected Order, got str"),
    ],
)
def test_a_batch_of_what_are_no_orders_is_refused(orders, message):
    with pytest.raises(InvalidData, match=message):
        order_bodies("value", orders)


def test_a1_a_clock_beyond_the_years_that_python_knows_is_a_storage_error_that_names_it():
    def now(zone):
        raise OverflowError("date value out of range")

    with pytest.raises(StorageError, match=r"clock .* in the years 1 to 9999 \(date value out of"):
        moment_and_day(now)


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (date(2026, 1, 5), "2026-01-04T00:00:00+00:00", "2026-01-06T23:59:59.999999+00:00"),
        (date.min, "0001-01-01T00:00:00+00:00", "0001-01-02T23:59:59.999999+00:00"),
        (date.max, "9999-12-30T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_a1_records_of_a_local_day_are_a_day_off_in_utc_at_most(day, first, last):
    assert [each.isoformat() for each in day_bounds(day)] == [first, last]


def test_a3_what_was_logged_before_has_the_bytes_and_the_hash_that_it_had():
    decision = Decision("AAPL", Action.BUY, 1, 0.5, "cheap")
    order = Order("value", "AAPL", "BUY", 10, "LIMIT", 9.5)
    result = OrderResult("7", "filled", 9.5, 10, "ok")
    bodies = decision_body("value", decision), order_body("value", order, result)
    (first, second), end = chain(bodies, NOON, GENESIS)
    assert b'"target_weight":1.0,' in first
    assert b'"result":{"order_id":"7","status":"filled",' in second
    assert end.hash == "573d6e0710c179e3ffa89f532780294e5632732ba4bc29df9f06aea5d807dc57"


EXTRA = {"fees": [{"usd": 0.5}, None], "": {"deep": [[]]}}


def test_a_line_without_extra_is_that_of_the_release_before():
    """Byte for byte, so that its hash stays what it was."""
    decided = decision_body("value", Decision("AAPL", Action.BUY, 0.5, 1, "why"))
    assert decided == (
        b'"strategy":"value","decision":{"symbol":"AAPL","action":"buy","target_weight":0.5,'
        b'"confidence":1.0,"reasoning":"why"},'
    )
    ordered = order_body("value", Order("value", "AAPL", "BUY", 1, "MKT"), OrderResult(7, "new"))
    assert ordered == (
        b'"strategy":"value","order":{"strategy_name":"value","symbol":"AAPL","action":"BUY",'
        b'"quantity":1,"order_type":"MKT","limit_price":null},"result":{"order_id":7,'
        b'"status":"new","fill_price":null,"fill_quantity":null,"message":null},'
    )


def test_a_line_with_extra_has_it_as_the_last_member():
    decided = decision_body("value", Decision("AAPL", Action.SELL, -0.5, 1, "why", EXTRA))
    assert decided.endswith(
        b'"reasoning":"why","extra":{"fees":[{"usd":0.5},null],"":{"deep":[[]]}}},'
    )
    inner = Order("value", "AAPL", "BUY", 1, "MKT", extra={"extra": None})
    ordered = order_body("value", inner, OrderResult(7, "new", extra={}))
    assert b'"limit_price":null,"extra":{"extra":null}},"result":{' in ordered
    assert ordered.endswith(b'"message":null,"extra":{}},')


@pytest.mark.parametrize("extra", [None, {}, EXTRA])
def test_s1_extra_comes_back_from_its_line_as_it_was(extra):
    decision = Decision("AAPL", Action.SELL, -2.5, 1, "why", extra)
    order = Order("value", "AAPL", "BUY", 1, "MKT", None, extra)
    result = OrderResult(7, "new", extra=extra)
    lines, _ = chain([decision_body("value", decision)], NOON, GENESIS)
    decided = decode_record(lines[0], DecisionRecord)
    lines_of_orders, _ = chain(order_bodies("value", [(order, result)]), NOON, GENESIS)
    ordered = decode_record(lines_of_orders[0], OrderRecord)
    assert (decided.decision, ordered.order, ordered.result) == (decision, order, result)
    assert chained(decided, GENESIS)[0] == lines[0]
    assert chained(ordered, GENESIS)[0] == lines_of_orders[0]


def test_s1_an_extra_that_json_would_change_is_refused_by_its_path_in_a_batch_too():
    good, bad = Decision("AAPL", Action.BUY, 1, 1, "", {}), {"a": {"b": {1}}}
    with pytest.raises(NotSerializable, match=r"^decision\.extra: \$\.a\.b: \{1\}: JSON"):
        decision_body("value", replace(good, extra=bad))
    with pytest.raises(NotSerializable, match=r"^decisions\[1\]\.extra: \$\.a\.b"):
        decision_bodies("value", [good, replace(good, extra=bad)])
    order, result = Order("value", "AAPL", "BUY", 1, "MKT"), OrderResult(7, "new")
    with pytest.raises(NotSerializable, match=r"^orders\[1\]\.result\.extra: \$\.a\.b"):
        order_bodies("value", [(order, result), (order, replace(result, extra=bad))])


class Sent(Order, frozen=True):
    """An order of a user's own kind."""


def test_an_order_of_a_subclass_keeps_its_extra_as_a_plain_order():
    body = order_body(
        "value", Sent("value", "AAPL", "BUY", Decimal(1), "MKT", extra=EXTRA), OrderResult(7, "new")
    )
    assert b'"quantity":1,' in body
    assert b'"extra":{"fees"' in body
