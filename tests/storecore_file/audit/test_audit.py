"""The room of audit (laws A1 to A4): a line a call, a file a day, and a chain through all."""

from __future__ import annotations

import errno
import json
import shutil
import time
import tracemalloc
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import pytest

from storecore.errors import CorruptData, StorageError
from storecore_file import FileDataStore
from storecore_file.fs.disk import Disk
from storecore_file.fs.handles import InPlaceFile

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def folder(base):
    return base / "audit" / "decisions"


@pytest.fixture
def clock(monkeypatch):
    """Set the clock that records are stamped with."""

    def set_to(moment):
        monkeypatch.setattr(
            "storecore_file.audit.log.datetime",
            type("Clock", (), {"now": staticmethod(lambda zone: moment.astimezone(zone))}),
        )

    set_to(NOON)
    return set_to


@pytest.fixture
def zone(monkeypatch):
    """Move this machine to another time zone."""
    with monkeypatch.context() as elsewhere:

        def move(name):
            elsewhere.setenv("TZ", name)
            time.tzset()

        move("UTC")
        yield move
    time.tzset()


@pytest.fixture
def log(store, clock, zone, decision):
    """Log decisions at given days (0: that of `clock`), one each."""

    def write(*days):
        for day in days:
            clock(NOON + day * DAY)
            store.log_decision("value", decision())

    return write


@pytest.fixture
def seqs(store, always):
    return lambda: [record.seq for record in store.read_decisions(*always)]


def names(folder):
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def lines(folder, name="2026-01-05.jsonl"):
    return (folder / name).read_bytes().splitlines(keepends=True)


def put(folder, *records, name="2026-01-05.jsonl"):
    (folder / name).write_bytes(b"".join(records))


def forged(line):
    """Return a record that was edited, its hash made again."""
    body = line[: line.rindex(b',"hash":')].replace(b'"buy"', b'"hold"')
    return b'%b,"hash":"%b"}\n' % (body, sha256(body).hexdigest().encode())


def findings(store):
    return [(each.kind, each.place, each.detail) for each in store.verify_audit().findings]


# Where records lie.


@pytest.mark.parametrize(
    ("place", "name"),
    [
        ("UTC", "2026-01-05.jsonl"),
        ("Pacific/Kiritimati", "2026-01-06.jsonl"),
        ("Etc/GMT+12", "2026-01-04.jsonl"),
    ],
)
def test_a1_the_day_is_the_local_date(store, folder, clock, zone, decision, place, name):
    zone(place)
    clock(datetime(2026, 1, 5, 11, tzinfo=UTC))
    store.log_decision("value", decision())
    assert names(folder) == [name]


@pytest.mark.parametrize("place", ["UTC", "Pacific/Kiritimati", "Etc/GMT+12"])
def test_a_record_is_read_by_its_instant_in_whatever_file_it_lies(
    store, clock, zone, decision, place
):
    zone(place)
    moment = datetime(2026, 1, 5, 11, tzinfo=UTC)
    clock(moment)
    store.log_decision("value", decision())
    (record,) = store.read_decisions(moment, moment)
    assert record.timestamp == moment


def test_a1_a_record_is_a_line_that_any_json_reader_takes(store, folder, log):
    log(0)
    (line,) = lines(folder)
    fields = json.loads(line)
    assert fields.pop("hash") == sha256(line[: line.rindex(b',"hash":')]).hexdigest()
    assert fields == {
        "seq": 1,
        "timestamp": "2026-01-05T12:00:00Z",
        "strategy": "value",
        "decision": {
            "symbol": "AAPL",
            "action": "buy",
            "target_weight": 0.5,
            "confidence": 0.9,
            "reasoning": "cheap",
        },
        "prev": "",
    }


def test_a1_orders_have_a_log_of_their_own(store, base, clock, zone, sent):
    store.log_order("value", *sent())
    (line,) = lines(base / "audit" / "orders")
    fields = json.loads(line)
    assert (fields["order"]["action"], fields["result"]["status"]) == ("BUY", "filled")
    assert names(base / "audit" / "decisions") == []


