"""What stores and reports look like at the prompt and in a notebook."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec.structs import replace

import storecore
from storecore import AuditReport, CopyReport, Finding, Report, copy_store
from storecore.builtin.memory import MemoryDataStore
from storecore.copying.report import LeftOut
from storecore.reports.display import MOST_ROWS
from storecore.store.wrapper import Wrapper
from storecore_file import FileDataStore

HOSTILE = "<script>alert('x')</script> & \"more\""


@pytest.fixture
def filled(bar, event):
    """A store with two series and an event."""
    store = MemoryDataStore()
    store.write_bars("AAPL", [bar()])
    store.write_bars(HOSTILE, [replace(bar(), symbol=HOSTILE)], timeframe="1m")
    store.write_event(event())
    return store


def test_a_store_in_memory_says_how_much_it_has(filled, bar):
    assert repr(filled) == "MemoryDataStore(2 series)"
    one = MemoryDataStore()
    one.write_bars("AAPL", [bar()])
    assert repr(one) == "MemoryDataStore(1 series)"
    assert repr(Wrapper(filled)) == "Wrapper(MemoryDataStore(2 series))"


def test_a_closed_store_shows_that_it_is(filled, tmp_path):
    stores = [filled, Wrapper(MemoryDataStore()), FileDataStore(tmp_path / "data")]
    for store in stores:
        store.close()
    assert repr(filled) == "MemoryDataStore(closed)"
    for store in stores:
        assert repr(store) in store._repr_html_().replace("&#x27;", "'")
        assert "<th>symbol</th>" not in store._repr_html_()


def test_the_repr_of_a_store_does_no_io(tmp_path, monkeypatch):
    store = FileDataStore(tmp_path / "data")
    calls = []
    monkeypatch.setattr("os.open", lambda *args, **kwargs: calls.append(args))
    monkeypatch.setattr("os.scandir", lambda *args: calls.append(args))
    assert "BarTables" in store._repr_html_()
    assert repr(store).startswith("FileDataStore(base_path=")
    assert calls == []


def test_html_shows_series_and_capabilities_and_escapes_names(filled):
    shown = filled._repr_html_()
    assert "<td>AAPL</td><td>1d</td><td>1</td>" in shown
    assert "&lt;script&gt;alert(&#x27;x&#x27;)&lt;/script&gt; &amp; &quot;more&quot;" in shown
    assert "<script>" not in shown
    assert "AuditTrail, BarTables" in shown


def test_long_tables_are_cut_and_say_so(bar):
    store = MemoryDataStore()
    for number in range(MOST_ROWS + 2):
        store.write_bars(f"S{number}", [replace(bar(), symbol=f"S{number}")])
    shown = store._repr_html_()
    assert shown.count("<td>1d</td>") == MOST_ROWS
    assert "<p>… 2 more</p>" in shown


def test_a_report_is_short_and_names_its_first_finding():
    damaged = Finding("damaged", HOSTILE, "x.json: its checksum does not match")
    assert repr(Report(1200)) == "Report(ok, 1,200 checked)"
    assert repr(AuditReport(1, heads={"orders": "00"})) == "AuditReport(ok, 1 checked)"
    several = Report(3, (damaged, damaged), ("moved x",), (damaged,))
    assert repr(several) == (
        "Report(2 findings, 3 checked, 1 action, 1 note; first: damaged, x.json: its checksum does "
        "not match)"
    )
    shown = several._repr_html_()
    assert shown.count("<tr><td>damaged</td>") == 3
    assert "<td>moved x</td>" in shown
    assert "<script>" not in shown
    assert "<table>" not in Report(3)._repr_html_()


def test_the_report_of_a_copy_counts_series_and_differences(filled):
    report = copy_store(filled, MemoryDataStore())
    assert repr(report) == "CopyReport(ok, 2 series, 0 differ)"
    assert "<td>bars</td><td>AAPL</td><td>1d</td><td>1</td><td>1</td><td>1</td>" in (
        report._repr_html_()
    )
    first = report.copied[0]
    other = replace(first, target=replace(first.target, count=7), note=HOSTILE)
    bad = CopyReport((*report.copied[1:], other), (LeftOut("events", "no way"),))
    assert repr(bad) == "CopyReport(not ok, 2 series, 1 differ, 1 left out)"
    shown = bad._repr_html_()
    assert shown.index("<td>7</td>") < shown.index("<td>True</td>")
    assert "<td>no way</td>" in shown
    assert "<script>" not in shown


def test_a_checkpoint_says_of_which_store_and_when(filled):
    taken = replace(filled.checkpoint(), taken_at=datetime(2026, 1, 5, 21, 30, 1))
    assert repr(taken) == "Checkpoint(MemoryDataStore at 2026-01-05 21:30:01Z, 2 series)"
    shown = taken._repr_html_()
    assert "<td>bars of AAPL (1d)</td><td>1</td>" in shown
    assert "<td>log of orders</td><td></td>" in shown or "log of" not in shown
    assert "<script>" not in shown


def test_a_store_that_says_nothing_of_itself_has_its_name(tmp_path):
    class Quiet(storecore.Store):
        """A store of a user."""

        capabilities = frozenset()

        def __init__(self):
            """Have nothing."""

    assert repr(Quiet()) == "Quiet()"
    assert Quiet()._repr_html_() == "<div><p><code>Quiet()</code></p></div>"
