"""History on file: questions beside writers, crashes, damage, pruning."""

import threading
from datetime import UTC, datetime, timedelta

import pytest

from storecore import Event, FundamentalData, PriceBar
from storecore.errors import ConfigError, CorruptData, HistoryPruned, InvalidData, StorageError
from storecore.values.times import EARLIEST, to_datetime
from storecore_file import FileDataStore
from storecore_file.bars import batch, compaction
from storecore_file.bars.history import BarHistory
from storecore_file.bars.locked_series import LockedSeries
from storecore_file.events.collection import Events
from storecore_file.events.history import EventHistory
from storecore_file.fs.disk import Disk
from storecore_file.fs.locks import Locked
from storecore_file.fs.logs import Log
from storecore_file.fs.rollback import Rollback
from storecore_file.fs.seal import sealed
from storecore_file.fundamentals import Fundamentals
from storecore_file.history import FileClock

DAY = datetime(2026, 1, 5, tzinfo=UTC)
ALL = DAY - timedelta(days=9), DAY + timedelta(days=9)


def bar(close, number=0, symbol="AAPL"):
    return PriceBar(symbol, DAY + timedelta(number), 1.0, 9.0, 0.5, close, 7)


def filing(employees, symbol="AAPL"):
    data = {"company_name": "Apple", "cik": "1", "raw_xml": "", "employees": employees}
    return FundamentalData(symbol=symbol, timestamp=DAY, **data)


def event(number):
    return Event("tick", "AAPL", DAY, DAY, "test", {"n": number})


def write_bar(store, value):
    store.write_bars("AAPL", [bar(float(value))])


def write_filing(store, value):
    store.write_fundamental("AAPL", filing(value))


def write_event(store, value):
    store.delete_events(*ALL)
    store.write_event(event(value))


def values(store, kind, **about):
    if kind == "bars":
        return [each.bar.close for each in store.bar_versions("AAPL", **about)]
    if kind == "fundamentals":
        return [each.data.employees for each in store.fundamental_versions("AAPL", **about)]
    return [each.event.payload["n"] for each in store.event_versions(**about)]


WRITES = {"bars": write_bar, "fundamentals": write_filing, "events": write_event}
LOGS = {
    "bars": "history/prices/AAPL/1d.jsonl",
    "fundamentals": "history/fundamentals/AAPL.jsonl",
    "events": "history/events/2026-01-05.jsonl",
}


@pytest.fixture
def open_again(base):
    """Open the store, with options."""
    return lambda **options: FileDataStore(base, durability="os", lock_timeout=5, **options)


@pytest.fixture
def store(open_again):
    with open_again() as opened:
        yield opened


@pytest.fixture(params=WRITES)
def kind(request):
    return request.param


def test_a_store_that_is_only_written_has_no_clock_and_no_history(store, base, kind):
    store.write_bars("AAPL", [bar(1.0)])
    store.write_fundamental("AAPL", filing(1))
    store.write_event(event(1))
    assert not (base / "history").exists()


def test_what_is_replaced_is_read_by_another_process(store, open_again, kind):
    for value in (1, 2, 2, 3):
        WRITES[kind](store, value)
    with open_again() as other:
        assert values(other, kind)[-1] == 3
        assert values(other, kind) == values(store, kind)


# Law K3: a writer that is held between taking its instant and publishing


@pytest.mark.parametrize("asked_before", [False, True])
@pytest.mark.parametrize(
    ("kind", "place", "name"),
    [
        ("bars", LockedSeries, "_publish"),
        ("bars", BarHistory, "keep"),
        ("fundamentals", Fundamentals, "_keep"),
        ("events", EventHistory, "keep"),
    ],
)
def test_k3_a_write_that_shows_after_a_question_is_recorded_after_it(
    store, open_again, monkeypatch, kind, place, name, asked_before
):
    WRITES[kind](store, 1)
    if asked_before:
        store.recorded_now()
    held, asked, go_on = threading.Event(), [], threading.Event()
    real = getattr(place, name)

    def wait(self, *given):
        if threading.current_thread() is not threading.main_thread():
            held.set()
            go_on.wait(0.3)
        return real(self, *given)

    monkeypatch.setattr(place, name, wait)
    writing = threading.Thread(target=WRITES[kind], args=(store, 2))
    writing.start()
    held.wait(5)
    with open_again() as other:
        moment = other.recorded_now()
        asked.append(values(other, kind, recorded=moment))
        go_on.set()
        writing.join()
        assert values(other, kind, recorded=moment) == asked[0]
    assert values(store, kind, recorded=store.recorded_now()) == [2]


