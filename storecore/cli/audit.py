"""`storecore audit`: the last records of the audit log, each as it is logged, or an HTML page."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from heapq import merge
from pathlib import Path
from typing import Any, NamedTuple

import click
import msgspec
from rich.filesize import decimal

from storecore.cli.audit_page import audit_page
from storecore.cli.output import json_option, print_array, write_page
from storecore.cli.screen import console, table
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.cli.timestamps import time_option
from storecore.errors import CorruptData, shown
from storecore.models import DecisionRecord, OrderRecord
from storecore.protocols import AuditTrail, DataStore, Transfer
from storecore.store.questions import read_decisions, read_orders
from storecore.values.times import TimeRange, instant, time_range

_LOGS = ("decisions", "orders")
_TYPES = {"decisions": DecisionRecord, "orders": OrderRecord}
_POLL = 1.0  # seconds
_HEADINGS = ("logged (UTC)", "log", "seq", "strategy", "symbol", "action", "what", "run")
_ALL = "*"
_LAST = 20


class _Line(msgspec.Struct):
    """The fields of a record by which a query selects it."""

    seq: int
    timestamp: datetime
    strategy: str
    run: str | None = None


class _Entry(NamedTuple):
    """A record of a log: its fields, and the line itself."""

    log: str
    about: _Line
    line: bytes

    def fields(self) -> dict[str, Any]:
        """Return the record with the name of its log."""
        return {"log": self.log, **msgspec.json.decode(self.line)}


class _Query(NamedTuple):
    """Which records are shown; None for a field selects all."""

    strategy: str | None
    start: date | None
    end: date | None
    run: str | None
    span: TimeRange

    def has(self, about: _Line) -> bool:
        """Return whether a record is selected."""
        return (
            self.strategy in (None, about.strategy)
            and self.run in (_ALL, about.run)
            and self.span.first <= instant(about.timestamp, "timestamp") <= self.span.last
        )


def _day(context: click.Context, parameter: click.Parameter, value: str | None) -> date | None:
    """Return a day; a `callback` of click."""
    found = time_option(context, parameter, value)
    if isinstance(found, datetime):
        raise click.BadParameter(f"{value!r}: expected a day, such as 2026-01-05")
    return found


@click.command(
    short_help="Show the last decisions and orders, follow the log, or write an HTML page.",
    epilog=examples(
        "storecore audit --strategy value --since 2026-01-05",
        "storecore audit --follow",
        "storecore audit --day 2026-01-05 --html audit.html",
        "storecore audit --run bt-7 --last 100 --json",
    ),
)
@click.option("--strategy", metavar="NAME", help="Only records of this strategy.")
@click.option(
    "--since", metavar="TIME", callback=time_option, help="Only records logged from then on."
)
@click.option("--day", metavar="DATE", callback=_day, help="Only records logged on that day (UTC).")
@click.option(
    "--run", metavar="NAME", help="The records of a run instead of the live log; '*' for all."
)
@click.option(
    "--last",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"The number of records, counted from the end [default: {_LAST}, on a page all].",
)
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write an HTML page to this file: the state of the chains, and each record with the data "
    "that were read for it. Without other options it shows the last day with records.",
)
@click.option(
    "--follow", is_flag=True, help="Go on to print each record that is logged, until Ctrl-C."
)
@json_option
@store_options
def audit(
    choice: StoreChoice,
    strategy: str | None,
    since: date | None,
    day: date | None,
    run: str | None,
    last: int | None,
    page: Path | None,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the last decisions and orders of the audit log, by time of logging.

    With --follow, each further record is printed as a line, with --json as a JSON object on a line.
    With --html they are written as a page for the browser, which can be searched and opens offline.
    """
    if since is not None and day is not None:
        raise click.UsageError("--since and --day exclude each other: give one of them")
    if page is not None and (follow or as_json):
        raise click.UsageError("--html writes a page: give it without --follow and --json")
    query = _Query(strategy, since or day, day, run, time_range(since or day, day))
    with choice.open_to_read() as store:
        read = _reader(store)
        after = dict.fromkeys(_LOGS, 0)
        if page is not None:
            click.echo(_write_page(store, read, query, last, page))
            return
        newest = deque(_found(read, after, query), maxlen=last or _LAST)
        if follow:
            _print_lines(newest, as_json)
            _follow(read, after, query, as_json)
        elif as_json:
            print_array(each.fields() for each in newest)
        else:
            console().print(f"the last {counted(len(newest), 'record')}")
            if newest:
                console().print(table(_HEADINGS, map(_row, newest), right=("seq",)))


