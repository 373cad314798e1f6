"""Law D2 for every kind of data: a disk that fails is named, the old is whole, and it goes on."""

from __future__ import annotations

import errno
import os
from datetime import datetime

import pytest

from storecore.errors import StorageError

ALL = datetime.min, datetime.max


class Kind:
    """A kind of data: how the nth record is written, and which have been."""

    def __init__(self, write, read):
        self.write = write
        self.read = read


@pytest.fixture
def kinds(store, event, decision, sent, fundamental):
    def documents():
        data = store.read_fundamental("AAPL")
        return list(range(data.employees + 1)) if data else []

    return {
        "events": Kind(
            lambda n: store.write_event(event(payload={"n": n})),
            lambda: [each.payload["n"] for each in store.read_events(*ALL)],
        ),
        "event batches": Kind(
            lambda n: store.write_events([event(payload={"n": n})]),
            lambda: [each.payload["n"] for each in store.read_events(*ALL)],
        ),
        "decisions": Kind(
            lambda n: store.log_decision(str(n), decision()),
            lambda: [int(each.strategy) for each in store.read_decisions(*ALL)],
        ),
        "orders": Kind(
            lambda n: store.log_order(str(n), *sent(strategy_name=str(n))),
            lambda: [int(each.strategy) for each in store.read_orders(*ALL)],
        ),
        "fundamentals": Kind(
            lambda n: store.write_fundamental("AAPL", fundamental(employees=n)), documents
        ),
        "states": Kind(
            lambda n: store.save_strategy_state("value", {"n": n}),
            lambda: list(range((store.load_strategy_state("value") or {"n": -1})["n"] + 1)),
        ),
    }


KINDS = ["events", "event batches", "decisions", "orders", "fundamentals", "states"]
FAULTS = [
    ("write", errno.ENOSPC),
    ("write", errno.EIO),
    ("write", errno.EDQUOT),
    ("fdatasync", errno.EIO),
    ("open", errno.EROFS),
    ("open", errno.EACCES),
    ("open", errno.ENOSPC),  # no inodes
    ("open", errno.EMFILE),
]


@pytest.mark.parametrize(("call", "code"), FAULTS)
@pytest.mark.parametrize("before", [0, 2])
@pytest.mark.parametrize("name", KINDS)
def test_d2_a_write_that_the_disk_refuses_leaves_the_old_and_the_next_one_works(
    store, base, kinds, name, before, call, code, failing, monkeypatch
):
    kind = kinds[name]
    for number in range(before):
        kind.write(number)
    failing(call, code)
    for _ in range(2):
        with pytest.raises(StorageError, match=os.strerror(code)) as caught:
            kind.write(before)
        assert caught.value.errno == code
        assert caught.value.path.startswith(str(base))
        assert caught.value.path in str(caught.value)
    monkeypatch.undo()
    assert kind.read() == [*range(before)]
    kind.write(before)
    assert kind.read() == [*range(before + 1)]
    assert store.verify_audit().ok


@pytest.mark.parametrize("name", KINDS)
def test_d2_a_folder_that_vanishes_and_comes_back_loses_nothing(store, base, kinds, name):
    kind = kinds[name]
    for number in range(2):
        kind.write(number)
    away = base.rename(base.with_name("away"))
    with pytest.raises(StorageError) as caught:
        kind.write(2)
    assert caught.value.errno == errno.ENOENT
    assert caught.value.path.startswith(str(base))
    assert not base.exists()
    away.rename(base)
    kind.write(2)
    assert kind.read() == [0, 1, 2]
    assert store.verify_audit().ok


FULL = """if True:
    import resource, sys
    from datetime import datetime
    from storecore import Action, Decision, Event
    from storecore_file import FileDataStore

    def tried(write):
        try:
            write()
            return "written"
        except OSError as error:
            return type(error).__name__

    day = datetime(2026, 1, 5)
    event = Event("tick", "AAPL", day, day, "test", {"text": "x" * 400})
    decision = Decision("AAPL", Action.HOLD, 0, 0, "x" * 400)
    writes = [
        lambda: store.write_events([event] * 5),
        lambda: store.log_decisions("value", [decision] * 5),
        lambda: store.save_strategy_state("value", {"text": "x" * 3000}),
    ]
    store = FileDataStore(sys.argv[1])
    store.write_event(event)
    store.log_decision("value", decision)
    store.save_strategy_state("value", {"text": ""})
    unlimited = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, unlimited[1]))
    print(*map(tried, writes))
    resource.setrlimit(resource.RLIMIT_FSIZE, unlimited)
    print(len(store.read_events(day, day)), store.verify_audit().checked,
          store.load_strategy_state("value"))
    print(*map(tried, writes))
    print(len(store.read_events(day, day)), store.verify_audit().checked, store.verify_audit().ok)
"""


def test_d2_a_disk_that_is_full_in_the_midst_of_a_write_takes_none_of_it(base, script):
    lines = script(FULL, base).communicate(timeout=30)[0].splitlines()
    assert lines == [
        "StorageError StorageError StorageError",
        "1 1 {'text': ''}",
        "written written written",
        "6 6 True",
    ]
