"""The memory backend with one fault in how it is looked after, or in its checkpoints."""

from __future__ import annotations

from datetime import date

from msgspec.structs import replace
from plain_store import PlainStore as MemoryDataStore

from storecore import Finding, Report
from storecore.reports.checkpoint import sealed
from storecore.store.checkpoints import Checkpoint, loaded, take_checkpoint, verify_against

EVER = date.min, date.max


class TakesOddBarsForDamage(MemoryDataStore):
    law = "Maintenance"

    def verify(self, *, against=None):
        report = super().verify(against=against)
        return replace(report, findings=(*report.findings, *report.notes), notes=())


class RepairsStatesAway(MemoryDataStore):
    law = "Maintenance"

    def repair(self, *, dry_run=False):
        if not dry_run:
            self._states = {name: versions[1:] for name, versions in self._states.items()}
        return super().repair(dry_run=dry_run)


class RepairsWhenAskedWhatItWould(MemoryDataStore):
    law = "Maintenance"

    def repair(self, *, dry_run=False):
        if dry_run:
            self._fundamentals = {}
        return super().repair(dry_run=dry_run)


class CompactsEventsAway(MemoryDataStore):
    law = "Maintenance"

    def compact(self):
        self._events = list(dict.fromkeys(self._events[1:]))
        return super().compact()


class IsHeldToNothing(MemoryDataStore):
    law = "Maintenance"

    def verify(self, *, against=None):
        return super().verify()


class TakesAnyCheckpoint(MemoryDataStore):
    """It does not ask whether the document is as it was taken."""

    law = "Maintenance"

    def verify(self, *, against=None):
        if isinstance(against, Checkpoint):
            against = sealed(against)
        return super().verify(against=against)


class ReadsNoFiles(MemoryDataStore):
    law = "Maintenance"

    def verify(self, *, against=None):
        document = None if against is None else sealed(against)
        return super().verify(against=document)


class TakesGrowthForDamage(MemoryDataStore):
    """It expects to find what was there and nothing else."""

    law = "Maintenance"

    def verify(self, *, against=None):
        report = super().verify(against=against)
        if against is not None:
            now, then = take_checkpoint(self), loaded(against)
            if (now.bars, now.events, now.audit) != (then.bars, then.events, then.audit):
                finding = Finding("changed", "the store", "it is not as it was")
                return replace(report, findings=(*report.findings, finding))
        return report


class TakesCorrectionsForDamage(MemoryDataStore):
    law = "Maintenance"

    def verify(self, *, against=None):
        report = super().verify(against=against)
        replaced = tuple(each for each in report.notes if each.kind == "replaced")
        return replace(report, findings=(*report.findings, *replaced))


class SaysNothingOfCorrections(MemoryDataStore):
    law = "Maintenance"

    def verify(self, *, against=None):
        report = super().verify(against=against)
        notes = tuple(each for each in report.notes if each.kind not in ("replaced", "added"))
        return replace(report, notes=notes)


class CountsWhatIsThereOnly(MemoryDataStore):
    """A series that has as many bars as then is whole to it, wherever they came from."""

    law = "Maintenance"

    def verify(self, *, against=None):
        if against is None:
            return super().verify()
        then = loaded(against)
        now = {(each.symbol, each.timeframe): each.count for each in take_checkpoint(self).bars}
        kept = tuple(b for b in then.bars if now.get((b.symbol, b.timeframe), 0) < b.count)
        return verify_against(self, sealed(replace(then, bars=kept)), super().verify)


class LeavesOut(MemoryDataStore):
    """Its checkpoints lack a kind of data."""

    def checkpoint(self):
        return sealed(replace(super().checkpoint(), **{self.kind: ()}))


class LeavesOutBars(LeavesOut):
    law, kind = "Maintenance", "bars"


class LeavesOutFundamentals(LeavesOut):
    law, kind = "Maintenance", "fundamentals"


class LeavesOutEvents(LeavesOut):
    law, kind = "Maintenance", "events"


class LeavesOutStates(LeavesOut):
    law, kind = "Maintenance", "states"


class LeavesOutLogs(LeavesOut):
    law, kind = "Maintenance", "audit"


class ListsDailyBarsOnly(MemoryDataStore):
    law = "Maintenance"

    def checkpoint(self):
        whole = super().checkpoint()
        daily = tuple(each for each in whole.bars if each.timeframe == "1d")
        return sealed(replace(whole, bars=daily))


class DigestsInItsOwnWay(MemoryDataStore):
    law = "Maintenance"

    def checkpoint(self):
        whole = super().checkpoint()
        states = tuple(replace(each, digest=each.digest[::-1]) for each in whole.states)
        return sealed(replace(whole, states=states))


class SealsNothing(MemoryDataStore):
    law = "Maintenance"

    def checkpoint(self):
        return replace(super().checkpoint(), sha256="")


class AccusesItselfOfNothing(MemoryDataStore):
    """Whatever is missing, its report is one of a store without damage."""

    law = "Maintenance"

    def verify(self, *, against=None):
        return Report(super().verify(against=against).checked)


class LacksAMethodThatIsNotNew(MemoryDataStore):
    law = "P2"

    repair = None


class TakesLessThanItEverDid(MemoryDataStore):
    """An optional keyword may be new; this one is not."""

    law = "P2"

    def repair(self):
        return super().repair()


class GrowsInAnotherWay(MemoryDataStore):
    law = "P2"

    def verify(self, checkpoint=None):
        return super().verify(against=checkpoint)
