"""The page of a chart in a real browser: nothing is missing, nothing is loaded, nothing fails."""

from __future__ import annotations

from datetime import timedelta

import pytest

import storecore
from storecore.charts.page import chart_page
from storecore.charts.series import Asked, read_series

from .conftest import FIRST, bars

KINDS = ["bought", "buy", "dividend", "event", "hold", "sell", "sold", "split"]
# The place of what a glyph draws, in pixels of the page.
PLACES = """kind => {
  const plot = Bokeh.documents[0].roots()[0].children[0];
  const view = Bokeh.index.find_one(plot);
  const shown = plot.renderers.find(each => each.name === kind).data_source.data;
  const box = view.canvas_view.el.getBoundingClientRect();
  return Array.from(shown.x).map((x, i) => [
    box.x + view.frame.x_scale.compute(x), box.y + view.frame.y_scale.compute(shown.y[i]),
  ]);
}"""
DRAWN = """() => {
  const found = {};
  for (const each of Bokeh.documents[0]._all_models.values())
    if (each.type === "GlyphRenderer" && each.name)
      found[each.name] = (found[each.name] || 0) + each.data_source.data.x.length;
  return found;
}"""
RANGE = """([start, end]) => {
  const x = Bokeh.documents[0].roots()[0].children[0].x_range;
  x.setv({start, end});
}"""

# From a new range until the frame after its drawing.
TIMED = f"""async view => {{
  const frame = () => new Promise(done => requestAnimationFrame(done));
  const begun = performance.now();
  ({RANGE})(view);
  await frame(); await frame(); await frame();
  return performance.now() - begun;
}}"""


@pytest.fixture
def opened(store, browse):
    def opened(store=store, asked=None, **options):
        asked = asked or Asked("AAPL")
        page = browse(chart_page(read_series(store, asked)), **options)
        page.wait_for_function(f"({DRAWN})().candles > 0")
        page.wait_for_timeout(200)
        return page

    return opened


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_opens_without_an_error_or_a_request(opened, screenshots, scheme):
    page = opened(scheme=scheme)
    page.screenshot(path=screenshots / f"chart-{scheme}.png")
    assert (page.errors, page.requests) == ([], [page.url])


def test_every_bar_and_every_mark_is_drawn(opened):
    drawn = opened().evaluate(DRAWN)
    assert drawn.pop("candles") == 40
    assert drawn == {**dict.fromkeys(KINDS, 1), "buy": 2, "sell": 2}


def test_a_hover_shows_the_reason(opened, screenshots):
    page = opened()
    ((x, y),) = page.evaluate(PLACES, "hold")
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    page.get_by_text("reason 0: hold").wait_for(timeout=3000)
    page.screenshot(path=screenshots / "chart-hover.png")
    assert page.get_by_text("value: hold, weight 0.25, confidence 0.50").is_visible()


def test_a_hostile_reason_is_shown_as_text(opened, screenshots):
    page = opened(scheme="dark")
    x, y = page.evaluate(PLACES, "buy")[1]
    page.mouse.move(x - 3, y)
    page.mouse.move(x, y)
    page.get_by_text("</script><script>").wait_for(timeout=3000)
    page.screenshot(path=screenshots / "chart-hostile.png")
    assert page.title() == "AAPL, 1d"
    assert page.errors == []


def test_a_window_of_a_telephone_shows_all_of_it(opened, screenshots):
    page = opened(size=(390, 700), scheme="dark")
    page.screenshot(path=screenshots / "chart-small.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_weekends_leave_no_gaps(opened):
    places = opened().evaluate(
        """() => [...Bokeh.documents[0]._all_models.values()]
        .filter(each => each.name === "candles")
        .flatMap(each => Array.from(each.data_source.data.x))
        .sort((a, b) => a - b)"""
    )
    assert places == list(range(40))


def test_100_000_bars_are_drawn_quickly_in_every_view(opened, screenshots, record_property):
    with storecore.open_store("memory") as store:
        dates = [FIRST + timedelta(minutes=n) for n in range(100_000)]
        store.write_bars("AAPL", bars(dates), timeframe="1m")
        page = opened(store, Asked("AAPL", timeframe="1m"))
        print("bytes of the page of 100,000 bars:", len(page.content()))
    page.screenshot(path=screenshots / "chart-100000.png")
    times = [page.evaluate(TIMED, each) for each in ((-0.5, 1e5), (2e4, 6e4), (5e4, 5.02e4))]
    record_property("milliseconds", times)
    print("milliseconds of a zoom with 100,000 bars:", times)
    page.screenshot(path=screenshots / "chart-100000-zoomed.png")
    assert page.evaluate(DRAWN)["candles"] < 1000
    assert max(times) < 1000
