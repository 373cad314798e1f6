"""The memory backend whose check of the audit log looks at too little."""

from __future__ import annotations

import json
import re
from hashlib import sha256

from plain_store import PlainStore as MemoryDataStore

from storecore import laws
from storecore.reports import AuditReport, Finding


def verified(self, is_right):
    """Return a report that finds a log in which some record is not right, given what is before."""
    findings, ends = [], {}
    for log, lines in self._logs.items():
        before = {"seq": 0, "hash": ""}
        for line in lines:
            record = json.loads(line)
            if not is_right(before, record, line):
                findings.append(Finding("edited", log, "not right"))
            before = record
        ends[log] = before["hash"]
    return AuditReport(sum(map(len, self._logs.values())), tuple(findings), heads=ends)


def numbered(before, record, line):
    return record["seq"] == before["seq"] + 1


def linked(before, record, line):
    return record["prev"] == before["hash"]


def hashed(before, record, line):
    body = re.sub(rb',"hash":"[0-9a-f]*"}\s*$', b"", line)
    return sha256(body).hexdigest() == record["hash"]


class FindsNothing(MemoryDataStore):
    law = "A3"

    def verify_audit(self):
        return verified(self, lambda *_: True)


class ChecksNumbersAlone(MemoryDataStore):
    law = "A3"

    def verify_audit(self):
        return verified(self, numbered)


class ChecksLinksAlone(MemoryDataStore):
    law = "A3"

    def verify_audit(self):
        return verified(self, linked)


class ChecksHashesAlone(MemoryDataStore):
    law = "A3"

    def verify_audit(self):
        return verified(self, hashed)


class KnowsNoEnd(MemoryDataStore):
    law = "A3"

    def verify_audit(self):
        return verified(self, lambda *each: numbered(*each) and linked(*each) and hashed(*each))


class ChecksOneLog(MemoryDataStore):
    law = "A3"

    def verify_audit(self):
        orders, self._logs["orders"] = self._logs["orders"], []
        end, self._ends["orders"] = self._ends["orders"], laws.GENESIS
        report = super().verify_audit()
        self._logs["orders"], self._ends["orders"] = orders, end
        last = json.loads(orders[-1])["hash"] if orders else ""
        heads = report.heads | {"orders": last}
        return AuditReport(report.checked + len(orders), report.findings, heads=heads)


class ChecksWhatItRemembers(MemoryDataStore):
    law = "A3"

    def _log(self, kind, bodies):
        super()._log(kind, bodies)
        vars(self).setdefault("seen", {"decisions": [], "orders": []})
        self.seen[kind] = list(self._logs[kind])

    def verify_audit(self):
        kept, self._logs = self._logs, vars(self).get("seen", self._logs)
        try:
            return super().verify_audit()
        finally:
            self._logs = kept


class ChecksFromTheSecondOn(MemoryDataStore):
    law = "A3"

    def verify_audit(self):
        def is_right(before, record, line):
            first = record["seq"] <= 1
            return first or (numbered(before, record, line) and hashed(before, record, line))

        report = verified(self, is_right)
        ends = {name: link.hash for name, link in self._ends.items()}
        cut = [Finding("truncated", log, "cut") for log in ends if ends[log] != report.heads[log]]
        return AuditReport(report.checked, (*report.findings, *cut), heads=report.heads)
