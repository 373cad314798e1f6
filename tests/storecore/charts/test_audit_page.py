"""The page of the audit log: the verdict, what was decided, and what each decision saw."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from click.testing import CliRunner

import storecore
from storecore import Action, Decision, Finding, Order, OrderResult
from storecore.charts.pages import clean, html
from storecore.cli.app import app
from storecore.cli.audit_page import MOST_ROWS, audit_page
from storecore.reports import AuditReport

from .conftest import FIRST, HOSTILE, bars, weekdays


@pytest.fixture
def log():
    """A log of a decision that saw bars, one that saw a hostile name, one without, and an order."""
    with storecore.open_store("memory") as store:
        days = weekdays(40)
        store.write_bars("AAPL", bars(days))
        view = store.at(days[30])
        view.read_bars("AAPL", last=15)
        decision = Decision("AAPL", Action.BUY, 0.2, 0.8, "cheap")
        store.log_decision("value", decision, as_of=days[30], reads=view.receipt())
        view.read_bars("</pre><b>AAPL", last=1)
        view.read_bars("AAPL", last=2)
        sold = Decision("MSFT", Action.EXIT, 0, 0, HOSTILE)
        store.log_decision("other", sold, reads=view.receipt())
        order = Order("value", "AAPL", "BUY", 10, "MARKET")
        store.log_order("value", order, OrderResult(7, "filled", 101.5, 10, "at once"))
        yield store


def page_of(store, records=None):
    both = [*store.read_decisions(), *store.read_orders()] if records is None else records
    return audit_page(store, both, "Audit log of 2026-01-05")


def test_the_verdict_on_the_chains_is_first(log):
    page = page_of(log)
    heads = log.verify_audit().heads
    assert '<section id="verdict" class="whole">' in page.partition('class="record')[0]
    assert all(end in page for end in heads.values())


def test_a_broken_chain_is_reported_with_what_was_found(log):
    class Broken(storecore.Wrapper):
        def verify_audit(self):
            return AuditReport(1, (Finding("edited", "decisions", "record <2> was edited"),))

    page = page_of(Broken(log))
    assert '<section id="verdict" class="broken"><h2>The chains of the log are broken</h2>' in page
    assert "<p>edited: decisions: record &lt;2&gt; was edited</p>" in page


@pytest.fixture
def tampered(tmp_path):
    """The page of a log whose second decision was edited."""
    with storecore.open_store("file", base_path=tmp_path / "data") as store:
        for n in range(3):
            store.log_decision("value", Decision("AAPL", Action.BUY, 0, 0, f"reason {n}"))
        store.log_order("value", Order("value", "A", "BUY", 1, "MARKET"), OrderResult(1, "filled"))
    (log,) = (tmp_path / "data/audit/decisions").glob("*.jsonl")
    log.write_bytes(log.read_bytes().replace(b"reason 1", b"season 1"))
    given = ["audit", "--backend", "file", "--set", f"base_path={tmp_path / 'data'}"]
    result = CliRunner().invoke(app, [*given, "--html", str(tmp_path / "a.html")])
    assert (result.exit_code, result.stdout[:10]) == (0, "2 records,"), result.output
    return (tmp_path / "a.html").read_text()


def test_the_page_of_a_tampered_log_has_the_records_before_the_damage(tampered):
    assert "<h2>The chains of the log are broken</h2>" in tampered
    assert "<p>edited: " in tampered
    assert "<p>Records are missing here: " in tampered
    assert tampered.count('<details class="record') == 2


def test_a_tampered_log_shows_the_failing_verdict(tampered, browse, screenshots):
    page = browse(tampered)
    page.screenshot(path=screenshots / "audit-broken.png")
    assert "The chains of the log are broken" in page.locator("#verdict.broken").inner_text()
    assert page.locator(".record").count() == 2
    assert page.errors == []


@pytest.fixture
def huge():
    """The page of a decision with hostile texts of 10 MB."""
    with storecore.open_store("memory") as store:
        view = store.at(FIRST)
        view.read_bars("N" * 10_000_000)
        reason = HOSTILE + "\u05d0\u202e" * 5_000_000
        decision = Decision("'\"><img src=x onerror=alert(1)>", Action.BUY, 0, 0, reason)
        store.log_decision('"><script>', decision, reads=view.receipt())
        return page_of(store)


def test_long_texts_are_cut_and_what_is_cut_off_is_counted(huge):
    assert len(huge) < 300_000
    assert re.search(r"and 9,9\d\d,\d\d\d more characters", huge)


def test_long_and_hostile_texts_stay_text_in_a_browser(huge, browse, screenshots):
    page = browse(huge)
    page.locator(".record summary").click()
    page.screenshot(path=screenshots / "audit-hostile.png")
    assert page.locator("img").count() == 0
    assert (page.errors, page.title()) == ([], "Audit log of 2026-01-05")
    assert page.locator(".symbol").inner_text() == "'\"><img src=x onerror=alert(1)>"


def test_a_page_takes_a_few_kilobytes_a_record(log, note):
    size = len(page_of(log))
    note("bytes of a page of 3 records", size)
    assert size < 30_000


def test_a_record_shows_its_fields_and_the_last_rows_that_it_saw(log):
    page = page_of(log)
    assert "<tr><th>target_weight</th><td" in page
    assert "filled 10 at 101.5: at once" in page
    assert f"… {15 - MOST_ROWS} more before these" in page
    assert page.count("&quot;symbol&quot;:&quot;AAPL&quot;") >= MOST_ROWS


def test_a_record_without_receipts_says_so(log):
    assert "It was logged without receipts, so what it saw is not known." in page_of(log)


def test_what_is_gone_is_said(log):
    log.write_bars("AAPL", bars(weekdays(40)[:31], x=float))
    log.prune_history(log.recorded_now() + timedelta(microseconds=1))
    assert "what was read is gone: it was corrected" in page_of(log)


def test_a_read_of_a_later_release_is_said():
    with storecore.open_store("memory") as store:
        view = store.at(FIRST)
        view.read_bars("AAPL")
        (read,) = view.receipt()
        later = {"call": "read_ticks", "arguments": {}, "rows": 0, "sha256": read.sha256}
        times = {"as_of": read.as_of, "recorded": None, "read_at": read.read_at}
        store.log_decision("value", Decision("AAPL", Action.HOLD, 0, 0, ""), reads=[later | times])
        assert "this read cannot be repeated: " in page_of(store)


def test_no_text_of_the_log_becomes_markup(log):
    page = page_of(log)
    assert page.count("<script>") == page.count("</script>") == 1
    assert "<b>" not in page
    assert not re.search("[\x00\u202e]", page)


def test_text_is_clean_of_what_browsers_refuse():
    assert clean("a\x00b\ud800c\u202ed\te\nf") == "a\ufffdb\ufffdcd\te\nf"
    assert html('<a b="c">\'') == "&lt;a b=&quot;c&quot;&gt;&#x27;"


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("dark", 390)])
def test_it_opens_in_a_browser_without_an_error_or_a_request(
    log, browse, screenshots, scheme, width
):
    page = browse(page_of(log), scheme=scheme, size=(width, 800))
    page.locator(".record summary").first.click()
    page.screenshot(path=screenshots / f"audit-{scheme}-{width}.png")
    assert (page.errors, page.requests) == ([], [page.url])
    assert page.title() == "Audit log of 2026-01-05"
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_can_be_searched(log, browse):
    page = browse(page_of(log))
    seen = page.locator(".record:visible")
    assert seen.count() == 3
    page.fill("#search", "CHEAP buy")
    assert (seen.count(), page.text_content("#count")) == (1, "1 of 3 records")
    page.fill("#search", "no such word")
    assert (seen.count(), page.is_visible("#none")) == (0, True)
    page.fill("#search", "")
    page.select_option("#strategy", "value")
    assert seen.count() == 2
    page.select_option("#action", "buy")
    assert page.text_content("#count") == "1 of 3 records"