@pytest.mark.parametrize("asked_before", [False, True])
def test_k3_a_rename_that_shows_after_a_question_is_recorded_after_it(
    store, open_again, kind, monkeypatch, asked_before
):
    WRITES[kind](store, 1)
    if asked_before:
        store.recorded_now()
    held, go_on, real = threading.Event(), threading.Event(), Fundamentals.copy_symbol

    def wait(self, *given):
        real(self, *given)
        held.set()
        go_on.wait(0.3)

    monkeypatch.setattr(Fundamentals, "copy_symbol", wait)
    renaming = threading.Thread(target=store.rename_symbol, args=("AAPL", "NEW"))
    renaming.start()
    held.wait(5)
    with open_again() as other:
        moment = other.recorded_now()
        asked = by_symbol(other, kind, moment)
        go_on.set()
        renaming.join()
        assert by_symbol(other, kind, moment) == asked
    assert by_symbol(store, kind, store.recorded_now()) == {"NEW": 1}


def by_symbol(store, kind, moment):
    if kind == "events":
        return {each.event.symbol: 1 for each in store.event_versions(recorded=moment)}
    read = store.bar_versions if kind == "bars" else store.fundamental_versions
    return {symbol: 1 for symbol in ("AAPL", "NEW") if read(symbol, recorded=moment)}


def test_k3_a_write_takes_another_instant_if_the_clock_has_reached_its_own(store, monkeypatch):
    store.write_bars("AAPL", [bar(1.0)])
    store.recorded_now()
    real, moments = FileClock.publishing, []

    def overtaken(self, instant):
        if len(moments) < 2:
            moments.append(store.recorded_now())
        return real(self, instant)

    monkeypatch.setattr(FileClock, "publishing", overtaken)
    store.write_bars("AAPL", [bar(2.0)])
    assert store.bar_versions("AAPL")[1].recorded_at > moments[1]
    assert values(store, "bars", recorded=moments[1]) == [1.0]


def test_k3_several_series_are_staged_again_if_the_clock_has_gone_on(store, monkeypatch):
    real, moments = FileClock.publishing, []

    def overtaken(self, instant):
        if not moments:
            moments.append(store.recorded_now())
        return real(self, instant)

    bars = [bar(float(number), number, symbol) for symbol in ("A", "B") for number in range(9)]
    store.write_bar_table(table(bars))
    store.recorded_now()
    monkeypatch.setattr(FileClock, "publishing", overtaken)
    monkeypatch.setattr("storecore_file.bars.collection.FEW_ROWS", 1)
    store.write_bar_table(table([each for each in bars if each.close > 5]), replace=True)
    for symbol in ("A", "B"):
        assert len(store.bar_versions(symbol, recorded=moments[0])) == 9
        assert len(store.read_bars(symbol)) == 3


# Law K3: a write of several series or days that fails, and is rolled back, after a question


def fails_at_last(monkeypatch, before):
    """Let a write of several series fail once all are in place and `before` has run."""
    real = batch.all_or_none

    def last_step():
        before()
        raise StorageError("failed at last")

    def failing(upserts, threads, _):
        return real(upserts, threads, last_step)

    monkeypatch.setattr("storecore_file.bars.collection.all_or_none", failing)
    monkeypatch.setattr("storecore_file.bars.collection.FEW_ROWS", 0)


OLD = [bar(float(number), number, symbol) for symbol in ("A", "B") for number in range(3)]
NEW = [bar(8.0, number, symbol) for symbol in ("A", "B", "C") for number in range(1, 5)]


@pytest.mark.parametrize("replace", [False, True])
@pytest.mark.parametrize("asked_before", [False, True])
def test_k3_what_was_answered_before_a_rollback_is_answered_again(
    store, monkeypatch, asked_before, replace
):
    moments, answers = [], []

    def ask():
        moments.append(store.recorded_now())
        answers.append(held(store, moments[0]))

    store.write_bar_table(table(OLD))
    if asked_before:
        store.recorded_now()
    present = {symbol: store.read_bars(symbol) for symbol in "ABC"}
    with monkeypatch.context() as patch:
        fails_at_last(patch, ask)
        with pytest.raises(StorageError, match="at last"):
            store.write_bar_table(table(NEW), replace=replace)
    assert answers[0]["A"] != present["A"]
    assert {symbol: store.read_bars(symbol) for symbol in "ABC"} == present
    assert held(store, moments[0]) == answers[0]
    assert held(store, store.recorded_now()) == present
    assert store.verify().ok


