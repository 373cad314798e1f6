"""What a record says of itself: how a line has it, and how an earlier release is kept from it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from storecore import Action, Decision, InvalidData, Order, OrderResult, Read
from storecore.audit.context import context, has_context, needs_newer_release
from storecore.audit.records import GENESIS, chain, decision_body, order_body

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
READ = Read("symbols", {}, 2, "ab" * 32, NOON, NOON, NOON)
DECISION = Decision("AAPL", Action.BUY, 0.5, 1, '},"run":"x","prev":"')
ORDER = Order("value", "AAPL", "BUY", 1, "MKT"), OrderResult(7, "new", message="},")
WHOLE = (
    b'"as_of":"2026-01-05T12:00:00Z","run":"bt-7","reads":[{"call":"symbols","arguments":{},'
    b'"rows":2,"sha256":"' + b"ab" * 32 + b'","as_of":"2026-01-05T12:00:00Z",'
    b'"recorded":"2026-01-05T12:00:00Z","read_at":"2026-01-05T12:00:00Z"}],'
)
SAID = {
    "nothing": (None, None, None),
    "a time": (NOON, None, None),
    "a run": (None, "bt-7", None),
    "no reads": (None, None, []),
    "all": (NOON, "bt-7", [READ]),
}


def test_a_line_has_it_between_the_decision_and_the_hash_of_the_line_before():
    decided = decision_body("value", DECISION, context(NOON, "bt-7", [READ]))
    ordered = order_body("value", *ORDER, context(NOON, "bt-7", [READ]))
    for body in (decided, ordered):
        assert body.endswith(b"}," + WHOLE)
    (line,), _ = chain([decided], NOON, GENESIS)
    assert WHOLE + b'"prev":"","hash":"' in line


def test_a_time_of_any_zone_is_written_in_utc():
    east = timezone(timedelta(hours=9))
    assert context(NOON.astimezone(east), None, None) == context(NOON, None, None)
    assert context(NOON.replace(tzinfo=None), None, None) == context(NOON, None, None)
    moved = {**{name: getattr(READ, name) for name in READ.__struct_fields__}}
    moved["as_of"] = moved["recorded"] = NOON.astimezone(east)
    assert context(None, None, [moved]) == context(None, None, [READ])


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_a_body_and_a_line_that_say_something_are_recognized(said):
    for number in (1, 2):
        bodies = [decision_body("value", DECISION, context(*said))] * number
        bodies += [order_body("value", *ORDER, context(*said))]
        lines, _ = chain(bodies, NOON, GENESIS)
        for record in (*bodies, *lines):
            assert has_context(record) == needs_newer_release(record) == (said != SAID["nothing"])


def test_a_read_that_lacks_a_field_is_refused():
    with pytest.raises(InvalidData, match=r"^reads\[0\]: .*required field `call`"):
        context(None, None, [{"arguments": {}}])


REFUSED = {
    "the run that stands for all": ((None, "*", None), r'^run="\*": it stands for all runs'),
    "a read that is none": ((None, None, [7]), r"^reads\[0\]: expected a Read, got int"),
    "a field that there is not": (
        (None, None, [{"x": 1}]),
        r"^reads\[0\]: a Read has no field 'x'",
    ),
}


@pytest.mark.parametrize(("said", "words"), REFUSED.values(), ids=REFUSED)
def test_what_a_record_cannot_say_is_refused(said, words):
    with pytest.raises(InvalidData, match=words):
        context(*said)