def test_a2_a_record_is_never_written_again(folder, log):
    log(0)
    before = (folder / "2026-01-05.jsonl").read_bytes()
    log(0, 1)
    after = (folder / "2026-01-05.jsonl").read_bytes()
    assert after.startswith(before)


def test_a3_the_chain_goes_on_from_day_to_day(store, folder, log, always):
    log(0, 0, 1, 3)
    assert names(folder) == ["2026-01-05.jsonl", "2026-01-06.jsonl", "2026-01-08.jsonl"]
    records = store.read_decisions(*always)
    assert [record.prev for record in records] == ["", *(each.hash for each in records[:-1])]
    assert store.verify_audit().ok


@pytest.mark.parametrize("days", [(0, 1, 0, 1), (3, 2, 1, 0), (0, 0, -40, -40, 0)])
def test_a4_a_clock_that_was_set_back_forks_no_chain(store, log, seqs, days):
    log(*days)
    assert seqs() == list(range(1, len(days) + 1))
    assert store.verify_audit().ok


def test_only_the_files_near_a_range_are_read(store, folder, log):
    log(-3, 0, 3)
    for name in ("2026-01-02.jsonl", "2026-01-08.jsonl"):
        put(folder, b"garbage\n", name=name)
    assert len(store.read_decisions(NOON, NOON)) == 1


def test_a_file_that_is_not_named_like_a_day_is_no_record(store, folder, log, seqs):
    log(0)
    for name in ("notes.jsonl", "2026-01-05.jsonl.torn", "2026-01-05.jsonl.gz"):
        put(folder, b"garbage\n", name=name)
    assert seqs() == [1]
    assert store.verify_audit().ok


@pytest.mark.parametrize(
    ("start", "end", "count"),
    [(date.min, date.max, 1), (date(2026, 1, 5), date(2026, 1, 5), 1), (date.min, date.min, 0)],
)
def test_t3_the_ends_of_time_are_bounds_too(store, log, start, end, count):
    log(0)
    assert len(store.read_decisions(start, end)) == count


@pytest.mark.parametrize(
    ("now", "place"),
    [
        (datetime.max.replace(tzinfo=UTC), "UTC"),
        (datetime.min.replace(tzinfo=UTC), "UTC"),
        (datetime.max.replace(tzinfo=UTC), "Etc/GMT+12"),
        (datetime.min.replace(tzinfo=UTC), "Etc/GMT-14"),
    ],
)
def test_a1_the_first_and_last_moments_that_python_knows_are_logged(
    store, clock, zone, decision, always, now, place
):
    clock(now)
    zone(place)
    store.log_decision("value", decision())
    (record,) = store.read_decisions(*always)
    assert record.timestamp == now
    assert store.verify().ok


@pytest.mark.parametrize(
    ("now", "place"),
    [
        (datetime.max.replace(tzinfo=UTC), "Etc/GMT-14"),
        (datetime.min.replace(tzinfo=UTC), "Etc/GMT+12"),
    ],
)
def test_d2_a_clock_whose_local_date_python_does_not_know_is_a_storage_error(
    store, clock, zone, decision, sent, always, now, place
):
    clock(now)
    zone(place)
    for write in (
        lambda: store.log_decision("value", decision()),
        lambda: store.log_orders("value", [sent()]),
    ):
        with pytest.raises(StorageError, match=r"the machine's clock gives no local date .*set"):
            write()
    assert store.verify_audit().checked == 0


# What a file's name promises.


@pytest.mark.parametrize("away", [-40, -2, 2, 40])
def test_d5_a_day_that_is_renamed_is_found_by_both_verifiers_and_by_who_reads_it(
    store, folder, log, away
):
    log(0, 1)
    other = folder / f"{date(2026, 1, 5) + timedelta(away)}.jsonl"
    (folder / "2026-01-05.jsonl").rename(other)
    (found,) = store.verify_audit().findings
    assert (found.kind, found.file) == ("misplaced", str(other))
    assert found.detail == (
        f"expected records of {other.stem}, give or take a day, found record 1 of 2026-01-05"
    )
    assert store.verify().findings == (found,)
    with pytest.raises(CorruptData, match=f"{other.stem}.*found record 1 of 2026-01-05"):
        store.read_decisions(date.min, date.max)


