"""The memory backend with one fault in what it gives to a copy, or takes from one."""

from __future__ import annotations

import time
from datetime import UTC, date

import msgspec
from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore

from storecore import AuditLine, StateVersion, StoreError, laws


class GivesNoFundamentalsWithoutBars(MemoryDataStore):
    law = "Transfer"

    def iter_fundamentals(self):
        known = self.symbols()
        return (each for each in super().iter_fundamentals() if each.symbol in known)


class GivesTheLatestFundamentalFirst(MemoryDataStore):
    law = "Transfer"

    def iter_fundamentals(self):
        return reversed(list(super().iter_fundamentals()))


class GivesFundamentalsInUtc(MemoryDataStore):
    law = "Transfer"

    def iter_fundamentals(self):
        for each in super().iter_fundamentals():
            aware = each.timestamp.tzinfo is not None
            yield replace(each, timestamp=each.timestamp.astimezone(UTC)) if aware else each


class GivesEventsInTheOrderOfWriting(MemoryDataStore):
    law = "E1"

    def iter_events(self):
        self._check_open()
        return self._while_open([laws.decode_event(each) for each in self._events])


class GivesEqualEventsOnce(MemoryDataStore):
    law = "E1"

    def iter_events(self):
        given = []
        for each in super().iter_events():
            if each not in given:
                given.append(each)
                yield each


class GivesNaiveEvents(MemoryDataStore):
    law = "E1"

    def iter_events(self):
        for each in super().iter_events():
            yield replace(each, ingested_at=each.ingested_at.replace(tzinfo=None))


class ForgetsTheLastInstantOfARange(MemoryDataStore):
    law = "T3"

    def iter_events(self, start=None, end=None):
        found = super().iter_events()
        if start is None and end is None:
            return found
        span = laws.time_range(start, end)
        found = laws.select_events(found, span, None)
        last = laws.to_datetime(span.last, aware=span.aware)
        return self._while_open(each for each in found if each.timestamp < last)


class RefusesARangeWhenItIsGoneThrough(MemoryDataStore):
    law = "T2"

    def iter_events(self, start=None, end=None):
        yield from (
            super().iter_events()
            if start is None and end is None
            else (laws.select_events(super().iter_events(), laws.time_range(start, end), None))
        )


class CountsEventsBySkipping(MemoryDataStore):
    law = "Transfer"

    def iter_events(self):
        """Page by page, each found by how many events came before: what is late shifts them."""
        seen = 0
        while len(page := list(super().iter_events())[seen : seen + 2]):
            yield from page
            seen += len(page)


class GivesRecordsOfToday(MemoryDataStore):
    law = "A3"

    def iter_audit(self, log, after=0):
        today = date.today()
        return (AuditLine(today, each.line) for each in super().iter_audit(log, after))


class EncodesRecordsAnew(MemoryDataStore):
    law = "A3"

    def iter_audit(self, log, after=0):
        for day, line in super().iter_audit(log, after):
            encoded = msgspec.json.encode(msgspec.json.decode(line), order="sorted")
            yield AuditLine(day, encoded + b"\n")


class GivesFromTheNumberOn(MemoryDataStore):
    law = "Transfer"

    def iter_audit(self, log, after=0):
        return super().iter_audit(log, max(after - 1, 0) if after in (0, 1, 2, 3) else after)


class AsksTheQuestionLater(MemoryDataStore):
    law = "Transfer"

    def iter_audit(self, log, after=0):
        yield from super().iter_audit(log, after)


class StreamsPastItsEnd(MemoryDataStore):
    law = "L1"

    def _while_open(self, items):
        return iter(items)


class TakesAnyChain(MemoryDataStore):
    law = "A3"

    def append_audit(self, log, day, lines):
        moved = laws.moved_lines(log, day, lines)
        self._logs[log] += moved
        self._days[log] += [day] * len(moved)


class ChainsRecordsAnew(MemoryDataStore):
    law = "A3"

    def append_audit(self, log, day, lines):
        bodies = [line[line.index(b'"strategy"') : line.rindex(b'"prev"')] for line in lines]
        self._log(log, bodies)


class ForgetsTheEndOfWhatItTook(MemoryDataStore):
    law = "A3"

    def append_audit(self, log, day, lines):
        end = self._ends[log]
        super().append_audit(log, day, lines)
        self._ends[log] = end if len(self._logs[log]) > 2 else self._ends[log]


class TakesLineByLine(MemoryDataStore):
    law = "B2"

    def append_audit(self, log, day, lines):
        for row, line in enumerate(lines):
            try:
                super().append_audit(log, day, [line])
            except StoreError as error:
                raise laws_error(error, row) from error


def laws_error(error, row):
    return type(error)(str(error).replace("lines[0]", f"lines[{row}]"))


class BelievesEveryLine(MemoryDataStore):
    law = "B2"

    def append_audit(self, log, day, lines):
        laws.check_log(log)
        given = list(lines)
        self._logs[log] += given
        self._days[log] += [day] * len(given)


class RestoresOnlyTheNewest(MemoryDataStore):
    law = "Transfer"

    def restore_state(self, strategy_name, versions, *, expect):
        super().restore_state(strategy_name, list(versions)[:1], expect=expect)


class RestoresAsItsNextVersion(MemoryDataStore):
    law = "Transfer"

    def restore_state(self, strategy_name, versions, *, expect):
        given = list(versions)
        laws.checked_versions(given)
        stored = self.load_versioned_state(strategy_name).version
        laws.check_expected(strategy_name, expect, stored)
        for each in reversed(given):
            self.save_strategy_state(strategy_name, each.state)


class RestoresOverAnything(MemoryDataStore):
    law = "Transfer"

    def restore_state(self, strategy_name, versions, *, expect):
        stored = self.load_versioned_state(strategy_name).version
        super().restore_state(strategy_name, versions, expect=stored)


class KeepsItsOwnHistoryToo(MemoryDataStore):
    law = "Transfer"

    def restore_state(self, strategy_name, versions, *, expect):
        own = self.state_history(strategy_name)
        super().restore_state(strategy_name, versions, expect=expect)
        restored = self._states[strategy_name]
        kept = {number for number, _ in restored}
        more = [each for each in own if each.version not in kept]
        encoded = [(each.version, laws.encode_document(each.state, "state")) for each in more]
        self._states[strategy_name] = sorted([*restored, *encoded], reverse=True)


class RestoresInAnyOrder(MemoryDataStore):
    law = "B2"

    def restore_state(self, strategy_name, versions, *, expect):
        given = versions if isinstance(versions, StateVersion) else list(versions)
        if isinstance(given, list) and all(isinstance(each, StateVersion) for each in given):
            given = sorted(given, key=lambda each: -each.version)
        super().restore_state(strategy_name, given, expect=expect)


class ForgetsAllOfAnEmptyHistory(MemoryDataStore):
    law = "B3"

    def restore_state(self, strategy_name, versions, *, expect):
        given = versions if isinstance(versions, StateVersion) else list(versions)
        super().restore_state(strategy_name, given, expect=expect)
        if not given:
            self._states.pop(strategy_name, None)


class LooksBeforeItLocks(MemoryDataStore):
    law = "D4"

    def append_audit(self, log, day, lines):
        moved = laws.moved_lines(log, day, lines)
        end = self._ends[log]
        if moved:
            new_end = laws.moved_end(log, moved, end)
            time.sleep(0.01)
            with self._lock:
                self._ends[log] = new_end
                self._logs[log] += moved
                self._days[log] += [day] * len(moved)
