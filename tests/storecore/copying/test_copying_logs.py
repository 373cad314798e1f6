"""States come with their versions; the audit log's chains arrive byte for byte."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from storecore import AuditLine, StateVersion, copy_store, laws
from storecore.builtin.memory import MemoryDataStore
from storecore.copying import LeftOut

LEAP, MARCH = date(2020, 2, 29), date(2020, 3, 1)
LOGGED_AT = datetime(2020, 2, 29, 12, tzinfo=UTC)


def save(store, *numbers, name="value"):
    for number in numbers:
        store.save_strategy_state(name, {"number": number})


def lines_of(store, log="decisions"):
    return [each.line for each in store.iter_audit(log)]


@pytest.fixture
def chain(decision):
    """Return the lines of a log of so many decisions of a strategy."""

    def make(count, strategy="value"):
        body = laws.decision_body(strategy, decision())
        return laws.chain([body] * count, LOGGED_AT, laws.GENESIS)[0]

    return make


# States.


def test_a_state_comes_with_its_version_and_its_history(source, target, found):
    save(source, *range(7))
    copied = found(copy_store(source, target), "state")
    assert (copied.equal, copied.added, copied.source.count) == (True, 1, laws.KEPT_VERSIONS)
    assert target.state_history("value") == source.state_history("value")
    target.save_strategy_state("value", {}, expect=7)


@pytest.mark.parametrize("more", [1, 4, 20])
def test_a_later_version_takes_the_place_of_the_one_before(source, target, found, more):
    save(source, 1, 2)
    copy_store(source, target)
    save(source, *range(more))
    assert found(copy_store(source, target), "state").equal
    assert target.load_versioned_state("value").version == 2 + more


def test_a_state_that_the_target_has_saved_since_stays(source, target, found):
    save(source, 1)
    copy_store(source, target)
    save(target, 2, 3)
    copied = found(copy_store(source, target), "state")
    assert (copied.equal, copied.added) == (False, 0)
    assert copied.note == "this state was saved in the target too: it is left as it is"
    assert target.load_strategy_state("value") == {"number": 3}


def test_a_version_of_both_that_is_not_the_same_is_the_targets_own(source, target, found):
    save(source, 1, 2, 3)
    save(target, 1, 9)
    assert found(copy_store(source, target), "state").note
    assert target.load_versioned_state("value") == StateVersion(2, {"number": 9})


def test_a_history_that_is_shorter_in_the_target_is_made_whole(source, target, found):
    save(source, 1, 2, 3)
    target.restore_state("value", [StateVersion(3, {"number": 3})], expect=0)
    assert found(copy_store(source, target), "state").equal
    assert target.state_history("value") == source.state_history("value")


@pytest.mark.parametrize("without", ["VersionedState", "Transfer"])
def test_without_versions_the_state_itself_is_copied(source, target, limited, found, without):
    capabilities = {"Catalog", "VersionedState", "Transfer"} - {without}
    save(source, 1, 2)
    report = copy_store(source, limited(target, *capabilities))
    assert found(report, "state").equal
    why = "the target lacks the capability VersionedState or Transfer"
    said = f"the states were copied without their versions: {why}"
    assert report.left_out == (LeftOut("state", said),)
    assert target.load_versioned_state("value") == StateVersion(1, {"number": 2})
    save(source, 3)
    assert found(copy_store(source, limited(target, *capabilities)), "state").added == 1
    assert target.load_strategy_state("value") == {"number": 3}


def test_of_a_source_that_counts_no_versions_the_state_itself_is_copied(
    source, target, limited, found
):
    save(source, 1, 2)
    report = copy_store(limited(source, "Catalog", "Transfer"), target)
    assert found(report, "state").equal
    assert report.left_out[0].why.endswith("the source lacks the capability VersionedState")
    assert target.load_versioned_state("value") == StateVersion(1, {"number": 2})


def test_a_state_of_the_target_alone_stays_where_versions_cannot_be_copied(
    source, target, limited, found
):
    save(target, 1)
    copied = found(copy_store(source, limited(target, "Catalog")), "state")
    assert (copied.equal, copied.added) == (False, 0)
    assert target.load_strategy_state("value") == {"number": 1}


# The audit log.


def test_records_keep_their_bytes_and_the_day_on_which_they_were_logged(
    source, target, files, chain
):
    lines = chain(6)
    source.append_audit("decisions", LEAP, lines[:2])
    source.append_audit("decisions", MARCH, lines[2:4])
    source.append_audit("decisions", LEAP, lines[4:])
    days = [LEAP, LEAP, MARCH, MARCH, LEAP, LEAP]
    assert copy_store(source, files("data")).ok
    assert copy_store(files("data"), target).ok
    assert list(target.iter_audit("decisions")) == list(map(AuditLine, days, lines))
    folder = files("data").base_path / "audit" / "decisions"
    assert (folder / "2020-02-29.jsonl").read_bytes() == b"".join(lines[:2] + lines[4:])
    assert (folder / "2020-03-01.jsonl").read_bytes() == b"".join(lines[2:4])
    assert files("data").verify_audit().heads == source.verify_audit().heads


def test_a_chain_goes_on_where_the_target_stops(source, target, chain, found, monkeypatch):
    monkeypatch.setattr("storecore.copying.audit._AT_ONCE", 2)
    lines = chain(7)
    source.append_audit("decisions", LEAP, lines)
    target.append_audit("decisions", LEAP, lines[:3])
    copied = found(copy_store(source, target), "decisions")
    assert (copied.equal, copied.added) == (True, 4)
    assert lines_of(target) == lines


def test_another_chain_is_left_alone(source, target, chain, found):
    ours, theirs = chain(3), chain(2, "momentum")
    source.append_audit("decisions", LEAP, ours)
    target.append_audit("decisions", LEAP, theirs)
    copied = found(copy_store(source, target), "decisions")
    assert copied.note == "the target's record 1 differs: its chain is not changed"
    assert (copied.equal, copied.source.count, copied.target.count) == (False, 3, 2)
    assert lines_of(target) == theirs


def test_a_chain_that_goes_on_in_the_target_alone_is_left_alone(
    source, target, chain, found, decision
):
    source.append_audit("decisions", LEAP, chain(2))
    copy_store(source, target)
    target.log_decision("value", decision())
    copied = found(copy_store(source, target), "decisions")
    assert copied.note == "the target has more records than the source, whose last is 2"
    assert (copied.equal, copied.added) == (False, 0)


@pytest.mark.parametrize("at_once", [1, 2, 5_000])
@pytest.mark.parametrize("broken", [1, 3])
def test_a_chain_that_is_broken_is_copied_up_to_there(
    source, target, chain, found, broken, at_once, monkeypatch
):
    monkeypatch.setattr("storecore.copying.audit._AT_ONCE", at_once)
    source.append_audit("decisions", LEAP, chain(4))
    source._logs["decisions"].kept[broken - 1] = chain(4, "momentum")[broken - 1]
    copied = found(copy_store(source, target), "decisions")
    if broken == 1:  # whole by itself: the one behind it does not follow
        broken = 2
    assert copied.note == f"the source's chain is broken at record {broken}: the copy ends there"
    assert (copied.equal, copied.source.count) == (False, 4)
    assert len(lines_of(target)) == copied.added == broken - 1
    assert target.verify_audit().ok


def test_an_empty_log_of_the_source_leaves_nothing_out(source, target, limited):
    assert copy_store(source, limited(target)).ok


def test_records_that_the_target_cannot_take_are_left_out(source, target, limited, chain):
    source.append_audit("decisions", LEAP, chain(1))
    why = "the target cannot take unchanged records: it lacks the capability Transfer"
    assert copy_store(source, limited(target)).left_out == (LeftOut("decisions", why),)


def test_a_target_that_keeps_fewer_versions_has_the_last_ones(source, found):
    save(source, *range(7))
    with MemoryDataStore(state_versions=2) as target:
        copied = [found(copy_store(source, target), "state") for _ in range(2)]
        assert [(each.equal, each.added, each.source.count) for each in copied] == [
            (True, 1, 2),
            (True, 0, 2),
        ]
        assert target.state_history("value") == source.state_history("value")[:2]


def test_a_state_that_is_saved_in_the_target_meanwhile_differs(source, found):
    class Busy(MemoryDataStore):
        def restore_state(self, strategy_name, versions, *, expect):
            super().restore_state(strategy_name, versions, expect=expect)
            self.save_strategy_state(strategy_name, {"number": "another"})

    save(source, 1, 2)
    copied = found(copy_store(source, Busy()), "state")
    assert (copied.equal, copied.added, copied.source.count, copied.target.count) == (
        False,
        1,
        2,
        3,
    )
