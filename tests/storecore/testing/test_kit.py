"""The kit has versions: the table of them is the law book, and the report names the current one."""

from __future__ import annotations

import re
from pathlib import Path

import storecore.plugins
import storecore.testing
from storecore.plugins.known import KNOWN
from storecore.protocols import CAPABILITIES
from storecore.testing.kit import KIT, VERSIONS, laws_of
from storecore.testing.lawbook import LAWS
from storecore.testing.report import versions

PAGE = Path(storecore.testing.__file__).with_name("LAWS.md").read_text()
BACKENDS = Path(storecore.plugins.__file__).with_name("BACKENDS.md").read_text()


def test_the_current_version_has_exactly_the_laws_and_capabilities_of_the_kit():
    new = "a law or capability that is added needs a new version in storecore/testing/kit.py"
    assert laws_of(int(KIT)) == LAWS.keys() | CAPABILITIES.keys(), new


def test_each_law_and_capability_was_added_once():
    added = [
        name for each in VERSIONS.values() for name in f"{each.laws} {each.capabilities}".split()
    ]
    assert len(added) == len(set(added))


def test_an_earlier_version_had_fewer_laws():
    assert laws_of(2) - laws_of(1) == {"D7"}
    assert laws_of(4) - laws_of(3) == {"K1", "K2", "K3", "K4", "History"}


def test_the_kit_has_each_test_that_version_4_had():
    names = Path(__file__).with_name("names_of_kit_4.txt").read_text().split()
    gone = [name for name in names if not hasattr(storecore.testing.DataStoreSuite, name)]
    assert gone == [], "reports and `known_failures` refer to these names"


def test_the_pages_agree_on_which_release_has_this_kit():
    release = VERSIONS[int(KIT)].release
    assert release == storecore.__version__
    assert {(each.version, each.kit) for each in KNOWN} == {(release, KIT)}
    assert f"storecore[testing]~={release}" in PAGE
    assert f"storecore\n{release} has kit {KIT}" in BACKENDS


def test_versions_count_from_one_and_the_last_is_the_current_one():
    assert list(VERSIONS) == list(range(1, int(KIT) + 1))


def test_a_report_and_a_program_name_the_version():
    assert versions([])["kit"] == storecore.testing.KIT == KIT


def test_the_page_of_laws_has_a_row_for_each_version_and_its_laws():
    rows = dict(re.findall(r"^\| (\d+) \| (.+) \|$", PAGE, re.M))
    assert list(rows) == [str(number) for number in VERSIONS]
    for number, row in rows.items():
        assert re.findall(r"\[([A-Z]\d)\]", row) == VERSIONS[int(number)].laws.split()
