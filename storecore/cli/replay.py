"""`storecore replay` and `storecore why`: what decisions saw, and whether it is still so."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from math import isfinite
from struct import unpack
from typing import Any

import click
import msgspec
from msgspec import Struct
from msgspec.structs import asdict, replace

from storecore.cli.output import json_option, print_object
from storecore.cli.screen import console, date_text
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.cli.timestamps import time_option
from storecore.errors import InvalidData, shown
from storecore.knowledge.evidence import lines_of
from storecore.knowledge.replay import ChangedRow, Record, Replay, ReplayedRead, reads_of, seen
from storecore.knowledge.replay import replay as replay_of
from storecore.models import DecisionRecord, Read
from storecore.protocols import METHODS, AuditTrail, DataStore
from storecore.store.questions import read_decisions, read_orders
from storecore.values.suggestions import did_you_mean

_MOST_ROWS = 20
_ALL = "*"
_SIXTEEN_DIGITS = re.compile(r'"([0-9a-f]{16})"')


@click.command(
    short_help="Name the decisions that saw data which was corrected since.",
    epilog=examples(
        "storecore replay --strategy value --since 2026-01-01",
        "storecore replay --run bt-7",
    ),
)
@click.option("--strategy", metavar="NAME", help="Only the decisions of this strategy.")
@click.option(
    "--since", metavar="TIME", callback=time_option, help="Only decisions logged from then on."
)
@click.option(
    "--run", metavar="NAME", help="The records of a run instead of the live log; '*' for all."
)
@click.option("--orders", is_flag=True, help="Replay orders instead of decisions.")
@json_option
@store_options
def replay(
    choice: StoreChoice,
    strategy: str | None,
    since: date | None,
    run: str | None,
    orders: bool,
    as_json: bool,
) -> None:
    """Report which decisions have read data that was corrected since.

    Each read of a decision is asked again, as of that time. It is "same", "corrected", or "pruned"
    if it differs and the history of that time was pruned. Reads of states of which that version is
    not kept are counted only. Corrections are not errors: the exit status is 0. It is 1 if a read
    cannot be asked again, or if the strategy or the run has no records. Times are in UTC.
    """
    done = _Done(as_json)
    with choice.open_to_read() as store:
        ask: Any = read_orders if orders else read_decisions
        found = ask(audited(store), since, None, strategy, run=run)
        if not found and (strategy or run):
            _check_names(ask(store, run=_ALL), strategy, run)
        for record in found:
            try:
                replayed = replay_of(store, record)
            except InvalidData as error:  # such as a read of a later release
                done.fail(record, error)
            else:
                done.add(replayed)
    noun = "order" if orders else "decision"
    done.print_sums(len(found), noun)
    if done.failed:
        raise click.ClickException(f"{counted(len(done.failed), noun)} could not be replayed")


class _Done:
    """The replayed records: each with news is printed as it comes, or all at the end as JSON."""

    def __init__(self, as_json: bool) -> None:
        self.failed: list[dict[str, Any]] = []
        self._as_json = as_json
        self._news: list[dict[str, Any]] = []
        self._statuses = Counter[str]()
        self._without = 0

    def fail(self, record: Record, error: InvalidData) -> None:
        """Add a record that cannot be replayed."""
        self.failed.append({"seq": record.seq, "why": str(error)})
        if not self._as_json:
            text = f"record {record.seq} cannot be replayed: {error}"
            console().print(printable(text))

    def add(self, replayed: Replay) -> None:
        """Add a record; report it if a read was corrected."""
        self._statuses.update(each.status for each in replayed.reads)
        self._without += replayed.record.reads is None
        news = list(filter(_is_news, replayed.reads))
        if not news:
            return
        if self._as_json:
            record = replace(replayed.record, reads=None)
            self._news.append({**asdict(record), "reads": news})
        else:
            console().print("\n".join(_report(replayed)))

    def print_sums(self, found: int, noun: str) -> None:
        """Print how many records and reads there were; as JSON, with all of them."""
        statuses = {each: self._statuses[each] for each in ("same", "corrected", "pruned")}
        if self._as_json:
            sums = {f"{noun}s": found, "without_receipts": self._without, "reads": statuses}
            print_object({**sums, "changed": self._news, "failed": self.failed})
            return
        reads = ", ".join(f"{count:,} {each}" for each, count in statuses.items())
        console().print(f"{counted(found, noun)}, {self._without:,} of them without receipts")
        console().print(f"{counted(self._statuses.total(), 'read')}: {reads}")


@click.command(
    short_help="Show what a decision saw.",
    epilog=examples("storecore why 17", "storecore why 4 --orders --rows 100"),
)
@click.argument("seq", type=click.IntRange(min=1))
@click.option("--orders", is_flag=True, help="SEQ is the number of an order, not of a decision.")
@click.option(
    "--rows",
    type=click.IntRange(min=0),
    default=_MOST_ROWS,
    show_default=True,
    metavar="N",
    help="The number of rows of each read, counted from the end.",
)
@json_option
@store_options
def why(choice: StoreChoice, seq: int, orders: bool, rows: int, as_json: bool) -> None:
    """Show record SEQ of the log with everything that was read for it, as it was read.

    Bars and other rows are shown as JSON, with all digits. Times are in UTC.
    """
    screen = console()
    with choice.open_to_read() as store:
        found: Any = (read_orders if orders else read_decisions)(audited(store), run=_ALL)
        record = next((each for each in found if each.seq == seq), None)
        if record is None:
            last = found[-1].seq if found else 0
            raise click.ClickException(f"there is no record {seq}: the last one is {last}")
        if as_json:
            reads = [_seen_fields(store, read, record.run, rows) for read in reads_of(record)]
            print_object({**asdict(record), "reads": None if record.reads is None else reads})
            return
        screen.print("\n".join(_record_lines(record)))
        for read in reads_of(record):
            screen.print(f"\n{question_of(read)}")
            for line in _seen(store, read, record.run, rows):
                screen.print(line)


def question_of(read: Read) -> str:
    """Return a read as the call that it was, and its time."""
    given = ", ".join(
        f"{name}={value!r}" for name, value in read.arguments.items() if value is not None
    )
    recorded = f", recorded by {_moment(read.recorded)}" if read.recorded else ""
    asked = f"{read.call}({given}) as of {_moment(read.as_of)}{recorded}"
    return printable(f"{asked}: {counted(read.rows, 'row')}")


def change_of(row: ChangedRow) -> str:
    """Return a row that was corrected: what it was, what it is, and since when."""
    at = "" if row.timestamp is None else f" {date_text(row.timestamp)}"
    since = "" if row.recorded_at is None else f", recorded {date_text(row.recorded_at)}"
    name = printable(f"{row.symbol or ''}{at}".strip() or "the answer")
    return f"{name}: {printable(_difference(row.before, row.after))}{since}"


def audited(store: DataStore) -> Any:
    """Return a store whose log can be read. Raises `click.ClickException`."""
    if not isinstance(store, AuditTrail):
        raise click.ClickException("this backend cannot read its audit log back")
    return store


def _check_names(records: Sequence[Record], strategy: str | None, run: str | None) -> None:
    """Raise `click.ClickException` if no record is of the strategy, or none of the run."""
    runs = {each.run for each in records if each.run is not None}
    names = {each.strategy for each in records}
    for what, given, known in (("strategy", strategy, names), ("run", run, {*runs, _ALL})):
        if given is not None and given not in known:
            raise click.ClickException(
                f"no record of the {what} {printable(given)!r}{did_you_mean(given, known)}"
            )


def _moment(moment: datetime) -> str:
    """Return a time in UTC in a form that `storecore at` accepts, a midnight too."""
    return moment.replace(tzinfo=None).isoformat(" ")


def _report(replayed: Replay) -> Iterator[str]:
    """Yield a record whose reads were corrected, and the rows."""
    record = replayed.record
    yield _title(record)
    for each in replayed.reads:
        if _is_news(each):
            yield f"  {each.status}: {question_of(each.read)}"
            yield from (f"    {change_of(row)}" for row in each.rows)


def _is_news(read: ReplayedRead) -> bool:
    """Return whether a read is reported: of states only a few versions are kept anyway."""
    is_state = METHODS[read.read.call].kind == "states"
    return read.status == "corrected" or (read.status == "pruned" and not is_state)


def _title(record: Record) -> str:
    what = record.decision if isinstance(record, DecisionRecord) else record.order
    action = what.action if isinstance(what.action, str) else what.action.value
    run = f", run {record.run}" if record.run else ""
    as_of = f", as of {_moment(record.as_of)}" if record.as_of else ""
    logged = f"logged {_moment(record.timestamp)}"
    title = f"record {record.seq}: {record.strategy} {action} {what.symbol}"
    return printable(f"{title}, {logged}{as_of}{run}")


def _record_lines(record: Record) -> Iterator[str]:
    yield _title(record)
    parts: tuple[Struct, ...]
    if isinstance(record, DecisionRecord):
        parts = (record.decision,)
    else:
        parts = record.order, record.result
    for part in parts:
        for name, value in asdict(part).items():
            if value is not None:
                yield printable(f"  {name}: {getattr(value, 'value', value)}")
    if record.reads is None:
        yield "  it was logged without receipts"


def _seen(store: DataStore, read: Read, run: str | None, most: int) -> Iterator[str]:
    """Yield the rows of a read, as they were read."""
    found = seen(store, read, run)
    if found is None:
        yield "  what was read is gone: it was corrected, and the history of that time was pruned"
        return
    lines = [each.decode() for each in lines_of(found.answer)]
    names = lines[:1] if hasattr(found.answer, "schema") else []  # the columns of a table
    lines = lines[len(names) :]
    hidden = max(0, len(lines) - most)
    yield from (f"  {printable(each)}" for each in names)
    if hidden:
        yield f"  … {hidden:,} more before these: give --rows {len(lines)}"
    yield from (f"  {printable(_readable(each))}" for each in lines[hidden:])


def _seen_fields(store: DataStore, read: Read, run: str | None, most: int) -> dict[str, Any]:
    """Return a read with the last of its rows, as they were read; None if they are gone."""
    found = seen(store, read, run)
    if found is None:
        return {**asdict(read), "seen": None}
    lines = list(lines_of(found.answer))
    names = lines[:1] if hasattr(found.answer, "schema") else []  # the columns of a table
    last = lines[max(len(names), len(lines) - most) :]
    return {**asdict(read), "seen": [msgspec.json.decode(each) for each in (*names, *last)]}


def _readable(line: str) -> str:
    """Return a row with NaN and infinities by their names, not by the bytes that are proven."""
    return _SIXTEEN_DIGITS.sub(_named_number, line)


def _named_number(found: re.Match[str]) -> str:
    (number,) = unpack("<d", bytes.fromhex(found[1]))
    return found[0] if isfinite(number) else repr(number)


def _difference(before: Any, after: Any) -> str:
    if before is None or after is None:
        return "was not in the answer" if before is None else "is no longer in the answer"
    old, new = _fields(before), _fields(after)
    names = [name for name in {**old, **new} if repr(old.get(name)) != repr(new.get(name))]
    return ", ".join(f"{name} {shown(old.get(name))} → {shown(new.get(name))}" for name in names)


def _fields(value: Any) -> Mapping[str, Any]:
    if isinstance(value, Struct):
        return asdict(value)
    return value if isinstance(value, dict) else {"value": value}