@pytest.mark.parametrize("away", [-1, 1])
def test_a_day_off_is_what_a_clock_in_another_zone_may_be(store, folder, log, away):
    log(0)
    (folder / "2026-01-05.jsonl").rename(folder / f"{date(2026, 1, 5) + timedelta(away)}.jsonl")
    assert store.verify().ok
    assert len(store.read_decisions(NOON, NOON)) == 1


@pytest.mark.parametrize("name", ["2026-13-05.jsonl", "2026-02-30.jsonl"])
def test_d5_a_file_that_is_named_after_no_date_is_found(store, folder, log, always, name):
    log(0)
    (folder / "2026-01-05.jsonl").rename(folder / name)
    assert findings(store) == [("misplaced", str(folder / name), "its name is no date")]
    for read in (
        lambda: store.read_decisions(*always),
        lambda: list(store.iter_audit("decisions")),
    ):
        with pytest.raises(CorruptData, match="its name is no date"):
            read()


@pytest.mark.parametrize("name", ["0001-01-01.jsonl", "9999-12-31.jsonl"])
def test_d5_the_ends_of_time_are_days_too(store, folder, log, name):
    log(0)
    (folder / "2026-01-05.jsonl").rename(folder / name)
    assert [kind for kind, _, _ in findings(store)] == ["misplaced"]


def test_d5_logs_that_took_each_others_place_are_found_and_neither_read_nor_written(
    store, base, folder, log, decision, sent, always
):
    log(0, 0)
    store.log_order("value", *sent())
    folder.rename(base / "audit" / "swapped")
    (base / "audit" / "orders").rename(folder)
    (base / "audit" / "swapped").rename(base / "audit" / "orders")
    report = store.verify_audit()
    assert [(each.kind, each.file.split("/")[-2]) for each in report.findings] == [
        ("misplaced", "decisions"),
        ("misplaced", "orders"),
    ]
    assert "it is no file of the log decisions: Object missing required field" in str(report)
    assert store.verify().findings == report.findings
    for use in (
        lambda: store.read_decisions(*always),
        lambda: store.read_orders(*always),
        lambda: store.log_decision("value", decision()),
        lambda: store.log_order("value", *sent()),
    ):
        with pytest.raises(CorruptData, match=r"no file of the log|missing required field"):
            use()


def test_d5_records_out_of_order_are_not_read(store, folder, log, always):
    log(0, 0, 0, 0)
    one, two, _, four = lines(folder)
    put(folder, one, four, two)
    with pytest.raises(CorruptData, match="out of order: record 2 follows record 4"):
        store.read_decisions(*always)


def test_d5_a_record_that_is_there_twice_is_not_read(store, folder, log, always):
    log(0)
    (one,) = lines(folder)
    put(folder, one, one)
    with pytest.raises(CorruptData, match="record 1 follows record 1"):
        store.read_decisions(*always)
    put(folder, one)
    put(folder, one, name="2026-01-06.jsonl")
    with pytest.raises(CorruptData, match="records are in two of its files"):
        store.read_decisions(*always)


def test_records_of_two_files_that_take_turns_are_read_in_order(store, clock, log, always):
    """A clock was set back: no record is in both files."""
    log(0, 1, 0, 1)
    assert [each.seq for each in store.read_decisions(*always)] == [1, 2, 3, 4]


def test_a_file_that_is_removed_while_records_are_read_has_none(store, log, always, monkeypatch):
    log(0)
    monkeypatch.setattr(Disk, "opened", lambda self, path: None)  # it was there when listed
    assert store.read_decisions(*always) == []


