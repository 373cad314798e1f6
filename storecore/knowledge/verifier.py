#!/usr/bin/env python3
"""Verify a folder that `storecore evidence` has written, with Python 3.11 or later alone.

    python3 verify.py [FOLDER] [--head HASH]…

It proves that the records of the log are as they were logged, one after another, and that the rows
are those that were read for them: the checksum of the rows is in the record, and the record is in
the chain. A whole forged log proves itself as well, and records at its end may be cut off. So give
the hash of the last record of each log, which was kept elsewhere, as --head, once for each log.
Each record up to that one is then proven to be of the log that had this hash, without a gap.

Exit status: 0 accepted, 1 rejected, 2 whole, but the rows of some reads are missing or there are no
records, 3 wrong usage.

The Parquet files are copies of rows for other programs. Only the JSON lines beside them are proven.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import struct
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NoReturn

FORMAT = 1
MANIFEST = "evidence.json"
LOGS = ("decisions", "orders")
MEMBERS = {"format", "storecore", "created_at", "start", "end", "logs", "files"}
RECEIPTS = "receipts.jsonl"
BARS, TABLE, RECORDS = "bars", "table", "records"
KINDS = {"read_bars": BARS, "read_bar_table": TABLE, "iter_bar_tables": TABLE}
PRICES = ("open", "high", "low", "close")
FIXED = {"symbol": "string", "date": "timestamp", "volume": "number"}
FIXED.update(dict.fromkeys(PRICES, "float64"))
BAR = {"symbol", "date", *PRICES, "volume", "extra"}
NUMBERS = ("date", *PRICES, "volume", "exact dates", "exact volumes")
NOTHING = sha256().hexdigest()
ACCEPTED, REJECTED, INCOMPLETE, USAGE = 0, 1, 2, 3
UNEXPECTED = (
    *(ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError),
    struct.error,
)
_HASH = re.compile(rb',"hash":"([0-9a-f]{64})"\}')
_SIXTEEN_DIGITS = re.compile(r"[0-9a-f]{16}")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
_Columns = dict[str, bytes]


class Forged(Exception):
    """What the folder says is not true; the message says where and why."""


class End:
    """The last record of a log, and the last one whose hash was given as --head, 0 if none was."""

    def __init__(self, first: int, hashes: list[str], heads: list[str]) -> None:
        self.last = first + len(hashes) - 1
        self.hash = hashes[-1] if hashes else ""
        given = (first + row for row, each in enumerate(hashes) if each in heads)
        self.given = max(given, default=0)

    def lines(self, log: str) -> Iterator[str]:
        """Yield what is proven of a log, as text."""
        if not self.hash:
            yield f"{log}: no records"
        else:
            yield f"{log}: the last record, number {self.last}, has the hash {self.hash}"
        if not self.given:
            yield f"{log}: no --head was given; nothing proves that no record was removed or forged"
        elif self.given < self.last:
            yield f"{log}: --head is record {self.given}; nothing proves those after it"


class Outcome:
    """What was proven, and the reads whose rows are missing."""

    def __init__(self) -> None:
        self.ends: dict[str, End] = {}
        self.records = 0
        self.reads = 0
        self.missing: list[str] = []
        self.used: set[str] = set()


def verify(folder: Path, heads: Iterable[str] = ()) -> Outcome:
    """Verify a folder. Raises `Forged` for the first thing that is wrong with it."""
    outcome, heads = Outcome(), list(heads)
    manifest = check_files(folder)
    hashes: list[str] = []
    receipts = read_receipts(folder)
    for log in LOGS:
        lines = lines_of(folder, f"{log}.jsonl")
        found = follow(log, lines, manifest)
        hashes += found
        outcome.records += len(lines)
        outcome.ends[log] = End(manifest["logs"][log]["first"], found, heads)
        records = [parsed(line, f"{log}.jsonl") for line in lines]
        check_range(log, records, manifest)
        for record in records:
            check_reads(folder, log, record, receipts, outcome)
    if receipts:
        raise Forged(f"{RECEIPTS}: no record has the read {min(receipts)}")
    check_used(manifest, outcome)
    for head in heads:
        if head not in hashes:
            raise Forged(f"--head {head}: no record has this hash")
    return outcome


def check_files(folder: Path) -> dict[str, Any]:
    """Return the manifest. Each file has its checksum; none is missing, none is added."""
    manifest = one_of(folder, MANIFEST)
    if manifest.get("format") != FORMAT:
        raise Forged(f"{MANIFEST}: format {manifest.get('format')}, this verifier knows {FORMAT}")
    check_members(manifest, MEMBERS, MANIFEST)
    check_members(manifest["logs"], set(LOGS), f"{MANIFEST}: logs")
    micros(manifest["created_at"])
    named = manifest["files"]
    there = set(plain_files(folder))
    for name in sorted(there ^ {*named, MANIFEST}):
        problem = "is missing" if name in named else "is not in the manifest"
        raise Forged(f"{name}: the file {problem}")
    for name, digest in named.items():
        if sha256((folder / name).read_bytes()).hexdigest() != digest:
            raise Forged(f"{name}: the file does not match its checksum in the manifest")
    return manifest


def check_members(found: dict[str, Any], expected: set[str], place: str) -> None:
    """Refuse an object that lacks a member or has one more."""
    if set(found) != expected:
        raise Forged(f"{place}: its members are not {', '.join(sorted(expected))}")


def plain_files(folder: Path) -> Iterator[str]:
    """Yield the names of all files of a folder. What is no plain file is refused."""
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink() or not (path.is_file() or path.is_dir()):
            raise Forged(f"{name}: it is no plain file or folder")
        if not path.is_dir():
            yield name


def check_used(manifest: dict[str, Any], outcome: Outcome) -> None:
    """Refuse a file of rows that no read names."""
    own = {f"{log}.jsonl" for log in LOGS} | {RECEIPTS, "verify.py"}
    for name in manifest["files"]:
        rows = name.removesuffix(".parquet") + ".jsonl" if name.endswith(".parquet") else name
        if name not in own and rows not in outcome.used:
            raise Forged(f"{name}: no read has these rows")


def follow(log: str, lines: list[bytes], manifest: dict[str, Any]) -> list[str]:
    """Return the hashes of the records of a log. Each follows the one before it."""
    begin = manifest["logs"][log]
    check_members(begin, {"first", "prev", "last", "hash", "before"}, f"{MANIFEST}: {log}")
    seq, prev = begin["first"], begin["prev"]
    if (seq == 1) != (prev == ""):
        raise Forged(f"{MANIFEST}: record {seq} of {log} does not follow {prev or 'nothing'}")
    hashes = []
    for number, line in enumerate(lines, 1):
        place = f"{log}.jsonl, line {number}"
        body, end = line[: -len(',"hash":""}') - 64], line[-len(',"hash":""}') - 64 :]
        found = _HASH.fullmatch(end)
        if found is None or sha256(body).hexdigest() != found[1].decode():
            raise Forged(f"{place}: the line does not match its hash")
        if not body.startswith(b'{"seq":%d,' % seq) or not body.endswith(
            b'"prev":"%b"' % prev.encode()
        ):
            raise Forged(f"{place}: it does not follow the record before it")
        seq, prev = seq + 1, found[1].decode()
        hashes.append(prev)
    if (seq - 1, prev) != (begin["last"], begin["hash"]):
        raise Forged(f"{log}.jsonl: it ends at record {seq - 1}, the manifest at {begin['last']}")
    return hashes


def check_range(log: str, records: list[dict[str, Any]], manifest: dict[str, Any]) -> None:
    """Refuse a segment whose first or last record is not the first or last one of the range.

    After the last one others may have been cut off: only a hash that was kept elsewhere tells.
    """
    start, end = micros(manifest["start"]), micros(manifest["end"])
    for record in records[:1] + records[-1:]:
        if not start <= micros(record["timestamp"]) <= end:
            raise Forged(f"{MANIFEST}: record {record['seq']} of {log} is outside its range")
    before = record_before(log, manifest)
    if before is not None and start <= micros(before["timestamp"]) <= end:
        raise Forged(f"{log}.jsonl: record {before['seq']}, which is in the range, is cut off")


def record_before(log: str, manifest: dict[str, Any]) -> dict[str, Any] | None:
    """Return the record before the first of a segment, proven by its hash; None if there is none.

    It proves that nothing is cut off in front: the segment begins with the first of the range.
    """
    begin = manifest["logs"][log]
    line = begin["before"].encode()
    if not begin["prev"] and not line:
        return None
    body = line[: -len(',"hash":""}') - 64]
    if line != b'%b,"hash":"%b"}' % (body, begin["prev"].encode()) or (
        sha256(body).hexdigest() != begin["prev"]
    ):
        raise Forged(f"{MANIFEST}: before the first record of {log} is another one")
    found: dict[str, Any] = parsed(line, f"{MANIFEST}: before {log}")
    return found


def read_receipts(folder: Path) -> dict[tuple[str, int, int], dict[str, Any]]:
    """Return the receipts by log, number of the record, and number of the read."""
    receipts = {}
    for number, line in enumerate(lines_of(folder, RECEIPTS), 1):
        each = parsed(line, f"{RECEIPTS}, line {number}")
        check_members(each, {"log", "seq", "read", "receipt", "rows"}, f"{RECEIPTS}, line {number}")
        key = each["log"], each["seq"], each["read"]
        if {type(key[1]), type(key[2])} != {int}:
            raise Forged(f"{RECEIPTS}, line {number}: seq and read are whole numbers")
        if key in receipts:
            raise Forged(f"{RECEIPTS}, line {number}: the same read is there twice")
        receipts[key] = each
    return receipts


def check_reads(
    folder: Path,
    log: str,
    record: dict[str, Any],
    receipts: dict[tuple[str, int, int], dict[str, Any]],
    outcome: Outcome,
) -> None:
    """Compare the receipts of a record with its line, and their rows with the checksums."""
    for number, read in enumerate(record.get("reads") or ()):
        place = f"read {number} of record {record['seq']} of {log}"
        given = receipts.pop((log, record["seq"], number), None)
        if given is None:
            raise Forged(f"{RECEIPTS}: {place} is missing")
        if dumped(given["receipt"]) != dumped(read):
            raise Forged(f"{RECEIPTS}: {place} is not the one in the record")
        outcome.reads += 1
        if given["rows"] is None:
            outcome.missing.append(place)
            continue
        outcome.used.add(given["rows"])
        found = checksum(read, lines_of(folder, given["rows"]), given["rows"])
        if found != (read["rows"], read["sha256"]):
            raise Forged(f"{given['rows']}: not the rows of {place}: their checksum differs")


def checksum(read: dict[str, Any], lines: list[bytes], place: str) -> tuple[int, str]:
    """Return the number of rows and their checksum, as RECEIPTS.md of storecore defines it."""
    kind = KINDS.get(read["call"], RECORDS)
    if kind == RECORDS:
        return len(lines), sha256(
            b"".join(b"%d:%b" % (len(each), each) for each in lines)
        ).hexdigest()
    rows = [parsed(each, place) for each in lines]
    if kind == BARS:
        for row in rows:
            if set(row) != BAR or row["symbol"] != read["arguments"]["symbol"]:
                raise Forged(f"{place}: a row is not a bar of the symbol that was asked for")
        return len(rows), of_bars(rows)
    columns = rows[0]["columns"] if rows else []
    if any(set(row) != {"columns"} for row in rows[:1]) or len(dict(columns)) != len(columns):
        raise Forged(f"{place}: its first line does not name each column once")
    if any(type(row) is not list or len(row) != len(columns) for row in rows[1:]):
        raise Forged(f"{place}: a row does not have the columns of the table")
    return max(len(rows) - 1, 0), of_table(columns, rows[1:])


def of_bars(bars: list[dict[str, Any]]) -> str:
    """Return the checksum of the bars of a series."""
    if not bars:
        return NOTHING
    dates = [micros(bar["date"]) for bar in bars]
    volumes = [(at, volume_of(bar["volume"])) for at, bar in zip(dates, bars, strict=True)]
    exact = [(at, each) for at, each in volumes if is_exact(each)]
    columns = {name: floats([bar[name] for bar in bars]) for name in PRICES}
    columns.update({"date": ints(dates), "volume": floats([each or 0.0 for _, each in volumes])})
    columns.update({"exact dates": ints([at for at, _ in exact])})
    columns.update({"exact volumes": ints([each for _, each in exact])})
    further: _Columns = {"null volumes": ints([at for at, each in volumes if each is None])}
    for name in {name for bar in bars for name in bar["extra"]}:
        given = zip(dates, (bar["extra"].get(name) for bar in bars), strict=True)
        pairs = [(at, each) for at, each in given if each is not None]
        kind = pairs[0][1]["kind"]
        if any(set(each) != {"kind", "value"} or each["kind"] != kind for _, each in pairs):
            raise Forged(f"{name}: its values are not of one type")
        values = [(at, each["value"]) for at, each in pairs]
        further.update(further_columns("dates", kind, name, values))
    whole = b"".join(sha256(columns[name]).digest() for name in NUMBERS)
    return sha256(whole + joined(further)).hexdigest()


def of_table(names: list[list[str]], rows: list[list[Any]]) -> str:
    """Return the checksum of a table of bars."""
    columns: _Columns = {}
    for place, (name, kind) in enumerate(names):
        values = [row[place] for row in rows]
        if kind != FIXED.get(name, kind):
            raise Forged(f"{name}: its type is {kind}")
        if name == "symbol":
            columns["lengths of symbol"] = ints([len(each.encode()) for each in values])
            columns["symbol"] = "".join(values).encode()
        elif name == "date":
            columns["date"] = ints(list(map(micros, values)))
        elif name in PRICES:
            columns[name] = floats(values)
        elif name == "volume":
            values = list(map(volume_of, values))
            exact = [(row, each) for row, each in enumerate(values) if is_exact(each)]
            columns["volume"] = floats([each or 0.0 for each in values])
            columns["exact rows"] = ints([row for row, _ in exact])
            columns["exact volumes"] = ints([each for _, each in exact])
            columns["null volumes"] = ints([row for row, each in enumerate(values) if each is None])
        else:
            pairs = [(row, each) for row, each in enumerate(values) if each is not None]
            columns.update(further_columns("rows", kind, name, pairs))
    return sha256(joined(columns)).hexdigest()


def further_columns(word: str, kind: str, name: str, pairs: list[tuple[int, Any]]) -> _Columns:
    """Return a further column of bars as columns of bytes, given as places and values."""
    values = [each for _, each in pairs]
    columns = {f"{word} of {kind} {name}": ints([at for at, _ in pairs])}
    if kind == "string":
        columns[f"lengths of {kind} {name}"] = ints([len(each.encode()) for each in values])
        columns[f"values of {kind} {name}"] = "".join(values).encode()
    elif kind == "float64":
        columns[f"values of {kind} {name}"] = floats(values)
    elif kind == "timestamp":
        columns[f"values of {kind} {name}"] = ints(list(map(micros, values)))
    elif kind in ("int64", "bool") and all(
        isinstance(each, bool) == (kind == "bool") for each in values
    ):
        columns[f"values of {kind} {name}"] = ints(values)
    else:
        raise Forged(f"{name}: not all values are of the type {kind}")
    return columns


def joined(columns: _Columns) -> bytes:
    """Return the hashes of names and contents of the columns that have content, by name."""
    names = sorted((name for name in columns if columns[name]), key=str.encode)
    return b"".join(
        sha256(name.encode()).digest() + sha256(columns[name]).digest() for name in names
    )


def volume_of(value: Any) -> Any:
    """Return a volume: a number or None."""
    if value is not None and type(value) not in (int, float):
        raise Forged(f"{value!r} is not a volume")
    return value


def is_exact(volume: Any) -> bool:
    """Return whether a volume is a whole number that no float equals."""
    return isinstance(volume, int) and float(volume) != volume


def ints(values: list[int]) -> bytes:
    """Return whole numbers of 64 bits as bytes, the lowest first."""
    return struct.pack(f"<{len(values)}q", *values)


def floats(values: list[Any]) -> bytes:
    """Return floats of 64 bits as bytes."""
    return b"".join(map(eight_bytes, values))


def eight_bytes(value: Any) -> bytes:
    """Return a float as bytes. One that is not finite is given by its 16 hex digits."""
    if type(value) in (int, float):
        return struct.pack("<d", value)
    if isinstance(value, str) and _SIXTEEN_DIGITS.fullmatch(value):
        given = bytes.fromhex(value)
        if not math.isfinite(*struct.unpack("<d", given)):
            return given
    raise Forged(f"{value!r} is no float as it is written")


def micros(text: str) -> int:
    """Return a time in UTC as microseconds since 1970."""
    if _TIME.fullmatch(text) is None:
        raise Forged(f"{text!r} is not a time in UTC")
    at = datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (at - _EPOCH) // timedelta(microseconds=1)


def lines_of(folder: Path, name: str) -> list[bytes]:
    """Return the lines of a file of the folder without their newlines."""
    path = folder / name
    if not path.is_file() or ".." in Path(name).parts or Path(name).is_absolute():
        raise Forged(f"{name}: the file is missing")
    content = path.read_bytes()
    if content and not content.endswith(b"\n"):
        raise Forged(f"{name}: the last line is cut off")
    return content.split(b"\n")[:-1]


def one_of(folder: Path, name: str) -> dict[str, Any]:
    """Return the object of a file."""
    path = folder / name
    if not path.is_file():
        raise Forged(f"{folder} is not a folder of evidence: it has no file {name}")
    found: dict[str, Any] = parsed(path.read_bytes(), name)
    return found


def parsed(content: bytes, place: str) -> Any:
    """Return the value of JSON in which no object has a member twice."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) != len(pairs):
            raise Forged(f"{place}: an object has a member twice")
        return dict(pairs)

    def no_number(name: str) -> Any:
        raise Forged(f"{place}: {name} is no number of JSON")

    try:
        return json.loads(content, object_pairs_hook=once, parse_constant=no_number)
    except ValueError as error:
        raise Forged(f"{place}: not JSON: {error}") from None


