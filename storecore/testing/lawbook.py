"""The laws as the kit names them: what each says, and why it is one.

LAWS.md, beside this module, is made of it by `storecore.testing.lawpage`. A test is named after the
laws that it proves (`test_b1_last_write_wins`, `test_d1_d3_…`), or after the capability
(`test_catalog_…`).
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Law(NamedTuple):
    """One law: what it says and why."""

    says: str
    why: str


LAWS: dict[str, Law] = {
    "P1": Law(
        "A store has the ten methods, `close` and the context manager, each with the protocol's "
        "signature, or with that of an earlier `api`: without optional keywords that were added "
        "since, and with required bounds.",
        "A call that works on one backend works on all.",
    ),
    "P2": Law(
        "A capability is declared if and only if the store satisfies it, with its signatures. A "
        "method or an optional keyword that was added to it later may be missing, and a bound that "
        "is optional today may be required.",
        "Programs and wrappers choose by what is declared.",
    ),
    "P3": Law(
        "Any history of writes and reads, good and bad, is answered as `memory` answers it.",
        "The laws hold together, not only one by one.",
    ),
    "N1": Law(
        "Two different symbols or strategy names never share data, and a name comes back exactly "
        "as given: `BRK/B`, `CON`, `aapl` beside `AAPL`, `../../x`. Nothing outside the store's "
        "place is touched.",
        "A feed names its symbols, not we; and a disk that folds case must not mix two companies.",
    ),
    "N2": Law(
        "An empty name, a NUL or a lone surrogate is `InvalidName`.",
        "They are no text that every medium can keep.",
    ),
    "N3": Law(
        "A bar or fundamental whose own symbol is not the one it is filed under is refused; so is "
        "an order whose own strategy is not the one it is logged under.",
        "It is a bug at the caller, and it would be found months later.",
    ),
    "T1": Law(
        "A store keeps instants, to the microsecond; a naive datetime is UTC; finer is refused, "
        "never rounded.",
        "A rounded time is a wrong time that nobody notices.",
    ),
    "T2": Law(
        "Bars, events and records come back in the kind that `start` and `end` have, naive or "
        "aware UTC, and naive without bounds; one of each is a `ValueError`. A fundamental comes "
        "back as it was written: its timestamp naive, with its offset, or in a time zone of the "
        "same name (a `ZoneInfo`).",
        "Comparing naive with aware raises far from the cause.",
    ),
    "T3": Law(
        "Ranges include both ends. A `date` is its midnight as a start or a bar's date, its last "
        "microsecond as an end. A missing bound is open, except where data is deleted. A bound may "
        "be ISO text, or finer than a microsecond: no stored time is between two. A start after "
        "the end is refused. `last=n` are the n newest of the range. `as_of` and `ingested_by` "
        "take no bare date.",
        "A bare date would let a morning see the evening's filing; an empty answer would hide "
        "exchanged bounds.",
    ),
    "B1": Law(
        "One bar per (symbol, timeframe, date); the last write wins, and within a batch the last; "
        "reads are sorted and unique.",
        "Feeds correct themselves.",
    ),
    "B2": Law(
        "A batch is checked whole before the first byte is written; an error names row and field. "
        "Odd but real bars are kept as given.",
        "Half a batch is worse than none.",
    ),
    "B3": Law("An empty batch does nothing.", "A holiday is no error."),
    "B4": Law(
        "A reader sees each bar old or new, never torn, and never misses one that was there. It "
        "waits at most for the calls of writers that are under way, never for an iterator. Of a "
        "batch it may see a part until the call returns; from then on every reader "
        "sees all of it. A series that is replaced is seen whole, old or new.",
        "Strategies read while collectors write.",
    ),
    "B5": Law(
        "Equal floats come back bit for bit; whole volumes come back as `int`.",
        "Backtests must repeat.",
    ),
    "B6": Law(
        "A bar may have more columns than the seven: float64, int64, bool, string or UTC "
        "timestamp, nullable, of one type in a series; and a volume of None, not reported. An "
        "upsert replaces the whole bar, so a column that it does not give becomes null. A question "
        "for several series unifies the types or is refused.",
        "Every vendor sends more than seven columns, and currencies have no volume.",
    ),
    "F1": Law(
        "`read_fundamental(symbol, as_of)` is the one with the latest timestamp not after "
        "`as_of`, in whatever order they were written.",
        "No look-ahead.",
    ),
    "F2": Law("The same (symbol, timestamp) again replaces.", "Filings are corrected."),
    "E1": Law(
        "Every event comes back, identical ones too, by timestamp and then by order of writing.",
        "Two equal trades are two trades.",
    ),
    "E2": Law(
        "`types=None` is all, `types=[]` is none; so is it with `symbols`, among which None stands "
        "for events without one. `ingested_by` leaves out what arrived later.",
        "An empty filter computed by a program must not mean all.",
    ),
    "E3": Law("A late event costs what a new one costs.", "Feeds are late at the worst moment."),
    "S1": Law(
        "What is loaded equals what was saved, or the save is refused with the path of the value "
        "that JSON would change, and the old state stays. The same holds for an event's payload "
        "and for the `extra` of a fundamental, a decision, an order or a result.",
        "A tuple that comes back as a list is a bug that shows at 9:30.",
    ),
    "A1": Law(
        "One call is one record: a JSON line in the file of its local day, where there are files. "
        "Each field comes back as the plain value that equals the one given, or the call is "
        "refused and the error names the field. A record may say the time at which the strategy "
        "stood (`as_of`), the run that it is part of and what was read for it (`reads`). The "
        "records of a run are apart from the live log.",
        "Evidence must be readable without us, and a backtest is not trading.",
    ),
    "A2": Law("Append-only: nothing rewrites a record.", "Else it is no evidence."),
    "A3": Law(
        "A record carries `seq`, the hash of the one before and its own; beside the log lies where "
        "it ends.",
        "An edit, a removal, a reordering, a double or a cut tail is found.",
    ),
    "A4": Law("Order is `seq`, not the clock.", "Clocks are set back."),
    "D1": Law(
        "When a write returns, it survives `kill -9` (and power loss, by default).",
        "It is the record of every order that you sent.",
    ),
    "D2": Law(
        "A write that fails leaves what was there before, readable, and raises a `StoreError`. A "
        "call that writes several symbols, documents or days changes all of them or none. One that "
        "raises an exception of a signal handler has taken effect by then or never does.",
        "Disks fill up on the busiest day; and whoever presses Ctrl-C tries again.",
    ),
    "D3": Law(
        "What a killed writer left torn is never glued to the next record, never counted as data. "
        "A line that lacks its newline alone proves itself, and is data.",
        "A crash must not spoil what comes after it.",
    ),
    "D4": Law(
        "Threads and processes may write the same store at once: nothing is lost, nothing "
        "interleaves.",
        "A collector, a strategy and a repair script run side by side.",
    ),
    "D5": Law(
        "A corrupt file is `CorruptData`; it is never treated as empty, and no flipped bit changes "
        "what a read returns without being noticed. A file that could not be read (no permission, "
        "memory, thread or descriptor, an I/O error) is `StorageError`, and no repair touches it.",
        "Disks and copies err silently, and a busy machine is not a damaged file.",
    ),
    "D7": Law(
        "Opening a store to read (`create=False`, `readonly`, the commands that read) creates no "
        "file and takes no lock. A place without a store is `NoStore`.",
        "A misspelt path that counts as an empty store hides every record.",
    ),
    "K1": Law(
        "What a write changes or a deletion removes stays readable as it was recorded, with the "
        "instants at which it was recorded and replaced. It stays until a call or the option "
        "`history` prunes it. An equal write, bit for bit, makes no version. A renaming is a "
        "deletion and a write at one instant. A store that takes in the versions of another one "
        "(`restore_versions`) answers as that one does.",
        "A backtest must repeat, and a decision must be explained by what it saw.",
    ),
    "K2": Law(
        "`store.at(t)` shows no bar, filing or event that could not be known at t: a bar is known "
        "from its end on (its date and its timeframe), or as the store had recorded it by t; a "
        "fundamental from its `timestamp` on, an event from its `ingested_at` on, a state or a "
        "record once it is saved or logged. The catalog lists what was known. A question that "
        "reaches beyond t is cut at t, or raises `LookAhead`. Only `recorded=` hides later "
        "corrections. A view writes nothing; with a run, it writes decisions, orders and states "
        "apart from the live ones.",
        "A backtest that sees the future earns money on paper alone.",
    ),
    "K3": Law(
        "`recorded=r` shows what the store held at r. The same question is always answered in the "
        "same way, or with `HistoryPruned` if r is before what was pruned or not kept. In "
        "`at(t, recorded=r)` it is r alone that counts for that, not t: a view of a time before "
        "the pruning shows what had ended by t. A bar that was forming at t is left out if its "
        "version of then is gone. The clock of recording is strictly increasing for "
        "each write that makes a version, and it persists. What becomes visible after a question "
        "about r is never recorded at or before r. What will be recorded is not known: a moment in "
        "the future is refused. Pruning does not cut under a snapshot.",
        "Evidence that changes proves nothing.",
    ),
    "K4": Law(
        "A receipt names what was read: the call, its arguments, the time of the view and the "
        "checksum of the answer. Replayed, it finds every change since and nothing else.",
        "A decision can be judged only by what it saw.",
    ),
    "L1": Law(
        "`close()` twice is fine; any use after it is `StoreClosed`. A closed store has given up "
        "its files and connections.",
        "A write that goes nowhere must say so.",
    ),
    "L2": Law(
        "Opening creates what is missing and changes nothing that is there.",
        "Restarting is safe, always.",
    ),
}

BEYOND_THE_KIT: dict[str, Law] = {
    "D6": Law(
        "A file of an older state that comes back (a restore over a live folder, one file copied "
        "back, an interrupted sync of a backup) never silently hides or overrides newer data. It "
        "is recognised as older, or reported. Reads answer from the newest generation. A later "
        "write removes nothing that is not proven to be superseded. A file that is copied over its "
        "own newer version, or that brings back what was deleted or renamed, may count: a backend "
        "documents when.",
        "A restore is done in a hurry, and what it hides is missed months later.",
    ),
}
"""Laws of backends that keep files, which tests of their own prove: the kit knows no formats."""

_IDS = re.compile(r"test((?:_[a-z][1-9])+)_")


def proves(test: str, capabilities: frozenset[str]) -> tuple[str, ...]:
    """Return the laws or the capability that a test's name says it proves."""
    match = _IDS.match(test)
    if match:
        return tuple(match[1].upper().split("_")[1:])
    plain = test.removeprefix("test_").replace("_", "")
    named = [name for name in capabilities if plain.startswith(name.lower())]
    return tuple(sorted(named, key=len)[-1:])  # `test_bulk_audit_…` speaks of no Bulk
