"""The page of a chart in a real browser: nothing is missing, nothing is loaded, nothing fails."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

import storecore
from storecore import Action, Decision
from storecore.charts.page import chart_page
from storecore.charts.series import ChartQuery, read_series

from .conftest import DAY, FIRST, bars

CLOCKS_CHANGE = datetime(2026, 3, 8, 7, tzinfo=UTC)  # in New York
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

# Milliseconds from each of some ranges until the second frame after its drawing.
TIMED = f"""async views => {{
  const frame = () => new Promise(done => requestAnimationFrame(done));
  const times = [];
  for (const view of views) {{
    const begun = performance.now();
    ({RANGE})(view);
    await frame(); await frame(); await frame();
    times.push(Math.round(performance.now() - begun));
  }}
  return times;
}}"""
MANY = 100_000  # bars, in a soak run; in the default run a tenth of them, and of each range
ZOOMS = [(-0.5, MANY), (2e4, 6e4), (5e4, 5.02e4), (0, 500), (3e4, 9e4), (9.99e4, MANY)]
PANS = [(1e4 + 997 * n, 3e4 + 997 * n) for n in range(20)]
HOURS = [f"{at:02}:00" for at in range(3, 24, 3)]
NIGHT = ["19:00\n7 Mar", "21:00", "00:00\n8 Mar", *HOURS, "00:00\n9 Mar", "03:00"]
LABELS = """() =>
  [...Bokeh.documents[0].roots()[0].children[0].below[0].major_label_overrides.values()]"""
TOOLTIP = """() => {
  const deep = root => [...root.querySelectorAll("*")].flatMap(
    each => each.matches(".mark") ? [each] : each.shadowRoot ? deep(each.shadowRoot) : []);
  const shown = getComputedStyle(deep(document)[0].getRootNode().host);
  return [shown.color, shown.backgroundColor];
}"""


@pytest.fixture
def opened(store, browse):
    def opened(store=store, asked=None, **options):
        asked = asked or ChartQuery("AAPL")
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


def test_every_bar_and_every_mark_is_drawn_and_weekends_leave_no_gaps(opened):
    page = opened()
    drawn = page.evaluate(DRAWN)
    assert drawn.pop("candles") == 40
    assert drawn == {**dict.fromkeys(KINDS, 1), "buy": 2, "sell": 2}
    places = page.evaluate(
        """() => [...Bokeh.documents[0]._all_models.values()]
        .filter(each => each.name === "candles")
        .flatMap(each => Array.from(each.data_source.data.x))
        .sort((a, b) => a - b)"""
    )
    assert places == list(range(40))


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
    assert page.evaluate(TOOLTIP) == ["rgb(228, 231, 235)", "rgb(35, 40, 47)"]  # dark, too


def test_a_window_of_a_telephone_shows_all_of_it(opened, screenshots):
    page = opened(size=(390, 700), scheme="dark")
    page.screenshot(path=screenshots / "chart-small.png")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def few(count, volume, step=DAY, first=FIRST):
    dates = [first + n * step for n in range(count)]
    return [structs.replace(bar, volume=volume) for bar in bars(dates)]


@pytest.mark.parametrize(
    ("name", "found", "timeframe", "labels"),
    [
        ("one", few(1, None), "1d", ["5 Jan\n2026"]),
        ("two", few(2, 0), "1d", ["5 Jan\n2026", "6 Jan"]),
        (
            "night",
            few(2000, 1, timedelta(minutes=1), CLOCKS_CHANGE - timedelta(hours=12)),
            "1m",
            NIGHT,
        ),
    ],
)
def test_a_chart_of_few_bars_without_volume_or_across_a_change_of_clocks_opens(
    opened, screenshots, name, found, timeframe, labels
):
    with storecore.open_store("memory") as store:
        store.write_bars("AAPL", found, timeframe=timeframe)
        page = opened(store, ChartQuery("AAPL", timeframe=timeframe))
    page.screenshot(path=screenshots / f"chart-{name}.png")
    drawn = page.evaluate(DRAWN)["candles"]
    assert drawn == len(found) if len(found) < 10 else 100 < drawn < 500
    assert page.evaluate(LABELS) == labels
    assert (page.errors, page.requests) == ([], [page.url])


@pytest.mark.parametrize("many", [MANY // 10, pytest.param(MANY, marks=pytest.mark.soak)])
def test_many_bars_are_drawn_without_stutter_in_every_view(opened, screenshots, note, many):
    """Each zoom and each move has a limit that a busy machine keeps, since it draws few candles."""
    with storecore.open_store("memory") as store:
        dates = [FIRST + timedelta(minutes=n) for n in range(many)]
        store.write_bars("AAPL", bars(dates), timeframe="1m")
        page = opened(store, ChartQuery("AAPL", timeframe="1m"))
    note(f"bytes of the page of {many:,} bars", len(page.content()))
    page.screenshot(path=screenshots / f"chart-{many}.png")
    zooms, pans = (
        page.evaluate(TIMED, [[end * many / MANY for end in each] for each in ranges])
        for ranges in (ZOOMS, PANS)
    )
    note(f"milliseconds of zooms with {many:,} bars", zooms)
    note(f"milliseconds of moves with {many:,} bars", pans)
    assert page.evaluate(DRAWN)["candles"] < 500
    page.evaluate(RANGE, [many / 2, many / 2 + 200])
    page.wait_for_timeout(100)
    page.screenshot(path=screenshots / f"chart-{many}-zoomed.png")
    assert page.errors == []
    assert min(zooms) < 500
    assert min(pans) < 500


def test_of_10_000_marks_none_is_lost(opened, screenshots):
    """Those of one candle are one mark, which says how many there are."""
    with storecore.open_store("memory") as store:
        dates = [FIRST + n * DAY for n in range(1000)]
        store.write_bars("AAPL", bars(dates))
        decisions = [Decision("AAPL", Action.BUY, 0, 0, f"because of {n}") for n in range(10)]
        for date in dates:
            store.log_decisions("value", decisions, as_of=date + DAY)
        page = opened(store)
    page.screenshot(path=screenshots / "chart-10000-marks.png")
    reasons = page.evaluate(
        """() => Bokeh.documents[0].roots()[0].children[0].renderers
        .find(each => each.name === "buy").data_source.data.reason"""
    )
    more = [re.search(r"and (\d+) more here", reason) for reason in reasons]
    assert sum(1 + int(found[1]) for found in more) == 10_000
    assert page.errors == []


def test_a_page_is_bokeh_and_fewer_than_90_bytes_a_bar(store, note):
    small = len(chart_page(read_series(store, ChartQuery("AAPL"))))
    store.write_bars("AAPL", few(3000, 7, first=FIRST + 60 * DAY))
    large = len(chart_page(read_series(store, ChartQuery("AAPL"))))
    note("bytes of a page of 40 bars, of 3,040", (small, large))
    assert 1_200_000 < small < 1_500_000
    assert 0 < large - small < 3000 * 90