def test_records_of_a_moment_are_read_without_holding_those_of_the_day(
    store, clock, zone, decision
):
    store.log_decisions("value", [decision()] * 8_000)  # 14 MB as objects
    clock(NOON + timedelta(hours=1))
    store.log_decision("value", decision())
    tracemalloc.start()
    found = store.read_decisions(NOON + timedelta(minutes=30), NOON + DAY)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [each.seq for each in found] == [8_001]
    assert most < 7_000_000


def test_a_line_that_proves_itself_and_is_no_record_is_damage(store, folder, log, always):
    log(0)
    body = b'{"a":1'
    put(folder, body + b',"hash":"%b"}' % sha256(body).hexdigest().encode())
    assert "edited" in [kind for kind, _, _ in findings(store)]
    with pytest.raises(CorruptData):
        store.read_decisions(*always)


def test_a_record_that_is_nested_too_deep_says_nothing_about_its_file(store, folder, log, always):
    log(0)
    (one,) = lines(folder)
    deep = b'"more":' + b"[" * 100_000 + b"]" * 100_000 + b',"decision":{'
    put(folder, forged(one.replace(b'"decision":{', deep)))
    assert "misplaced" not in [kind for kind, _, _ in findings(store)]
    with pytest.raises(StorageError, match="nested too deep"):
        store.read_decisions(*always)


# The head, which anchors the chain's end.

NO_HEAD = [None, b"", b"garbage", b"\0" * 1024, b"garbage".ljust(1024)]


def spoil(head, content):
    """Put other bytes in the place of a head, or nothing."""
    head.unlink() if content is None else head.write_bytes(content)


@pytest.fixture
def reopened(base, decision):
    """Log a decision as another process does, which knows nothing but the files."""

    def log_one():
        with FileDataStore(base) as other:
            other.log_decision("value", decision())

    return log_one


@pytest.mark.parametrize("content", NO_HEAD, ids=repr)
def test_a3_a_log_whose_head_is_gone_could_have_been_cut(store, folder, log, content):
    log(0, 0)
    spoil(folder / ".head", content)
    (found,) = store.verify_audit().findings
    assert (found.kind, found.place) == ("headless", str(folder / ".head"))
    assert "whether records followed 2 is not known" in found.detail


@pytest.mark.parametrize("content", NO_HEAD, ids=repr)
@pytest.mark.parametrize("days", [(0, 0), (0, 1), (1, 0)])
def test_a3_a_log_that_went_on_without_its_head_says_so_for_ever(
    store, folder, log, seqs, reopened, content, days
):
    log(*days)
    spoil(folder / ".head", content)
    reopened()
    reopened()
    log(2, 3)
    assert seqs() == [1, 2, 3, 4, 5, 6]
    (found,) = store.verify_audit().findings
    assert found.kind == "headless"
    assert "cut off before record 3 is not known" in found.detail


def test_a3_a_cut_is_not_hidden_by_what_is_logged_after_it_without_a_head(
    store, folder, log, reopened
):
    log(0, 0, 0)
    put(folder, *lines(folder)[:2])
    (folder / ".head").unlink()
    reopened()
    assert [found.kind for found in store.verify_audit().findings] == ["headless"]


@pytest.mark.parametrize("cut", [1, 2])
def test_a3_a_cut_is_not_hidden_by_a_head_of_which_one_entry_is_damaged(
    store, folder, log, reopened, cut
):
    log(0, 0, 0, 0)
    head = folder / ".head"
    for entry in (slice(0, 512), slice(512, 1024)):
        content = bytearray(head.read_bytes())
        content[entry] = b"garbage".ljust(512)
        with_four = lines(folder)
        put(folder, *with_four[:-cut])
        whole = head.read_bytes()
        head.write_bytes(content)
        assert store.verify_audit().findings
        put(folder, *with_four)
        head.write_bytes(whole)
    put(folder, *lines(folder)[:-cut])
    head.write_bytes(content)
    reopened()
    assert store.verify_audit().findings


