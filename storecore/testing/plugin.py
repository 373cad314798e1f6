"""The pytest plugin `storecore`: options, known failures, what was done, and the report.

Every run of pytest in an environment with storecore imports this module, so that it imports nothing
that is not there already; the rest of the kit is loaded where a suite is.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

import pytest

_MODULES = (
    "protocol names times bars fundamentals events states audit life freshness threads history "
    "durability answers sizes zones filters whole behaviour tampering "
    "together bounds forms reopened processes questions deletions "
    "extra_columns bar_tables bar_stream catalog bulk bulk_audit versioned_state disk_usage "
    "maintenance records fixtures worker"
)
pytest.register_assert_rewrite(*(f"storecore.testing.{name}" for name in _MODULES.split()))
_CHECKED = frozenset({"store", "reopen", "spec", "place", "nowhere", "writer", "tamper"})
_PROPERTY = "storecore"
_NONE = object()
EXPECTED = "what was expected"
"""The title of what a report says of an error that is none of storecore."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the kit."""
    group = parser.getgroup("storecore", "storecore's conformance kit")
    group.addoption(
        "--storecore-backend",
        metavar="NAME",
        help="the backend that `--pyargs storecore.testing` proves",
    )
    group.addoption(
        "--storecore-set",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="an option of it, as a TOML value or else as text; {tmp} in it is a fresh folder for "
        "each test, {unique} a fresh short name, whose data is removed afterwards; may be repeated",
    )
    group.addoption(
        "--storecore-known-failure",
        metavar="TEST=REASON",
        action="append",
        default=[],
        help="a test that is known to fail, and why; it is an error if it passes; may be repeated",
    )
    group.addoption(
        "--storecore-report",
        metavar="PATH",
        action="append",
        default=[],
        help="write the report there, by the path's ending as .json or .md; may be repeated",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Refuse before anything has run a path that says neither JSON nor Markdown, and half a kit."""
    for path in config.getoption("storecore_report"):
        if not path.endswith((".json", ".md")):
            raise pytest.UsageError(f"--storecore-report {path}: expected a path .json or .md")
    if config.getoption("storecore_backend") is not None:
        _load_suite()
    elif config.getoption("storecore_set"):
        raise pytest.UsageError(
            "--storecore-set gives an option of a backend: give --storecore-backend NAME too"
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the known failures of the suites that were collected.

    Laws are tried with any dates in any timeframe, so their tests ignore warnings about them.
    """
    if any(getattr(item, "cls", None) is _suite_without_code() for item in items):
        _check_given(config)
    from_command = dict(_known(given) for given in config.getoption("storecore_known_failure"))
    for item in items:
        cls = _suite_of(item)
        if cls is None:
            continue
        try:
            _suite().check_known_failures(from_command, "--storecore-known-failure")
        except TypeError as error:
            raise pytest.UsageError(str(error)) from None
        item.add_marker(pytest.mark.filterwarnings("ignore::storecore.errors.StoreWarning"))
        reason = {**cls.known_failures, **from_command}.get(_name(item))
        if reason:
            item.add_marker(pytest.mark.xfail(reason=reason, strict=True))


@pytest.hookimpl(wrapper=True)
def pytest_fixture_setup(
    fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
) -> Generator[None, object, object]:
    """Refuse what a suite gives by a fixture if no test could use it."""
    value = yield
    if fixturedef.argname in _CHECKED and _suite_of(request.node) is not None:
        from storecore.testing.fixture_checks import mistake

        wrong = mistake(fixturedef.argname, value)
        if wrong:
            name = f"{request.cls.__name__}.{fixturedef.argname}"
            pytest.fail(f"the fixture {name}: {wrong}", pytrace=False)
    return value


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell of a broken law what it says, what was done and what came back."""
    report = yield
    cls = _suite_of(item)
    if cls is None:
        return report
    from storecore.protocols import CAPABILITIES
    from storecore.testing.lawbook import LAWS, proves

    laws = proves(_name(item), frozenset(CAPABILITIES))
    title = cls.title(item.config.getoption("storecore_backend"))
    report.user_properties.append((_PROPERTY, [title, _name(item), list(laws)]))
    if report.failed:
        said = [f"{law}: {LAWS[law].says}" for law in laws if law in LAWS]
        report.sections.append(("the law", "\n".join([*said, str(_doc(item))])))
        for recorder in _recorders(item)[:1]:
            foreign = recorder.foreign_error(call.excinfo.value) if call.excinfo else ""
            if foreign:
                report.sections.append((EXPECTED, foreign))
            report.sections.append(("what was done, and what came back", recorder.account()))
    return report


class _Results:
    """Gathers what the suites' tests came to, and tells it at the end."""

    def __init__(self) -> None:
        self.reports: list[tuple[list[Any], pytest.TestReport]] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the report of a suite's test."""
        found: list[Any] = [v for name, v in report.user_properties if name == _PROPERTY]
        if found and (report.when == "call" or not report.passed):
            self.reports.append((found[-1], report))

    def pytest_terminal_summary(self, terminalreporter: Any, config: pytest.Config) -> None:
        """Print the report and write it where it was asked for."""
        if self.reports:
            from storecore.testing.rendering import publish

            publish(self.reports, terminalreporter, config)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Gather results; also for workers that run elsewhere, whose reports arrive here."""
    session.config.pluginmanager.register(_Results(), "storecore-results")


def _load_suite() -> None:
    """Import the suite; say in one line what it needs and is not installed."""
    import storecore.testing
    from storecore.errors import BackendLoadError

    try:
        storecore.testing.DataStoreSuite  # noqa: B018
    except BackendLoadError as error:
        raise pytest.UsageError(str(error)) from None


def _check_given(config: pytest.Config) -> None:
    """Stop the run at once if no test of it could open a store: a wrong name or option."""
    from storecore.errors import StoreError
    from storecore.testing.validation import Given

    try:
        Given.of_run(config).check()
    except StoreError as error:
        raise pytest.UsageError(f"{type(error).__name__}: {error}") from None


def _suite_without_code() -> Any:
    """Return the suite that needs no code, once it is imported."""
    module = sys.modules.get("storecore.testing.test_backend")
    return getattr(module, "TestBackend", _NONE)


def _suite() -> Any:
    return sys.modules.get("storecore.testing.suite")


def _suite_of(item: pytest.Item) -> Any:
    """Return the suite that an item is a test of, or None; without loading the kit."""
    suite, cls = _suite(), getattr(item, "cls", None)
    known = suite is not None and cls is not None and issubclass(cls, suite.DataStoreSuite)
    return cls if known and _name(item) in suite.tests() else None


def _recorders(item: pytest.Item) -> list[Any]:
    """Return the recorders that a test was given, by whatever name: all are one."""
    from storecore.testing.recorder import Recorder

    given = getattr(item, "funcargs", {}).values()
    return [each for each in given if isinstance(each, Recorder)]


def _name(item: pytest.Item) -> str:
    return getattr(item, "originalname", item.name)


def _doc(item: pytest.Item) -> str | None:
    return getattr(getattr(item, "function", None), "__doc__", None)


def _known(given: str) -> tuple[str, str]:
    name, _, reason = given.partition("=")
    return name.strip(), reason