def held(store, moment):
    found = {symbol: store.bar_versions(symbol, recorded=moment) for symbol in "ABC"}
    return {symbol: [each.bar for each in versions] for symbol, versions in found.items()}


@pytest.mark.parametrize("asked_before", [False, True])
def test_a_rollback_that_nobody_has_seen_makes_no_versions(store, monkeypatch, asked_before):
    store.write_bar_table(table(OLD))
    if asked_before:
        store.recorded_now()
    before = {symbol: store.bar_versions(symbol) for symbol in "ABC"}
    with monkeypatch.context() as patch:
        fails_at_last(patch, lambda: None)
        with pytest.raises(StorageError, match="at last"):
            store.write_bar_table(table(NEW))
    assert {symbol: store.bar_versions(symbol) for symbol in "ABC"} == before


def test_k3_a_deletion_of_events_is_rolled_back_before_a_question_is_answered(
    store, open_again, monkeypatch
):
    asked = threading.Event()
    store.write_event(event(1))
    store.recorded_now()
    real = Rollback.roll_back

    def ask():
        with open_again() as other:
            other.recorded_now()
            asked.set()

    def beside_a_question(self):
        asking.start()
        assert not asked.wait(0.2)
        real(self)

    asking = threading.Thread(target=ask)
    monkeypatch.setattr(Rollback, "sync", stop)
    monkeypatch.setattr(Rollback, "roll_back", beside_a_question)
    with pytest.raises(StorageError, match="stopped"):
        store.delete_events(*ALL)
    asking.join()
    assert asked.is_set()


def table(bars):
    import pyarrow as pa

    names = PriceBar.__struct_fields__[:7]
    return pa.table({name: [getattr(each, name) for each in bars] for name in names})


def test_k3_a_writer_that_cannot_look_at_the_clock_writes_nothing(store, base, kind):
    """A user without the right to search `history/` would be recorded before what was asked."""
    store.recorded_now()
    clock = base / "history" / ".clock"
    clock.unlink()
    clock.symlink_to(clock)
    with pytest.raises(StorageError, match=r"\.clock: cannot look at"):
        WRITES[kind](store, 1)
    clock.unlink()
    assert values(store, kind) == []


def test_a_question_about_the_future_is_refused(store):
    with pytest.raises(InvalidData, match="future"):
        store.bar_versions("AAPL", recorded=datetime.now(UTC) + timedelta(days=1))


def test_a_store_that_is_open_for_reading_moves_no_clock(store, open_again, base):
    store.write_bars("AAPL", [bar(1.0)])
    with open_again(create=False) as reader:
        assert values(reader, "bars", recorded=reader.recorded_now()) == [1.0]
    assert not (base / "history").exists()


def test_a_medium_that_cannot_be_written_answers_all_the_same(store, monkeypatch):
    store.write_bars("AAPL", [bar(1.0)])
    refused = StorageError("read-only", None, 30)
    monkeypatch.setattr(FileClock, "_move", lambda self, at: (_ for _ in ()).throw(refused))
    assert values(store, "bars", recorded=store.recorded_now()) == [1.0]
    refused.errno = 28
    with pytest.raises(StorageError):
        store.recorded_now()


# Crashes between a log and what it belongs to


def test_a_version_that_is_still_there_is_not_past(store, kind, monkeypatch):
    WRITES[kind](store, 1)
    with monkeypatch.context() as patch:
        patch.setattr(Disk, "exchange", stop)
        patch.setattr(Disk, "stage", stage_or_stop(kind, Disk.stage))
        patch.setattr(Rollback, "sync", stop)
        with pytest.raises(StorageError):
            WRITES[kind](store, 2)
    assert values(store, kind) == [1]
    WRITES[kind](store, 3)
    assert values(store, kind) == [1, 3]
    assert len(store.corrections()) == 1


def stop(self, *given):
    raise StorageError("stopped")