def dumped(value: Any) -> str:
    """Return a value as text that is equal only if the value is; 1 and 1.0 are not."""
    return json.dumps(value, sort_keys=True)


class Options(argparse.ArgumentParser):
    """A parser of the command line whose errors have an exit status of their own."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and exit."""
        self.print_usage(sys.stderr)
        self.exit(USAGE, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify the folder of the command line, by default that of this file."""
    options = Options(description="Verify a folder of evidence.")
    options.add_argument(
        "folder",
        nargs="?",
        type=Path,
        default=Path(__file__).resolve().parent,
        help="the folder of evidence (default: the folder of this file)",
    )
    options.add_argument(
        "--head",
        action="append",
        default=[],
        metavar="HASH",
        help="the hash of the last record of a log, which was kept elsewhere; give it once for "
        "each log, decisions and orders",
    )
    given = options.parse_args(arguments)
    try:
        outcome = verify(given.folder, given.head)
    except (Forged, OSError) as error:
        print(f"REJECTED: {error}")
    except UNEXPECTED as error:
        print(f"REJECTED: not what storecore writes: {error!r}")
    else:
        return report(outcome)
    return REJECTED


def report(outcome: Outcome) -> int:
    """Print what was proven and return the exit status."""
    for log, end in outcome.ends.items():
        print("\n".join(end.lines(log)))
    print(f"{outcome.records} records follow each other without a gap, with {outcome.reads} reads")
    for each in outcome.missing:
        print(f"no rows: {each}")
    if not outcome.records:
        print("there are no records, so this proves nothing")
    is_whole = outcome.records and not outcome.missing
    print("ACCEPTED" if is_whole else "INCOMPLETE")
    return ACCEPTED if is_whole else INCOMPLETE


if __name__ == "__main__":
    sys.exit(main())
