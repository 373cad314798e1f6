"""The audit log as an HTML page: what was decided and ordered, and what each of it saw.

The verdict on the chains is at the top. The page is one file without anything to load. All texts
of the log are escaped: a reason cannot add markup or a script.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from storecore.charts.marks import outcome, shortened
from storecore.charts.pages import asset, filled, html
from storecore.cli.replay import audited, question_of
from storecore.cli.screen import date_text
from storecore.cli.text import counted
from storecore.errors import InvalidData
from storecore.knowledge.evidence import lines_of
from storecore.knowledge.replay import Record, reads_of, seen
from storecore.models import DecisionRecord, Read
from storecore.protocols import DataStore
from storecore.reports import AuditReport

MOST_ROWS = 10
MOST_CHARACTERS = 20_000  # of a field or a row
_KEPT_ELSEWHERE = "compare these hashes with those that you keep elsewhere"


def audit_page(
    store: DataStore, records: Iterable[Record], heading: str, damage: Sequence[str] = ()
) -> str:
    """Return the page of some records of the log of a store, by their time of logging.

    Of each read the last rows are shown, as they were read. `damage` says why further records
    cannot be read; then the page has those before. Raises `click.ClickException` if the
    backend cannot read its log back.
    """
    report = audited(store).verify_audit()
    ordered = sorted(records, key=lambda record: record.timestamp)
    return filled(
        "audit.html",
        heading=html(heading),
        style=asset("audit.css"),
        script=asset("audit.js"),
        verdict="\n".join(_verdict(report, damage)),
        count=html(counted(len(ordered), "record")),
        strategies="".join(_choices(record.strategy for record in ordered)),
        actions="".join(_choices(_action(record) for record in ordered)),
        records="\n".join(_record(store, record) for record in ordered),
    )


def _verdict(report: AuditReport, damage: Sequence[str]) -> Iterator[str]:
    """Yield whether the chains are intact, and the findings."""
    state = "whole" if report.ok else "broken"
    title = "The chains of the log are intact" if report.ok else "The chains of the log are broken"
    yield f'<section id="verdict" class="{state}"><h2>{title}</h2>'
    for finding in report.findings:
        yield f"<p>{html(_cut(f'{finding.kind}: {finding.place}: {finding.detail}'))}</p>"
    for text in damage:
        yield f"<p>Records are missing here: {html(_cut(text))}</p>"
    heads = (f"<li>{html(log)} <code>{html(end)}</code></li>" for log, end in report.heads.items())
    yield f"<details><summary>{_KEPT_ELSEWHERE}</summary><ul>{''.join(heads)}</ul></details>"
    yield "</section>"


def _choices(names: Iterable[str]) -> Iterator[str]:
    for name in sorted(set(names)):
        yield f'<option value="{html(name)}">{html(name)}</option>'


def _action(record: Record) -> str:
    if isinstance(record, DecisionRecord):
        return record.decision.action.value
    return record.order.action


def _record(store: DataStore, record: Record) -> str:
    """Return a record: one line, and below it all fields and what was read for it."""
    is_decision = isinstance(record, DecisionRecord)
    what = record.decision if isinstance(record, DecisionRecord) else record.order
    log = "decision" if is_decision else "order"
    known = f'data-strategy="{html(record.strategy)}" data-action="{html(_action(record))}"'
    cells = (
        ("when", date_text(record.timestamp)[:19]),
        ("seq", f"{log} {record.seq}"),
        ("strategy", record.strategy),
        (f"action {_action(record).lower()}", _action(record)),
        ("symbol", what.symbol),
        ("reason", shortened(_reason(record))),
    )
    line = "".join(f'<span class="{name}" dir="auto">{html(text)}</span>' for name, text in cells)
    body = "".join((_fields(record), *_reads(store, record)))
    return f'<details class="record {log}" {known}><summary>{line}</summary>{body}</details>'


def _reason(record: Record) -> str:
    if isinstance(record, DecisionRecord):
        return record.decision.reasoning
    return outcome(record.result)


def _fields(record: Record) -> str:
    parts: Sequence[Struct]
    if isinstance(record, DecisionRecord):
        parts = (record.decision,)
    else:
        parts = record.order, record.result
    fields = {name: value for part in parts for name, value in asdict(part).items()}
    fields |= {name: getattr(record, name) for name in ("as_of", "run", "prev", "hash")}
    rows = (
        f'<tr><th>{html(name)}</th><td dir="auto">{html(_plain(value))}</td></tr>'
        for name, value in fields.items()
        if value not in (None, "")
    )
    return f'<table class="fields">{"".join(rows)}</table>'


def _plain(value: Any) -> str:
    return _cut(str(getattr(value, "value", value)))


def _cut(text: str) -> str:
    """Return a text that a browser can show; what is cut off is counted."""
    rest = len(text) - MOST_CHARACTERS
    if rest <= 0:
        return text
    return f"{text[:MOST_CHARACTERS]} … and {rest:,} more characters: see `storecore why`"


def _reads(store: DataStore, record: Record) -> Iterator[str]:
    """Yield each read with the last rows of its answer."""
    if record.reads is None:
        yield '<p class="note">It was logged without receipts, so what it saw is not known.</p>'
    for read in reads_of(record):
        rows = "\n".join(map(_cut, _rows(store, read, record.run)))
        question = html(_cut(question_of(read)))
        yield f'<h3 dir="auto">{question}</h3><pre dir="auto">{html(rows)}</pre>'


def _rows(store: DataStore, read: Read, run: str | None) -> Iterator[str]:
    try:
        found = seen(store, read, run)
    except InvalidData as error:  # a read of a later release
        yield f"this read cannot be repeated: {error}"
        return
    if found is None:
        yield "what was read is gone: it was corrected, and the history of that time was pruned"
        return
    lines = [line.decode() for line in lines_of(found.answer)]
    if len(lines) > MOST_ROWS:
        yield f"… {len(lines) - MOST_ROWS:,} more before these"
    yield from lines[-MOST_ROWS:]
