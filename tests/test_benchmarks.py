"""The benchmarks run, small, and their figures come onto the page."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent / "benchmarks"
# Those that need no peers, and little time.
PARTS = ["import", "events", "scale-strategies"]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A page with the figures of a small run."""
    folder = tmp_path_factory.mktemp("benchmarks")
    page = folder / "page.md"
    page.write_text("# Figures\n\n<!-- figures of events -->\nold\n<!-- end -->\n\n## Below\n")
    command = [sys.executable, str(BENCHMARKS / "run.py"), "--quick", "--page", str(page)]
    done = subprocess.run(
        [*command, "--part", *PARTS], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(path.name for path in folder.iterdir() if path.is_dir()) == []
    return page


def sections(page):
    found = re.findall(r"<!-- figures of (\S+) -->(.*?)<!-- end -->", page.read_text(), re.S)
    return dict(found)


def test_each_part_that_was_run_has_its_figures_on_the_page(page):
    assert sorted(sections(page)) == sorted(PARTS)
    for content in sections(page).values():
        assert re.search(r"^\| .*\d", content, re.M)


def test_the_figures_of_the_run_before_are_replaced_and_the_page_around_them_stays(page):
    assert "old" not in sections(page)["events"]
    assert "durable write_event" in sections(page)["events"]
    assert page.read_text().startswith("# Figures\n")
    assert page.read_text().count("\n## Below\n") == 1


def test_figures_say_on_which_day_and_with_which_versions_they_were_measured(page):
    assert re.search(
        r"`events.py`\. \d{4}-\d\d-\d\d; .*processors.*Python 3\.\d+.*pyarrow \d", page.read_text()
    )


def test_growth_is_drawn_light_and_dark(page):
    name = "scale-strategies"
    light, dark = (page.with_name(f"{name}{each}.svg").read_text() for each in ("", "-dark"))
    assert light.count("<rect") == dark.count("<rect") > 5
    assert light != dark


@pytest.fixture
def scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module


def test_a_part_whose_peers_are_missing_is_left_out_and_names_them(scripts, monkeypatch, capsys):
    run = scripts("run")
    part = run.PARTS["import"]._replace(needs=("no_such_package", "pytest"))
    monkeypatch.setitem(run.PARTS, "import", part)
    run.run(["import"], quick=True, page=None, other=None)
    assert capsys.readouterr().out == "import: left out, missing: no_such_package\n"


def test_every_benchmark_has_a_part(scripts):
    known = {part.script for part in scripts("run").PARTS.values()}
    found = {path.name for path in BENCHMARKS.glob("*.py") if "def main" in path.read_text()}
    assert found - {"run.py"} == known


def test_what_grows_more_than_it_should_is_marked(scripts):
    scale, works = scripts("scale"), scripts("scale_works")
    one, every = (works.Work("w", growth, print) for growth in (works.ONE, works.ALL))
    assert [scale.is_marked(one, each) for each in (-0.2, 0.2, 0.9)] == [False, False, True]
    assert [scale.is_marked(every, each) for each in (0.2, 1.0, 1.9)] == [False, False, True]


def test_what_is_not_measured_is_extrapolated_by_its_growth(scripts):
    scale = scripts("scale")
    known = [scale.Cost(1.0, 5.0), scale.Cost(100.0, 6.0)]
    assert scale.extrapolated(known, [10, 100, 1_000], 1_000) == (pytest.approx(1e4), 60.0, True)


def test_a_short_work_is_done_again_since_its_first_time_fills_caches(scripts):
    is_short = scripts("scale").is_short
    assert [is_short(each) for each in ([0.4], [0.6], [0.01, 0.02], [0.4, 0.02])] == [
        True,
        False,
        True,
        False,
    ]


def test_a_full_run_measures_the_largest_sizes_and_a_quick_one_does_not(scripts):
    parts = [part for part in scripts("run").PARTS.values() if part.script == "scale.py"]
    assert [("--larger" in part.full, "--larger" in part.quick) for part in parts] == [
        (True, False)
    ] * 10


def test_what_would_not_fit_into_memory_is_not_done(scripts, capsys):
    scale, works = scripts("scale"), scripts("scale_works")
    held = works.Work("hold all", works.ALL, lambda s, n, t: sorted(range(n)), most=3_000)
    fake = works.SYMBOLS._replace(fill=lambda store, size: None, works=(held,))
    sizes = [1_000, 2_000, 4_000]
    costs = scale.measure(fake, sizes, scale.inf, scale.time.process_time, in_memory)[held]
    assert [each.guessed for each in costs] == [False, False, True]
    scale.report("held", fake, sizes, {held: costs})
    assert re.search(r"hold all  .*; ~[\d.,]+  .*; ~\d+ ", capsys.readouterr().out)


@contextmanager
def in_memory():
    yield {"backend": "memory"}


def test_each_chart_of_the_page_has_a_dark_one():
    page = (BENCHMARKS / "README.md").read_text()
    charts = re.findall(r'srcset="([^"]+)"><img alt="[^"]+" src="([^"]+)"', page)
    assert len(charts) >= 7
    assert "](bars.svg)" not in page
    for dark, light in charts:
        assert dark == light.replace(".svg", "-dark.svg")
        texts = [(BENCHMARKS / each).read_text() for each in (light, dark)]
        assert texts[0] != texts[1]
        assert len({re.sub("#[0-9a-f]+", "", each) for each in texts}) == 1
