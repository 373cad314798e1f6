"""Reports: what was found, and whether that is nothing."""

from __future__ import annotations

import pytest

from storecore import AuditReport, Finding, Report

FINDING = Finding("edited", "line 1", "the hash is another")


@pytest.mark.parametrize(("findings", "ok"), [((), True), ((FINDING,), False)])
@pytest.mark.parametrize("kind", [Report, AuditReport])
def test_a_report_is_ok_where_nothing_was_found(kind, findings, ok):
    assert kind(checked=3, findings=findings).ok is ok