def stage_or_stop(kind, real):
    """Fundamentals and events are staged before, or after, their log."""
    return stop if kind == "fundamentals" else real


def test_a_log_that_a_crash_has_left_empty_holds_nothing(store, base, kind):
    for value in (1, 2):
        WRITES[kind](store, value)
    (base / LOGS[kind]).write_bytes(b"")
    assert values(store, kind) == [2]
    assert store.corrections() == []
    assert store.prune_history(store.recorded_now()) == 0


def test_a_rename_that_is_not_done_in_all_files_yet_is_one_in_the_history(store, monkeypatch):
    store.write_event(event(1))
    with monkeypatch.context() as patch:
        patch.setattr(Events, "rename", stop)
        store.rename_symbol("AAPL", "NEW")
    before = store.event_versions()
    assert [(each.event.symbol, each.replaced_at is None) for each in before] == [
        ("AAPL", False),
        ("NEW", True),
    ]
    assert before[0].replaced_at == before[1].recorded_at
    store.compact()
    assert store.event_versions() == before


def test_documents_that_another_has_deleted_meanwhile_are_deleted_once(
    store, open_again, monkeypatch
):
    store.write_fundamental("AAPL", filing(1))
    real = Fundamentals._locked

    def late(self):
        monkeypatch.setattr(Fundamentals, "_locked", real)
        with open_again() as other:
            assert other.delete_fundamentals("AAPL", *ALL) == 1
        return real(self)

    monkeypatch.setattr(Fundamentals, "_locked", late)
    assert store.delete_fundamentals("AAPL", *ALL) == 0
    assert values(store, "fundamentals") == [1]
    assert len(store.corrections()) == 1


# Verify and repair


def test_damage_of_a_log_is_found_and_refused(store, base, kind):
    for value in (1, 2, 3):
        WRITES[kind](store, value)
    path = base / LOGS[kind]
    content = path.read_bytes()
    path.write_bytes(content.replace(b"until", b"Until", 1))
    assert [each.kind for each in store.verify().findings] == ["damaged"]
    with pytest.raises(CorruptData, match="history"):
        values(store, kind)
    path.write_bytes(content.split(b"\n", 1)[1] + content.split(b"\n", 1)[0] + b"\n")
    assert [each.kind for each in store.verify().findings] == ["damaged"]
    path.write_bytes(content)
    assert store.verify().ok


def test_a_log_that_lost_its_end_or_all_is_truncated(store, base, kind):
    for value in (1, 2, 3):
        WRITES[kind](store, value)
    path = base / LOGS[kind]
    content = path.read_bytes()
    path.write_bytes(content.splitlines(keepends=True)[0])
    assert findings(store) == [("truncated", LOGS[kind], "it ends at line 1 of 2")]
    path.unlink()
    assert findings(store) == [("truncated", LOGS[kind], "it ends at line 0 of 2")]
    path.write_bytes(content[:-1])
    assert findings(store)[0][2] == "the newline of line 2 was cut off"
    path.write_bytes(content)
    assert store.verify().ok


def findings(store):
    base = f"{store.base_path}/"
    found = store.verify().findings
    return [(each.kind, each.place.removeprefix(base), each.detail) for each in found]


def test_lines_that_were_lost_before_others_were_written_stay_a_finding(store, base, kind):
    for value in (1, 2, 3):
        WRITES[kind](store, value)
    path = base / LOGS[kind]
    path.write_bytes(path.read_bytes().splitlines(keepends=True)[0])
    WRITES[kind](store, 4)
    detail = "its end was cut off before line 2 was written"
    assert findings(store) == [("truncated", LOGS[kind], detail)]


def test_a_line_that_is_too_deep_is_no_damage_and_no_answer(store, base, kind):
    for value in (1, 2):
        WRITES[kind](store, value)
    path = base / LOGS[kind]
    line = b'{"payload":{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}}"
    path.write_bytes(sealed(line))
    assert [each[0] for each in findings(store)] == ["unchecked"]
    with pytest.raises(StorageError, match="cannot decode"):
        values(store, kind)


