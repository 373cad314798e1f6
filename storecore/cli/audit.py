"""`storecore audit`: the records of the audit log, the newest ones or as they are logged."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from heapq import merge
from typing import Any, NamedTuple

import click
import msgspec

from storecore.cli.output import json_option, print_array
from storecore.cli.screen import console, table
from storecore.cli.store_choice import StoreChoice, examples, store_options
from storecore.cli.text import counted, printable
from storecore.cli.timestamps import time_option
from storecore.errors import shown
from storecore.protocols import AuditTrail, DataStore, Transfer
from storecore.store.questions import read_decisions, read_orders
from storecore.values.times import EARLIEST, instant

_LOGS = ("decisions", "orders")
_POLL = 1.0  # seconds
_HEADINGS = ("logged (UTC)", "log", "seq", "strategy", "symbol", "action", "what", "run")
_ALL = "*"


class _Line(msgspec.Struct):
    """The fields of a record that say whether it is asked for."""

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


class _Asked(NamedTuple):
    """Which records are asked for."""

    strategy: str | None
    since: int
    run: str | None

    def has(self, about: _Line) -> bool:
        """Return whether a record is asked for."""
        return (
            self.strategy in (None, about.strategy)
            and self.run in (_ALL, about.run)
            and instant(about.timestamp, "timestamp") >= self.since
        )


@click.command(
    short_help="Show the newest decisions and orders, or follow them.",
    epilog=examples(
        "storecore audit --strategy value --since 2026-01-05",
        "storecore audit --follow",
        "storecore audit --run bt-7 --last 100 --json",
    ),
)
@click.option("--strategy", metavar="NAME", help="Only records of this strategy.")
@click.option(
    "--since", metavar="TIME", callback=time_option, help="Only records logged from then on."
)
@click.option(
    "--run", metavar="NAME", help="The records of a run instead of the live log; '*' for both."
)
@click.option(
    "--last",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="The number of records, counted from the end.",
)
@click.option("--follow", is_flag=True, help="Go on with each record that is logged, until Ctrl-C.")
@json_option
@store_options
def audit(
    choice: StoreChoice,
    strategy: str | None,
    since: date | None,
    run: str | None,
    last: int,
    follow: bool,
    as_json: bool,
) -> None:
    """Show the last decisions and orders of the audit log, by time of logging.

    With --follow, each further record is a line; with --json too, a JSON object on a line.
    """
    asked = _Asked(strategy, EARLIEST if since is None else instant(since, "since"), run)
    with choice.open_to_read() as store:
        read = _reader(store)
        after = dict.fromkeys(_LOGS, 0)
        newest = deque(_found(read, after, asked), maxlen=last)
        if follow:
            _print_lines(newest, as_json)
            _follow(read, after, asked, as_json)
        elif as_json:
            print_array(each.fields() for each in newest)
        else:
            console().print(f"the last {counted(len(newest), 'record')}")
            if newest:
                console().print(table(_HEADINGS, map(_row, newest), right=("seq",)))


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


def _found(read: Reader, after: dict[str, int], asked: _Asked) -> Iterable[_Entry]:
    """Yield the records of both logs that are asked for, by time; advance `after`."""
    logs = [_of_log(read, log, after, asked) for log in _LOGS]
    return merge(*logs, key=lambda each: instant(each.about.timestamp, "timestamp"))


def _of_log(read: Reader, log: str, after: dict[str, int], asked: _Asked) -> Iterator[_Entry]:
    for line in read(log, after[log]):
        about = msgspec.json.decode(line, type=_Line)
        after[log] = about.seq
        if asked.has(about):
            yield _Entry(log, about, line)


def _follow(read: Reader, after: dict[str, int], asked: _Asked, as_json: bool) -> None:
    """Print what is logged, until the user interrupts; that is the usual end."""
    try:
        while True:
            time.sleep(_POLL)
            _print_lines(_found(read, after, asked), as_json)
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
