"""The pytest plugin of the inner run: which tests run, and which law each backend was caught at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gathering import BROKEN, suite_of
from hypothesis import Phase, settings

from storecore.testing import behaviour, suite
from storecore.testing.report import suite_reports

SETTINGS = "_hypothesis_internal_use_settings"
GIVEN = [getattr(suite.DataStoreSuite, name) for name in suite.tests()]
PATIENCE = 3.0  # seconds: three of these backends wait for ever, and are waited for
FEW = 5  # examples of a law that is not the backend's, in a run of the whole suite
QUICK = {  # one example that fails is enough: no smaller one is looked for
    test: settings(getattr(test, SETTINGS), phases=[Phase.generate], database=None)
    for test in GIVEN
    if hasattr(test, SETTINGS)
}


def pytest_addoption(parser):
    parser.addoption("--whole", action="store_true", help="the whole suite of each backend")


def pytest_configure(config):
    behaviour.SECONDS = PATIENCE
    config.pluginmanager.register(Chosen(config.getoption("whole")))


class Chosen:
    def __init__(self, whole):
        self.whole = whole
        self.collected = {}
        self.caught = set()

    @pytest.hookimpl(tryfirst=True)
    def pytest_pycollect_makeitem(self, collector, name):
        """Make no item of a test that is not run: 20,000 of them cost more than those that are."""
        if not (isinstance(collector, pytest.Class) and name.startswith("test_")):
            return None
        self.collected.setdefault(collector.name, set()).add(name)
        return None if self.whole or concerns(collector.obj.law, name) else []

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items):
        if not self.whole:
            items.sort(key=lambda item: hasattr(item.function, SETTINGS))  # the quick ones first

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.caught.add(report.nodeid.split("::")[1])

    def pytest_runtest_setup(self, item):
        if item.cls.__name__ in self.caught and not self.whole:
            pytest.skip("its law is broken already")
        quick = QUICK.get(item.function)
        if quick is not None:
            own = concerns(item.cls.law, item.originalname)
            setattr(item.function, SETTINGS, quick if own else settings(quick, max_examples=FEW))

    def pytest_terminal_summary(self, config):
        results = config.pluginmanager.get_plugin("storecore-results")
        reports = {each.title: each for each in suite_reports(results.reports)}
        told = {
            name: {
                "whole": self.collected[f"Test{name}"] == set(suite.tests()),
                "verdict": reports[f"Test{name}"].verdict(cls.law),
            }
            for name, cls in BROKEN.items()
            if f"Test{name}" in reports
        }
        Path("told.json").write_text(json.dumps(told))


def concerns(law, test):
    plain = test.replace("_", "")
    return f"_{law.lower()}_" in test or plain.startswith(f"test{law.lower()}")


SUITES = {f"Test{name}": suite_of(cls) for name, cls in BROKEN.items()}
_OF_LAW = {cls.law: f"Test{name}" for name, cls in BROKEN.items()}
ONE_A_LAW = {name: SUITES[name] for name in _OF_LAW.values()}