@pytest.mark.parametrize(
    ("kind", "place", "name"),
    [
        ("bars", BarHistory, "table"),
        ("fundamentals", Fundamentals, "_lines"),
        ("events", EventHistory, "past"),
    ],
)
def test_versions_are_read_again_if_a_writer_replaces_one_meanwhile(
    store, open_again, monkeypatch, kind, place, name
):
    WRITES[kind](store, 1)
    real, written = getattr(place, name), []

    def late(self, *given):
        found = real(self, *given)
        if not written:
            written.append(True)
            with open_again() as other:
                WRITES[kind](other, 2)
        return found

    monkeypatch.setattr(place, name, late)
    assert values(store, kind) == [1, 2]


def test_the_torn_end_of_a_log_is_moved_by_a_repair(store, base, kind):
    for value in (1, 2):
        WRITES[kind](store, value)
    path = base / LOGS[kind]
    path.write_bytes(path.read_bytes() + b'{"torn')
    assert [each.kind for each in store.verify().notes] == ["torn"]
    assert values(store, kind) == [1, 2]
    store.repair()
    assert store.verify().notes == ()
    assert path.with_name(f"{path.name}.torn").exists()
    assert len(store.corrections()) == 1
    path.with_name(".other").write_bytes(b"")
    assert [each.kind for each in store.verify().notes] == ["unknown"]
    assert store.prune_history(store.recorded_now()) == 1


def test_nothing_was_recorded_before_the_store_was_made(base, open_again):
    before = datetime.now(UTC)
    with open_again() as store:
        store.write_bars("AAPL", [bar(1.0)])
        began = to_datetime(store._clock.began(), aware=True)
        assert before <= began <= store.bar_versions("AAPL")[0].recorded_at
        assert to_datetime(store._clock.began(), aware=True) == began
    (base / ".storecore").unlink()
    with open_again() as older:
        assert older._clock.began() == EARLIEST


def test_what_is_no_file_of_history_is_a_note(store, base):
    store.recorded_now()
    (base / "history" / "other").write_bytes(b"")
    (base / "history" / "prices").mkdir()
    (base / "history" / "prices" / "file").write_bytes(b"")
    assert [each.kind for each in store.verify().notes] == ["unknown", "unknown"]


def test_a_damaged_clock_is_quarantined_and_a_damaged_horizon_stays(store, base):
    store.snapshot("first")
    (base / "history" / ".clock").write_bytes(b"x" * 128)
    (base / "history" / ".horizon").write_bytes(b"x\n")
    assert len(store.verify().findings) == 2
    store.repair()
    assert [each.place.rpartition("/")[2] for each in store.verify().findings] == [".horizon"]
    store.write_bars("AAPL", [bar(1.0)])


def test_a_horizon_that_was_removed_is_detected_and_given_up_by_a_repair(store, base, kind):
    for value in (1, 2):
        WRITES[kind](store, value)
    moment = store.recorded_now()
    store.snapshot("first")
    (base / "history" / ".horizon").unlink()
    with pytest.raises(CorruptData, match="horizon: it is missing"):
        values(store, kind, recorded=moment)
    with pytest.raises(CorruptData, match="storecore repair"):
        store.snapshots()
    assert values(store, kind) == [1, 2]
    WRITES[kind](store, 3)
    assert [each.kind for each in store.verify().findings] == ["damaged"]
    assert store.repair(dry_run=True).actions[0].startswith("would give up: it is missing")
    store.repair()
    assert (store.verify().ok, store.snapshots()) == (True, [])
    with pytest.raises(HistoryPruned):
        values(store, kind, recorded=moment)
    assert values(store, kind, recorded=store.recorded_now()) == [3]


def test_a_store_that_never_pruned_lacks_no_horizon(store, kind):
    WRITES[kind](store, 1)
    assert values(store, kind, recorded=store.recorded_now()) == [1]
    assert not store.drop_snapshot("first")
    assert store.verify().ok


def test_a_horizon_that_comes_back_while_a_repair_gives_it_up_stays(store, base):
    store.snapshot("first")
    path = base / "history" / ".horizon"
    content = path.read_bytes()
    path.unlink()
    (issue,) = [each for each in store._clock.issues() if each]
    path.write_bytes(content)
    issue.files.moved(path)
    assert [each.name for each in store.snapshots()] == ["first"]


def test_a_horizon_that_is_made_while_it_is_read_is_no_damage(store, monkeypatch):
    real, made = Disk.read, []

    def late(self, path, *given):
        found = real(self, path, *given)
        if path.name == ".horizon" and not made:
            made.append(True)
            store.snapshot("first")
        return found

    monkeypatch.setattr(Disk, "read", late)
    assert [each.name for each in store.snapshots()] == ["first"]