def test_a_head_that_is_taken_from_a_writer_is_reported_and_the_log_goes_on(
    store, folder, log, seqs
):
    log(0, 0)
    (folder / ".head").unlink()
    log(0, 1)
    assert seqs() == [1, 2, 3, 4]
    assert [found.kind for found in store.verify_audit().findings] == ["headless"]


@pytest.mark.parametrize("records", [1, 2, 3])
@pytest.mark.parametrize("torn", [1, 60, 511])
def test_a_head_that_a_crash_tore_is_healed_by_the_log(
    store, folder, log, seqs, reopened, records, torn
):
    log(*[0] * records)
    before = (folder / ".head").read_bytes().ljust(1024, b"\0")
    log(0)
    after = (folder / ".head").read_bytes().ljust(1024, b"\0")
    changed = next(at for at in (0, 512) if before[at : at + 512] != after[at : at + 512])
    (folder / ".head").write_bytes(after[: changed + torn] + before[changed + torn :])
    assert store.verify_audit().ok
    reopened()
    assert store.verify_audit().ok
    assert seqs() == [*range(1, records + 3)]


def test_d5_no_flipped_bit_of_a_head_makes_a_whole_log_a_cut_one(store, folder, log, flipped_bytes):
    log(0, 0, 0)
    kinds = {
        tuple(found.kind for found in store.verify_audit().findings)
        for _ in flipped_bytes(folder / ".head")
    }
    assert kinds == {("headless",), ()}  # the newest entry damaged is what a crash leaves


def test_a3_a_last_record_that_was_made_again_with_its_hash_is_found_by_the_head(
    store, folder, log
):
    log(0, 0)
    one, two = lines(folder)
    put(folder, one, forged(two))
    (found,) = store.verify_audit().findings
    assert (found.kind, found.line, found.detail) == (
        "edited",
        2,
        "record 2 is not the one that the head records",
    )
    assert store.verify_audit().checked == 1


def test_a_head_of_one_entry_without_padding_is_read(store, folder, log, seqs, reopened):
    log(0, 0)
    head = folder / ".head"
    entries = [head.read_bytes()[at : at + 512].strip(b" ") for at in (0, 512)]
    head.write_bytes(max(entries, key=lambda entry: json.loads(entry)["seq"]))
    assert store.verify_audit().ok
    reopened()
    assert seqs() == [1, 2, 3]
    assert store.verify_audit().ok


def test_d2_a_record_that_is_written_is_logged_though_the_head_cannot_follow(
    log, caplog, seqs, failing
):
    log(0)
    failing("pwrite")
    log(0)
    assert seqs() == [1, 2]
    assert "the head of the audit log stays behind" in caplog.text


@pytest.mark.parametrize("then", [0, 1, -1])
@pytest.mark.parametrize("behind", [1, 2])
def test_a_head_that_is_behind_the_log_follows_it(store, folder, log, seqs, behind, then):
    log(0)
    head = (folder / ".head").read_bytes()
    log(*[0] * behind)
    (folder / ".head").write_bytes(head)
    assert store.verify_audit().ok
    log(then)
    assert seqs() == list(range(1, behind + 3))
    assert store.verify_audit().ok