def _write_page(store: DataStore, read: Reader, query: _Query, last: int | None, path: Path) -> str:
    """Write the page of the selected records; return a line that says what was written."""
    damage: list[str] = []
    after = dict.fromkeys(_LOGS, 0)
    logs = [_until_damage(_of_log(read, log, after, query), damage) for log in _LOGS]
    entries: Iterable[_Entry] = merge(*logs, key=_logged)
    if last is not None:
        entries = deque(entries, maxlen=last)
    elif query.start is None:
        entries, day = _last_day(entries)
        query = query._replace(start=day, end=day)
    records = [msgspec.json.decode(each.line, type=_TYPES[each.log]) for each in entries]
    write_page(path, audit_page(store, records, _heading(query), damage))
    size = decimal(path.stat().st_size)
    return f"{counted(len(records), 'record')}, {size}: {printable(str(path))}"


def _until_damage(entries: Iterable[_Entry], damage: list[str]) -> Iterator[_Entry]:
    """Yield the records of a log that can be read: a page shows a broken log too."""
    try:
        yield from entries
    except CorruptData as error:
        damage.append(str(error))


def _last_day(entries: Iterable[_Entry]) -> tuple[list[_Entry], date | None]:
    """Return the entries of the last day, and the day."""
    found: list[_Entry] = []
    day = None
    for entry in entries:
        if entry.about.timestamp.date() != day:
            found, day = [], entry.about.timestamp.date()
        found.append(entry)
    return found, day


def _heading(query: _Query) -> str:
    """Return what the records of a page have in common."""
    if query.end is not None:
        when = f" of {query.end}"
    else:
        when = "" if query.start is None else f" since {query.start}"
    strategy = f", strategy {query.strategy}" if query.strategy else ""
    run = {None: "", _ALL: ", with all runs"}.get(query.run, f", run {query.run}")
    return f"Audit log{when}{strategy}{run}"


Reader = Callable[[str, int], Iterator[bytes]]


def _reader(store: DataStore) -> Reader:
    """Return a function that yields the lines of a log after a number, as a stream if it can."""
    if isinstance(store, Transfer):
        return lambda log, after: (each.line for each in store.iter_audit(log, after))
    if not isinstance(store, AuditTrail):
        raise click.ClickException("this backend cannot read its audit log back")
    asks: dict[str, Callable[..., Any]] = {"decisions": read_decisions, "orders": read_orders}

    def read(log: str, after: int) -> Iterator[bytes]:
        for each in asks[log](store, datetime.min, datetime.max, run=_ALL):
            if each.seq > after:
                yield msgspec.json.encode(each)

    return read


def _found(read: Reader, after: dict[str, int], query: _Query) -> Iterable[_Entry]:
    """Yield the selected records of both logs by time; advance `after` past all that were read."""
    logs = [_of_log(read, log, after, query) for log in _LOGS]
    return merge(*logs, key=_logged)


def _logged(entry: _Entry) -> int:
    return instant(entry.about.timestamp, "timestamp")


def _of_log(read: Reader, log: str, after: dict[str, int], query: _Query) -> Iterator[_Entry]:
    for line in read(log, after[log]):
        about = msgspec.json.decode(line, type=_Line)
        after[log] = about.seq
        if query.has(about):
            yield _Entry(log, about, line)


def _follow(read: Reader, after: dict[str, int], query: _Query, as_json: bool) -> None:
    """Print each record that is logged, until Ctrl-C, which is the usual end."""
    try:
        while True:
            time.sleep(_POLL)
            _print_lines(_found(read, after, query), as_json)
    except KeyboardInterrupt:
        return


def _print_lines(entries: Iterable[_Entry], as_json: bool) -> None:
    for each in entries:
        if as_json:
            click.echo(msgspec.json.encode(each.fields()))
        else:
            click.echo("  ".join(filter(None, _row(each))))


def _row(entry: _Entry) -> tuple[str, ...]:
    fields = entry.fields()
    about = fields.get("decision") or fields["order"]
    texts = (entry.about.strategy, about["symbol"], about["action"], _what(fields))
    logged = entry.about.timestamp.replace(tzinfo=None).isoformat(" ")
    run = printable(entry.about.run or "")
    return logged, entry.log[:-1], f"{entry.about.seq}", *map(printable, texts), run


def _what(fields: dict[str, Any]) -> str:
    """Return the reason of a decision, or an order with its result."""
    if "decision" in fields:
        decision = fields["decision"]
        return f"{decision['target_weight']:g}: {decision['reasoning']}"
    order, result = fields["order"], fields["result"]
    price = "" if result["fill_price"] is None else f" at {shown(result['fill_price'])}"
    return f"{order['quantity']:g} {order['order_type']}: {result['status']}{price}"