def test_a_horizon_is_written_though_its_lock_cannot_grow(store, monkeypatch, caplog):
    monkeypatch.setattr(Locked, "count_up", stop)
    store.snapshot("first")
    assert [each.name for each in store.snapshots()] == ["first"]
    assert "is not detected" in caplog.text


# Pruning, snapshots and the option `history`


def test_pruning_removes_lines_and_numbers_go_on(store, kind):
    for value in (1, 2):
        WRITES[kind](store, value)
    moment = store.recorded_now()
    for value in (3, 4):
        WRITES[kind](store, value)
    assert store.prune_history(moment) == 1
    assert values(store, kind) == [2, 3, 4]
    WRITES[kind](store, 5)
    assert values(store, kind) == [2, 3, 4, 5]
    assert store.verify().ok
    assert store.prune_history(store.recorded_now()) == 3
    with pytest.raises(HistoryPruned):
        values(store, kind, recorded=moment)


def test_pruning_reads_bars_only_of_the_partitions_that_had_replaced_ones(store, base):
    late = DAY + timedelta(days=200)
    store.write_bars("AAPL", [bar(1.0), bar(1.0, 1)])
    store.write_bars("AAPL", [bar(1.0, 200)])
    store.write_bars("AAPL", [bar(2.0)])
    (path,) = (base / "prices" / "AAPL").glob(f"{late:%Y-%m}*.parquet")
    content = bytearray(path.read_bytes())
    content[8:200] = bytes(192)  # its bars
    path.write_bytes(content)
    assert store.prune_history(store.recorded_now()) == 1
    assert store.corrections() == []


def test_pruning_an_empty_store_opened_to_read_makes_nothing(base, open_again):
    (base / "audit").mkdir(parents=True)
    with open_again(create=False) as reader:
        assert reader.prune_history(DAY) == 0


def test_without_history_the_horizon_moves_with_each_replacement(open_again, kind):
    with open_again(history=False) as store:
        WRITES[kind](store, 1)
        moment = store.recorded_now()
        assert values(store, kind, recorded=moment) == [1]
        WRITES[kind](store, 2)
        with pytest.raises(HistoryPruned):
            values(store, kind, recorded=moment)
        assert values(store, kind) == [2]
        store.snapshot("kept")
        WRITES[kind](store, 3)
        assert values(store, kind) == [2, 3]


def test_a_snapshot_that_comes_between_makes_a_write_keep_what_it_replaces(open_again, monkeypatch):
    with open_again(history=False) as store:
        store.write_bars("AAPL", [bar(1.0)])
        store.snapshot("first")
        monkeypatch.setattr(FileClock, "keeps", lambda self: False)
        store.write_bars("AAPL", [bar(2.0)])
        assert values(store, "bars") == [1.0, 2.0]


def test_a_snapshot_is_never_before_the_horizon(store, monkeypatch):
    real, early = FileClock.ask, [store.recorded_now()]
    instants = [1, None]
    store.prune_history(early[0])
    monkeypatch.setattr(FileClock, "ask", lambda self, at: instants.pop(0) or real(self, at))
    assert store.snapshot("first").recorded_at >= early[0]


def test_old_history_is_pruned_by_compact(open_again, monkeypatch, kind):
    with open_again(history="90d") as store:
        for value in (1, 2):
            WRITES[kind](store, value)
        store.compact()
        assert values(store, kind) == [1, 2]
        now = store._clock.ask(None) + 91 * 86_400_000_000
        monkeypatch.setattr("storecore.knowledge.clock.machine_now", lambda: now)
        monkeypatch.setattr("storecore_file.history.machine_now", lambda: now)
        store.compact()
        assert values(store, kind) == [2]


def test_an_option_that_is_no_span_is_refused(base):
    with pytest.raises(ConfigError, match="history"):
        FileDataStore(base, history="soon")


def test_dropping_a_snapshot_says_whether_there_was_one(store):
    store.snapshot("first", "a note")
    assert [(each.name, each.note) for each in store.snapshots()] == [("first", "a note")]
    assert (store.drop_snapshot("first"), store.drop_snapshot("first")) == (True, False)


