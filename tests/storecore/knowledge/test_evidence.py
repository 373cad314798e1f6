"""Evidence proves itself without storecore, and whatever is forged in it is rejected."""

from __future__ import annotations

import json
import runpy
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from io import StringIO
from math import inf, nan
from os import mkfifo
from pathlib import Path
from struct import pack

import pyarrow.parquet as pq
import pytest
from msgspec.structs import asdict

from storecore import StorageError
from storecore.builtin.memory import MemoryDataStore
from storecore.knowledge import verifier
from storecore.knowledge.evidence import evidence
from storecore.store.wrapper import Wrapper
from storecore.values.times import EVER, time_range

sys.path.append(str(Path(__file__).parent))
from reading import FIRST, bar, decide, fill, order

VERIFIER = Path(verifier.__file__)
SECRET = "the head that was kept"


def write(store, folder, span=EVER):
    for name, content in evidence(store, span):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The evidence of a store, and the last hash of its decisions."""
    with MemoryDataStore() as store:
        fill(store)
        store.write_bars("AAPL", [bar("AAPL", 3, extra={"vwap": nan, "halted": True})])
        store.write_bars("AAPL", [bar("AAPL", 4, volume=None)])
        store.write_bars("AAPL", [bar("AAPL", 5, volume=2**53 + 1, extra={"auction": FIRST})])
        for day in (3, 4, 5):
            decide(store, day, run="bt-7" if day == 4 else None)
        decide(store, 6, "MSFT")
        view = store.at(FIRST + timedelta(7))
        view.read_bar_table(["AAPL", "MSFT"], FIRST)
        view.read_bar_table("MSFT", columns=["volume", "close"])
        view.symbols()
        view.inventory()
        view.read_bars("NONE")
        now = store.at(datetime.now(UTC))
        now.read_decisions()
        order(store, view.receipt() + now.receipt())
        order(store)
        decide(store, 7)
        folder = write(store, tmp_path_factory.mktemp("evidence") / "out")
        return folder, store.verify_audit().heads["decisions"]


@pytest.fixture
def folder(written, tmp_path):
    return Path(shutil.copytree(written[0], tmp_path / "out"))


def arguments(folder, heads):
    return [str(folder), *(each for head in heads for each in ("--head", head))]


def judged(folder, *heads):
    """Return exit status and output of the verifier."""
    with redirect_stdout(StringIO()) as said:
        status = verifier.main(arguments(folder, heads))
    return status, said.getvalue()


def judged_alone(folder, *heads):
    """Return exit status and output of the verifier, run by a Python that knows nothing else."""
    command = [sys.executable, "-I", str(VERIFIER), *arguments(folder, heads)]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert done.stderr == ""
    return done.returncode, done.stdout


def test_the_evidence_is_accepted(folder, written):
    status, said = judged_alone(folder, written[1])
    assert (status, said.splitlines()[-1]) == (0, "ACCEPTED")
    assert f"decisions: the last record, number 5, has the hash {written[1]}" in said
    assert "decisions: no --head" not in said
    assert "orders: no --head was given; nothing proves that no record was removed" in said
    assert "7 records follow each other without a gap, with 21 reads" in said


def test_it_is_accepted_by_the_verifier_that_lies_in_it(folder):
    command = [sys.executable, "-I", str(folder / "verify.py")]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no --head was given" in done.stdout


def test_the_verifier_needs_the_standard_library_alone(folder):
    code = (
        "import runpy, sys; sys.argv = ['verify.py']; before = set(sys.modules);"
        "sys.stdout = open('/dev/null', 'w')\n"
        "try: runpy.run_path('verify.py', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "new = {each.partition('.')[0] for each in set(sys.modules) - before}\n"
        "assert new <= sys.stdlib_module_names, new - sys.stdlib_module_names"
    )
    done = subprocess.run([sys.executable, "-I", "-c", code], cwd=folder, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_verifier_is_a_program(folder, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["verify.py", str(folder)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(VERIFIER), run_name="__main__")
    assert (ended.value.code, capsys.readouterr().out.splitlines()[-1]) == (0, "ACCEPTED")


def test_any_hash_of_the_segment_proves_it_and_no_other(folder):
    first = json.loads((folder / "decisions.jsonl").read_bytes().splitlines()[0])["hash"]
    status, said = judged(folder, first)
    assert (status, "decisions: --head is record 1; nothing proves those after it" in said) == (
        0,
        True,
    )
    status, said = judged(folder, first, "0" * 64)
    assert (status, "no record has this hash" in said) == (1, True)


def test_the_last_hash_of_each_log_leaves_nothing_unproven(folder):
    lines = [(folder / f"{log}.jsonl").read_bytes().splitlines() for log in verifier.LOGS]
    status, said = judged(folder, *(json.loads(each[-1])["hash"] for each in lines))
    assert (status, "nothing proves" in said) == (0, False)


def test_evidence_without_records_proves_nothing(tmp_path):
    with MemoryDataStore() as store:
        status, said = judged(write(store, tmp_path / "out"))
    assert status == verifier.INCOMPLETE
    assert "orders: no records" in said
    assert "there are no records, so this proves nothing" in said


def test_a_folder_without_evidence_is_named(tmp_path):
    status, said = judged(tmp_path)
    assert (status, said) == (
        1,
        f"REJECTED: {tmp_path} is not a folder of evidence: it has no file evidence.json\n",
    )


def test_wrong_usage_has_a_status_of_its_own(capsys):
    with pytest.raises(SystemExit) as ended:
        verifier.main(["--hed", "x"])
    assert ended.value.code == verifier.USAGE
    assert "error: unrecognized arguments: --hed" in capsys.readouterr().err


def test_rows_are_there_exactly_as_they_were_read_in_parquet_too(folder):
    receipts = [json.loads(line) for line in (folder / "receipts.jsonl").read_bytes().splitlines()]
    read = next(each for each in receipts if each["receipt"]["call"] == "read_bars")
    lines = [json.loads(line) for line in (folder / read["rows"]).read_bytes().splitlines()]
    assert [row["close"] for row in lines] == [101.0, 102.0, 103.0]
    table = pq.read_table((folder / read["rows"]).with_suffix(".parquet"))
    assert table["close"].to_pylist() == [101.0, 102.0, 103.0]
    assert table["volume"].to_pylist() == [1001, 1002, 1003]
    whole = next(each for each in receipts if each["receipt"]["call"] == "read_bar_table")
    assert len(pq.read_table((folder / whole["rows"]).with_suffix(".parquet"))) == 14


def test_a_segment_has_the_records_of_a_range_without_a_gap(tmp_path):
    with MemoryDataStore() as store:
        fill(store)
        for day in (3, 4, 5, 6):
            decide(store, day)
        first, *_, last = (each.timestamp for each in store.read_decisions()[1:3])
        folder = write(store, tmp_path / "out", time_range(first, last))
    assert judged(folder)[0] == 0
    assert [json.loads(each)["seq"] for each in lines_of(folder / "decisions.jsonl")] == [2, 3]
    assert (folder / "orders.jsonl").read_bytes() == b""


def test_a_record_of_another_time_is_within_the_segment_if_the_clock_was_set_back(tmp_path):
    from storecore.audit.records import GENESIS, chain, decision_body
    from storecore.testing.records import decision

    lines, end = [], GENESIS
    for hours in (1, 9, 2, 8):
        made, end = chain(
            [decision_body("value", decision())], datetime(2026, 1, 5, hours, tzinfo=UTC), end
        )
        lines += made
    with MemoryDataStore() as store:
        store.append_audit("decisions", FIRST.date(), lines)
        span = time_range(datetime(2026, 1, 5, 1), datetime(2026, 1, 5, 3))
        folder = write(store, tmp_path / "out", span)
    assert len((folder / "decisions.jsonl").read_bytes().splitlines()) == 3
    assert judged(folder)[0] == 0


def test_reads_of_what_was_pruned_make_it_incomplete(tmp_path):
    with MemoryDataStore() as store:
        fill(store)
        decide(store, 3)
        store.write_bars("AAPL", [bar("AAPL", 2, 55.0)])
        assert judged(write(store, tmp_path / "kept"))[0] == 0
        store.prune_history(store.recorded_now())
        status, said = judged(write(store, tmp_path / "pruned"))
    assert (status, said.splitlines()[-1]) == (2, "INCOMPLETE")
    assert "no rows: read 0 of record 1 of decisions" in said


def test_a_store_that_cannot_give_its_lines_says_so():
    with pytest.raises(StorageError, match=r"lacks the capability Transfer"):
        next(evidence(Wrapper(MemoryDataStore(), {"AuditTrail"}), EVER))


# The forgeries


def sealed(folder):
    """Give the manifest the hashes of the files as they are."""
    path = folder / "evidence.json"
    manifest = json.loads(path.read_bytes())
    manifest["files"] = {
        name: sha256((folder / name).read_bytes()).hexdigest() for name in manifest["files"]
    }
    path.write_text(json.dumps(manifest))


def lines_of(path):
    return path.read_bytes().splitlines(keepends=True)


def edited(name, change):
    """Return a forgery that changes the lines of a file, and the manifest with them."""

    def forge(folder):
        path = folder / (name if isinstance(name, str) else name(folder))
        lines = change(lines_of(path))
        path.write_bytes(b"".join(lines))
        sealed(folder)

    return forge


def rows(call, place=0):
    """Return the file of the rows of a read."""

    def find(folder):
        found = [json.loads(line) for line in lines_of(folder / "receipts.jsonl")]
        return [each["rows"] for each in found if each["receipt"]["call"] == call][place]

    return find


def replaced(old, new, line=None):
    def change(lines):
        at = next(row for row, each in enumerate(lines) if old in each) if line is None else line
        assert old in lines[at]
        return [*lines[:at], lines[at].replace(old, new, 1), *lines[at + 1 :]]

    return change


def rehashed(line):
    body = line[: -len(',"hash":""}\n') - 64]
    return b'%b,"hash":"%b"}\n' % (body, sha256(body).hexdigest().encode())


def with_hash(old, new):
    return lambda lines: [*map(rehashed, replaced(old, new)(lines))]


def rechained(lines):
    """Return lines of which each follows the one before it."""
    prev, made = json.loads(lines[0])["prev"].encode(), []
    for line in lines:
        start = line.rindex(b'"prev":"')
        made.append(
            rehashed(
                line[:start]
                + b'"prev":"'
                + prev
                + line[start + 8 + len(json.loads(line)["prev"]) :]
            )
        )
        prev = json.loads(made[-1])["hash"].encode()
    return made


def refitted(folder, log="decisions"):
    """Give the manifest the ends of a log as they are."""
    path = folder / "evidence.json"
    manifest = json.loads(path.read_bytes())
    first, last = (json.loads(lines_of(folder / f"{log}.jsonl")[row]) for row in (0, -1))
    ends = {"first": first["seq"], "prev": first["prev"], "last": last["seq"], "hash": last["hash"]}
    manifest["logs"][log] |= ends
    path.write_text(json.dumps(manifest))
    sealed(folder)


def in_receipts(change):
    """Return a forgery of the receipts, given as objects."""

    def forge(lines):
        made = change([json.loads(line) for line in lines])
        return [json.dumps(each).encode() + b"\n" for each in made]

    return edited("receipts.jsonl", forge)


def swapped(one, other, *members):
    def change(receipts):
        for member in members:
            first, second = receipts[one], receipts[other]
            first[member], second[member] = second[member], first[member]
        return receipts

    return in_receipts(change)


def set_in(row, **values):
    def change(receipts):
        receipts[row] |= values
        return receipts

    return in_receipts(change)


def set_in_receipt(row, **values):
    def change(receipts):
        receipts[row]["receipt"] |= values
        return receipts

    return in_receipts(change)


def in_manifest(**values):
    def forge(folder):
        path = folder / "evidence.json"
        path.write_text(json.dumps(json.loads(path.read_bytes()) | values))

    return forge


def listed(name, content):
    """Return a forgery that adds a file and names it in the manifest."""

    def forge(folder):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)
        path = folder / "evidence.json"
        manifest = json.loads(path.read_bytes())
        manifest["files"][name] = ""
        path.write_text(json.dumps(manifest))
        sealed(folder)

    return forge


def unsealed(name, change):
    def forge(folder):
        path = folder / (name if isinstance(name, str) else name(folder))
        path.write_bytes(change(path.read_bytes()))

    return forge


def another_log(folder):
    """Edit a decision, chain all records anew, and fit the manifest: all of it proves itself."""
    path = folder / "decisions.jsonl"
    path.write_bytes(b"".join(rechained(replaced(b'"buy"', b'"sell"')(lines_of(path)))))
    refitted(folder)


def shortened(folder):
    """Cut the last record with its receipts and rows, and fit the manifest."""
    path = folder / "decisions.jsonl"
    lines = lines_of(path)
    last = json.loads(lines.pop())["seq"]
    path.write_bytes(b"".join(lines))
    kept, used = [], set()
    for line in lines_of(folder / "receipts.jsonl"):
        each = json.loads(line)
        if (each["log"], each["seq"]) != ("decisions", last):
            kept.append(line)
            used.add(Path(each["rows"]).stem)
    (folder / "receipts.jsonl").write_bytes(b"".join(kept))
    manifest = json.loads((folder / "evidence.json").read_bytes())
    for path in [each for each in (folder / "rows").iterdir() if each.stem not in used]:
        path.unlink()
        del manifest["files"][f"rows/{path.name}"]
    (folder / "evidence.json").write_text(json.dumps(manifest))
    refitted(folder)


def cut_in_front(before):
    """Return a forgery that cuts the first records off, and says that another one is before."""

    def forge(folder):
        path, manifest_path = folder / "decisions.jsonl", folder / "evidence.json"
        lines = lines_of(path)
        path.write_bytes(b"".join(lines[2:]))
        manifest = json.loads(manifest_path.read_bytes())
        manifest["logs"]["decisions"]["before"] = before(lines).decode()
        manifest_path.write_text(json.dumps(manifest))
        kept = [json.loads(line) for line in lines_of(folder / "receipts.jsonl")]
        kept = [each for each in kept if each["log"] == "orders" or each["seq"] > 2]
        in_receipts(lambda _: kept)(folder)
        refitted(folder)

    return forge


def linked(folder):
    """Move a file out of the folder and leave a link to it."""
    path = folder / BARS(folder)
    path.symlink_to(path.rename(folder.parent / "rows.jsonl"))


def in_columns(name, value):
    """Return a forgery that puts one more column in front of those of a table."""

    def change(lines):
        head, *rows = map(json.loads, lines)
        columns = [[name, "float64"], *head["columns"]]
        made = [{"columns": columns}, *([value, *row] for row in rows)]
        return [json.dumps(each).encode() + b"\n" for each in made]

    return edited(TABLE, change)


def moved_bytes(lines):
    """Give the bytes of the closes of all rows to the first row."""
    rows = [json.loads(line) for line in lines]
    whole = b"".join(pack("<d", row["close"]) for row in rows).hex()
    for row in rows:
        row["close"], whole = whole, ""
    return [json.dumps(row).encode() + b"\n" for row in rows]


def in_log(**values):
    def forge(folder):
        manifest = json.loads((folder / "evidence.json").read_bytes())
        in_manifest(logs={**manifest["logs"], "orders": manifest["logs"]["orders"] | values})(
            folder
        )

    return forge


BARS, TABLE = rows("read_bars", 2), rows("read_bar_table")
EVENTS, FILING = rows("read_events"), rows("read_fundamental")
FORGERIES = {
    "a price of a row": edited(BARS, replaced(b'"close":105.0', b'"close":105.5')),
    "a price, and the manifest is not sealed anew": unsealed(
        BARS, lambda content: content.replace(b'"close":105.0', b'"close":105.5')
    ),
    "a volume": edited(BARS, replaced(b"9007199254740993", b"9007199254740992")),
    "a volume that was not reported": edited(BARS, replaced(b'"volume":null', b'"volume":0')),
    "a volume that is none": edited(BARS, replaced(b'"volume":null', b'"volume":""')),
    "a date": edited(BARS, replaced(b"2026-01-10", b"2026-01-11")),
    "a date that is finer": edited(BARS, replaced(b"T00:00:00Z", b"T00:00:00.0000001Z")),
    "a bit of a value that is no number": edited(BARS, replaced(b"f87f", b"f8ff")),
    "a flag": edited(BARS, replaced(b'"value":true', b'"value":false')),
    "a flag that is a number": edited(BARS, replaced(b'"value":true', b'"value":1')),
    "the type of a further value": edited(BARS, replaced(b'"timestamp"', b'"string"')),
    "a type that there is not": edited(BARS, replaced(b'"timestamp"', b'"money"')),
    "a further value that is left out": edited(
        BARS, replaced(b'"halted":{"kind":"bool","value":true},', b"")
    ),
    "a member of a row twice": edited(BARS, replaced(b'"close":', b'"close":1.0,"close":')),
    "one member more in a row": edited(BARS, replaced(b'"close":', b'"note":"ok","close":')),
    "one member more in a value": edited(BARS, replaced(b'{"kind":', b'{"note":"","kind":')),
    "a row of another symbol": edited(BARS, replaced(b'"AAPL"', b'"MSFT"')),
    "a row that is dropped": edited(BARS, lambda lines: lines[1:]),
    "the last row is dropped": edited(BARS, lambda lines: lines[:-1]),
    "all rows are dropped": edited(BARS, lambda lines: []),
    "a row that is doubled": edited(BARS, lambda lines: [lines[0], *lines]),
    "rows in another order": edited(BARS, lambda lines: lines[::-1]),
    "a cell of a table": edited(TABLE, replaced(b"105.0", b"105.5")),
    "a column of a table with another name": edited(TABLE, replaced(b'"open"', b'"high"')),
    "a column of a table of another type": edited(TABLE, replaced(b'"timestamp"', b'"string"')),
    "a row of a table that lacks a cell": edited(TABLE, replaced(b"105.0,", b"")),
    "an event": edited(EVENTS, replaced(b'"n":[1]', b'"n":[2]')),
    "an event that is dropped": edited(EVENTS, lambda lines: lines[:-1]),
    "a filing": edited(FILING, replaced(b'"eps":1.5', b'"eps":2.5')),
    "a name in a list": edited(rows("symbols"), replaced(b"MSFT", b"NVDA")),
    "the hash of a record that was read": edited(rows("read_decisions"), replaced(b"a", b"b")),
    "receipts of two records are swapped": swapped(0, 3, "receipt", "rows"),
    "receipts of two reads of a record are swapped": swapped(0, 1, "receipt", "rows"),
    "rows of two reads are swapped": swapped(0, 3, "rows"),
    "a checksum of a receipt": set_in_receipt(0, sha256="0" * 64),
    "the number of rows of a receipt": set_in_receipt(0, rows=2),
    "the time of a receipt": set_in_receipt(0, as_of="2026-01-10T00:00:00Z"),
    "an argument of a receipt": set_in_receipt(0, arguments={"symbol": "AAPL"}),
    "a receipt of another record": set_in(0, seq=2),
    "a receipt of a record that has none": in_receipts(
        lambda receipts: [*receipts, {**receipts[0], "log": "orders", "seq": 2}]
    ),
    "a receipt that is removed": in_receipts(lambda receipts: receipts[1:]),
    "a receipt that is doubled": in_receipts(lambda receipts: [receipts[0], *receipts]),
    "a receipt with one member more": set_in(0, note="ok"),
    "rows that are said to be in another place": set_in(0, rows="../evidence.json"),
    "rows that are said to be in a folder": set_in(0, rows="rows"),
    "a decision": edited(
        "decisions.jsonl", replaced(b'"reasoning":"day 4"', b'"reasoning":"day 5"')
    ),
    "a decision, and its hash": edited(
        "decisions.jsonl", lambda lines: [*map(rehashed, replaced(b'"buy"', b'"sell"', 1)(lines))]
    ),
    "the as_of of a record, and its hash": edited(
        "decisions.jsonl",
        lambda lines: [
            *map(rehashed, replaced(b'"as_of":"2026-01-09', b'"as_of":"2026-01-08')(lines))
        ],
    ),
    "a run that is left out": edited("decisions.jsonl", replaced(b'"run":"bt-7",', b"")),
    "an order": edited("orders.jsonl", replaced(b'"quantity":1', b'"quantity":9')),
    "a record that is removed": edited("decisions.jsonl", lambda lines: lines[:1] + lines[2:]),
    "the first record is removed": edited("decisions.jsonl", lambda lines: lines[1:]),
    "the last record is removed": edited("decisions.jsonl", lambda lines: lines[:-1]),
    "all records are removed": edited("orders.jsonl", lambda lines: []),
    "a record that is doubled": edited("decisions.jsonl", lambda lines: [lines[0], *lines]),
    "records in another order": edited("decisions.jsonl", lambda lines: lines[::-1]),
    "a record of the other log": edited("decisions.jsonl", lambda lines: [*lines, lines[0]]),
    "a log that is chained anew": another_log,
    "a log that is cut, with all that belongs to it": shortened,
    "a file that does not belong to it": unsealed("note.txt", lambda _: b"")
    and (lambda folder: (folder / "note.txt").write_text("trust me")),
    "a file of rows that no read names": listed("rows/more.jsonl", b"{}\n"),
    "a table that no read names": listed("rows/more.parquet", b""),
    "a file that is missing": lambda folder: (folder / BARS(folder)).unlink(),
    "a table that is missing": lambda folder: next(folder.glob("rows/*.parquet")).unlink(),
    "another table": unsealed(
        lambda folder: str(Path(BARS(folder)).with_suffix(".parquet")), lambda _: b"PAR1"
    ),
    "rows that are cut off": edited(BARS, lambda lines: [*lines[:-1], lines[-1][:-9]]),
    "rows without their last newline": edited(BARS, lambda lines: [*lines[:-1], lines[-1][:-1]]),
    "a log that is cut off": edited("decisions.jsonl", lambda lines: [*lines[:-1], lines[-1][:-9]]),
    "a manifest that is cut off": unsealed("evidence.json", lambda content: content[:-20]),
    "a manifest that is missing": lambda folder: (folder / "evidence.json").unlink(),
    "a manifest of another format": in_manifest(format=2),
    "a manifest without logs": in_manifest(logs={}),
    "a manifest of another range": in_manifest(end="2026-01-05T00:00:00Z"),
    "a manifest that begins after nothing": in_manifest(
        logs={"decisions": {"first": 2, "prev": "", "last": 1, "hash": ""}}
    ),
    "a manifest with one member more": in_manifest(note="audited"),
    "a manifest that was made at no time": in_manifest(created_at="yesterday"),
    "a log with one member more": in_log(complete=True),
    "a record before the first": in_log(before="{}"),
    "a record before the first that is a number": in_log(before=7),
    "a hash before the first record of a log": in_log(prev="0" * 64),
    "the first records are cut off": cut_in_front(lambda lines: b""),
    "the first records are cut off, with a record before": cut_in_front(lambda lines: lines[0]),
    "the first records are cut off, with the record before": cut_in_front(
        lambda lines: lines[1][:-1]
    ),
    "a column of a table twice": in_columns("close", 999.0),
    "a price that is no JSON": edited(BARS, replaced(b'"close":105.0', b'"close":NaN')),
    "a price as digits": edited(
        BARS, replaced(b'"close":105.0', b'"close":"%b"' % pack("<d", 105.0).hex().encode())
    ),
    "prices that are moved to another row": edited(BARS, moved_bytes),
    "columns with one member more": edited(
        TABLE, replaced(b'{"columns":', b'{"note":1,"columns":')
    ),
    "a row of a table that is an object": edited(
        TABLE, lambda lines: [lines[0], *[b'{"a":1,"b":2}\n'] * (len(lines) - 1)]
    ),
    "a receipt twice, with a number that is a flag": in_receipts(
        lambda receipts: [*receipts, {**receipts[0], "read": False}]
    ),
    "a receipt whose number is no whole number": set_in(0, seq=1.0),
    "a link to a file": linked,
    "a link to a folder": lambda folder: (folder / "more").symlink_to("/"),
    "a pipe": lambda folder: mkfifo(folder / "pipe"),
    "a manifest that is no object": unsealed("evidence.json", lambda _: b"[]"),
    "a manifest of unknown things": unsealed("evidence.json", lambda _: b'{"format":1,"files":7}'),
}


@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_rejected(folder, written, forge):
    forge(folder)
    status, said = judged(folder, written[1])
    assert (status, said.startswith("REJECTED: ")) == (1, True), said


@pytest.mark.few(6)
@pytest.mark.parametrize("forge", FORGERIES.values(), ids=FORGERIES)
def test_a_forgery_is_rejected_for_the_same_reason_by_a_python_that_knows_nothing_else(
    folder, written, forge
):
    forge(folder)
    assert judged_alone(folder, written[1]) == judged(folder, written[1])


def test_there_are_more_than_thirty_forgeries():
    assert len(FORGERIES) > 30


def test_rows_that_are_said_to_be_gone_make_it_incomplete(folder, written):
    """Whoever leaves rows out has no evidence for them; the rest is still proven."""

    def without(receipts):
        name = receipts[0]["rows"]
        for each in receipts:
            each["rows"] = None if each["rows"] == name else each["rows"]
        path = folder / "evidence.json"
        manifest = json.loads(path.read_bytes())
        for path_of_rows in (name, name.replace(".jsonl", ".parquet")):
            (folder / path_of_rows).unlink()
            del manifest["files"][path_of_rows]
        path.write_text(json.dumps(manifest))
        return receipts

    in_receipts(without)(folder)
    assert judged(folder, written[1])[0] == 2


def test_a_log_that_is_chained_anew_proves_itself_without_a_hash_that_was_kept(folder):
    another_log(folder)
    status, said = judged(folder)
    assert (status, "decisions: no --head was given; nothing proves" in said) == (0, True)


def test_a_read_of_a_later_release_is_in_the_evidence_without_its_rows(tmp_path):
    with MemoryDataStore() as store:
        fill(store)
        (read, *_) = decide(store, 3)
        order(store, [{**asdict(read), "call": "read_ticks"}])
        status, said = judged(write(store, tmp_path / "out"))
    assert (status, "no rows: read 0 of record 1 of orders" in said) == (2, True)


def test_infinite_further_values_are_proven(tmp_path):
    with MemoryDataStore() as store:
        store.write_bars("AAPL", [bar("AAPL", 0, extra={"x": inf, "y": -inf, "z": 1.5})])
        view = store.at(FIRST + timedelta(9))
        view.read_bars("AAPL")
        view.read_bar_table("AAPL")
        order(store, view.receipt())
        assert judged(write(store, tmp_path / "out"))[0] == 0