@pytest.mark.parametrize("then", [1, 2])
def test_a_crash_right_after_the_first_record_of_a_day_loses_it_from_no_chain(
    store, folder, log, seqs, then, monkeypatch
):
    log(0)
    with monkeypatch.context() as crash:

        def killed(*_):
            raise KeyboardInterrupt

        crash.setattr(InPlaceFile, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            log(1)
    log(then)
    assert seqs() == [1, 2, 3]
    assert store.verify_audit().ok


def test_a_crash_before_the_first_record_of_a_day_leaves_no_gap(
    store, log, seqs, failing, monkeypatch
):
    log(0)
    failing("fdatasync", errno.EIO, after=1)
    with pytest.raises(StorageError, match=r"2026-01-06\.jsonl"):
        log(1)
    monkeypatch.undo()
    log(1)
    assert seqs() == [1, 2]
    assert store.verify_audit().ok


def test_d3_a_torn_first_record_of_a_day_does_not_begin_the_chain_anew(
    folder, log, seqs, failing, monkeypatch, caplog
):
    log(0)
    failing("fdatasync", errno.EIO, after=1)
    with pytest.raises(StorageError):
        log(1)
    monkeypatch.undo()
    put(folder, b'{"seq":2,"time', name="2026-01-06.jsonl")
    log(1)
    assert seqs() == [1, 2]


def test_d3_a_torn_record_is_set_aside_and_leaves_no_gap(store, folder, log, seqs, caplog):
    log(0)
    with (folder / "2026-01-05.jsonl").open("ab") as file:
        file.write(b'{"seq":2,"time')
    assert seqs() == [1]
    assert store.verify_audit().ok
    log(0)
    assert seqs() == [1, 2]
    assert store.verify_audit().ok


@pytest.mark.parametrize("call", ["write", "fdatasync"])
def test_d2_a_record_that_cannot_be_written_is_not_in_the_log(
    store, folder, log, seqs, failing, call, monkeypatch
):
    log(0)
    failing(call)
    with pytest.raises(StorageError, match=r"2026-01-05\.jsonl: cannot append to"):
        log(0)
    monkeypatch.undo()
    log(0)
    assert seqs() == [1, 2]
    assert store.verify_audit().ok


def test_a_record_that_is_written_while_the_log_is_verified_is_no_cut_tail(
    store, log, decision, monkeypatch
):
    log(0)
    read, written = Disk.read, []

    def then_logged(self, path):
        content = read(self, path)
        if path.suffix == ".jsonl" and not written:
            written.append(path)
            store.log_decision("value", decision())
        return content

    monkeypatch.setattr(Disk, "read", then_logged)
    assert findings(store) == []


# What was tampered with.


def test_a3_an_edited_record_is_found(store, folder, log):
    log(0, 0, 0)
    one, two, three = lines(folder)
    put(folder, one, two.replace(b'"buy"', b'"hold"'), three)
    place = f"{folder / '2026-01-05.jsonl'}, line 2"
    detail = "the line does not match its hash"
    assert findings(store) == [("edited", place, detail)]


def test_a3_an_edited_record_whose_hash_was_made_again_is_found_by_the_next(store, folder, log):
    log(0, 0, 0)
    one, *others = lines(folder)
    put(folder, forged(one), *others)
    place = f"{folder / '2026-01-05.jsonl'}, line 1"
    detail = "it is not the record 1 that precedes record 2"
    assert findings(store) == [("edited", place, detail)]


def test_a3_a_finding_says_file_line_and_offset(store, folder, log):
    log(0, 1, 1, 1)
    path = folder / "2026-01-06.jsonl"
    two, three, four = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(two + three.replace(b"cheap", b"cheep") + four)
    (found,) = store.verify_audit().findings
    assert (found.file, found.line, found.offset) == (str(path), 2, len(two))


def test_a3_a_removed_record_is_found(store, folder, log):
    log(0, 0, 0)
    one, _, three = lines(folder)
    put(folder, one, three)
    place = f"{folder / '2026-01-05.jsonl'}, line 2"
    assert findings(store) == [("missing", place, "expected record 2, found record 3")]


def test_a3_swapped_records_are_found(store, folder, log):
    log(0, 0, 0)
    one, two, three = lines(folder)
    put(folder, one, three, two)
    place = f"{folder / '2026-01-05.jsonl'}, line 2"
    assert findings(store) == [("reordered", place, "expected record 2, found record 3")]


def test_a3_a_record_that_was_put_in_twice_is_found(store, folder, log):
    log(0, 0)
    one, two = lines(folder)
    put(folder, one, two, two)
    place = f"{folder / '2026-01-05.jsonl'}, line 3"
    assert findings(store) == [("duplicated", place, "expected record 3, found record 2")]


def test_a3_a_removed_day_is_found(store, folder, log):
    log(0, 1, 2)
    (folder / "2026-01-06.jsonl").unlink()
    place = f"{folder / '2026-01-07.jsonl'}, line 1"
    assert findings(store) == [("missing", place, "expected record 2, found record 3")]


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_a3_a_cut_tail_is_found(store, folder, log, kept):
    log(0, 0, 0)
    put(folder, *lines(folder)[:kept])
    place = str(folder / "2026-01-05.jsonl")
    assert findings(store) == [("truncated", place, f"ends at record {kept} of 3")]


@pytest.mark.parametrize(
    "removed", [["2026-01-06.jsonl"], ["2026-01-05.jsonl", "2026-01-06.jsonl"]]
)
def test_a3_removed_last_days_are_found(store, folder, log, removed):
    log(0, 1)
    for name in removed:
        (folder / name).unlink()
    assert [kind for kind, _, _ in findings(store)] == ["truncated"]


@pytest.mark.parametrize("then", [0, 1])
def test_a3_a_record_after_a_cut_tail_goes_on_after_the_cut_number(store, folder, log, seqs, then):
    log(0, 0, 0)
    put(folder, *lines(folder)[:2])
    log(then)
    assert seqs() == [1, 2, 4]
    assert [detail for _, _, detail in findings(store)] == ["expected record 3, found record 4"]


def test_a3_garbage_between_records_is_found(store, folder, log):
    log(0, 0)
    one, two = lines(folder)
    put(folder, one, b"garbage\n", two)
    assert [(kind, place[-6:]) for kind, place, _ in findings(store)] == [("edited", "line 2")]


def test_a3_both_logs_are_followed(store, base, log, sent):
    log(0)
    store.log_order("value", *sent())
    for kind in ("decisions", "orders"):
        put(base / "audit" / kind, b"garbage\n")
    report = store.verify_audit()
    assert [each.place.split("/")[-2] for each in report.findings] == ["decisions", "orders"]
    assert (report.ok, report.checked, report.heads) == (False, 0, {"decisions": "", "orders": ""})


def test_the_heads_of_a_log_that_was_rewritten_whole_are_others(store, folder, log, tmp_path):
    log(0, 0)
    known = store.verify_audit().heads["decisions"]
    shutil.rmtree(folder)
    folder.mkdir()
    log(1, 1)
    report = store.verify_audit()
    assert report.ok
    assert report.heads["decisions"] != known


def test_d5_every_flipped_bit_of_a_log_is_found(store, folder, log, flipped_bytes):
    log(0, 0)
    path = folder / "2026-01-05.jsonl"
    unnoticed = [position for position in flipped_bytes(path) if store.verify_audit().ok]
    assert unnoticed == []


def test_d5_a_log_with_an_edited_record_is_not_read(store, folder, log, always):
    log(0, 0)
    one, two = lines(folder)
    put(folder, one.replace(b'"buy"', b'"hold"'), two)
    with pytest.raises(CorruptData, match="does not match its hash") as caught:
        store.read_decisions(*always)
    assert caught.value.path == str(folder / "2026-01-05.jsonl")


def test_d5_a_record_of_the_other_log_is_not_taken_for_one_of_this(store, base, log, sent, always):
    log(0)
    store.log_order("value", *sent())
    put(base / "audit" / "decisions", *lines(base / "audit" / "orders"))
    with pytest.raises(CorruptData):
        store.read_decisions(*always)


def test_d5_a_chain_is_not_continued_after_a_last_record_that_was_edited(store, folder, log):
    log(0, 0)
    (folder / ".head").unlink()
    one, two = lines(folder)
    put(folder, one, two.replace(b'"buy"', b'"hold"'))
    with pytest.raises(CorruptData) as caught:
        log(0)
    assert caught.value.path == str(folder / "2026-01-05.jsonl")


def test_d5_a_damaged_newline_at_the_end_is_noticed(store, base, decision, always):
    store.log_decision("value", decision())
    (log,) = (base / "audit" / "decisions").glob("*.jsonl")
    log.write_bytes(log.read_bytes()[:-1] + b"\x0b")
    with pytest.raises(CorruptData):
        store.read_decisions(*always)
    assert [finding.kind for finding in store.verify_audit().findings] == ["edited"]