def test_a_failed_log_refuses_the_write(store, kind, monkeypatch):
    WRITES[kind](store, 1)
    monkeypatch.setattr(Log, "append", stop)
    with pytest.raises(StorageError, match="stopped"):
        WRITES[kind](store, 2)
    assert values(store, kind) == [1]


def test_a_store_in_another_process_asks_for_itself(store):
    import pickle

    store.write_bars("AAPL", [bar(1.0)])
    with pickle.loads(pickle.dumps(store)) as copy:
        assert values(copy, "bars", recorded=copy.recorded_now()) == [1.0]


def test_k3_events_keep_the_order_of_writing_through_deletions_and_renamings(store):
    """Of one batch, which is recorded at one instant, and of a symbol that is named back."""
    made = [Event(kind, name, DAY, DAY, "test", {}) for kind, name in ("cA", "aA", "bB")]
    later = [Event("e", "A", DAY, DAY, "test", {}), Event("d", "B", DAY, DAY, "test", {})]
    steps = [
        lambda: store.write_events(made),
        lambda: store.delete_events(*ALL, types=["a"]),
        lambda: store.write_events(later),
        store.compact,
        lambda: store.rename_symbol("B", "M"),
        lambda: store.rename_symbol("M", "B"),
        lambda: store.rename_symbol("A", "N"),
    ]
    held = {}
    for step in steps:
        step()
        held[store.recorded_now()] = store.read_events()
    for at, events in held.items():
        assert [each.event for each in store.event_versions(recorded=at)] == events


@pytest.fixture
def append_before_publishing(open_again, monkeypatch):
    """Append a batch to the journal once a write of a series has looked there."""
    other, publish = open_again(), LockedSeries.replace

    def then(more):
        def append_before(*given, **about):
            monkeypatch.setattr(LockedSeries, "replace", publish)
            other.write_bar_table(table([bar(2.0), bar(2.0, symbol="B"), bar(2.0, symbol="C")]))
            more(other)
            return publish(*given, **about)

        monkeypatch.setattr(LockedSeries, "replace", append_before)

    return then


def delete_all(store):
    store.delete_bars("AAPL", *ALL)


def correct(store):
    store.write_bars("AAPL", [bar(3.0)])


def closes(store, moment):
    return [each.bar.close for each in store.bar_versions("AAPL", recorded=moment)]


@pytest.mark.parametrize("change", [delete_all, correct])
def test_k1_a_batch_that_a_write_has_not_seen_leaves_one_bar_a_date(
    store, append_before_publishing, change
):
    store.write_bars("AAPL", [bar(1.0)])
    append_before_publishing(lambda other: None)
    change(store)

    def held_at_each_change():
        found = store.bar_versions("AAPL")
        return [closes(store, each.recorded_at) for each in found]

    before = held_at_each_change()
    assert before == [[each.bar.close] for each in store.bar_versions("AAPL")]
    store.compact()
    assert held_at_each_change() == before
    assert store.verify().ok


@pytest.mark.parametrize("change", [delete_all, correct])
def test_k3_a_write_takes_in_a_batch_that_a_question_has_shown_before_it(
    store, append_before_publishing, change
):
    store.write_bars("AAPL", [bar(1.0)])
    asked = [store.recorded_now()]
    append_before_publishing(lambda other: asked.append(other.recorded_now()))
    change(store)
    assert [closes(store, moment) for moment in asked] == [[1.0], [2.0]]
    assert [each.close for each in store.read_bars("AAPL")] == ([3.0] if change is correct else [])


def test_k3_partitions_that_are_merged_take_in_what_a_question_has_shown_before_it(
    store, append_before_publishing, monkeypatch
):
    for month in range(2):
        store.write_bars("AAPL", [bar(1.0, 31 * month)])
    asked = [store.recorded_now()]
    merge = compaction.merge

    def append_before_merge(*given, **about):
        monkeypatch.setattr(compaction, "merge", merge)
        append_before_publishing(lambda other: asked.append(other.recorded_now()))
        return merge(*given, **about)

    monkeypatch.setattr(compaction, "merge", append_before_merge)
    store.write_bars("AAPL", [bar(1.0, 62)])
    assert [closes(store, moment) for moment in asked] == [[1.0, 1.0], [2.0, 1.0, 1.0]]
    assert store.verify().ok
