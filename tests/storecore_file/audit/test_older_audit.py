"""Law D6 for the audit log: a log of another copy of the store beside the head of this one."""

from __future__ import annotations

import shutil

import pytest

from storecore_file import FileDataStore


@pytest.mark.parametrize("more", [1, 2, 3])
def test_d6_a_log_of_another_copy_stays_a_finding_though_it_is_written_on(
    base, tmp_path, decision, more
):
    def log(folder, *reasons):
        with FileDataStore(folder, durability="os") as store:
            for reason in reasons:
                store.log_decision("value", decision(reasoning=reason))

    other = tmp_path / "other"
    log(base, "1")
    shutil.copytree(base, other)
    log(base, "2", "3")
    log(other, *(["another reason"] * (1 + more)))
    (day,) = (other / "audit" / "decisions").glob("*.jsonl")
    shutil.copy2(day, base / "audit" / "decisions")
    assert not FileDataStore(base).verify_audit().ok
    for number in range(3):
        log(base, f"later {number}")
        assert not FileDataStore(base).verify_audit().ok
