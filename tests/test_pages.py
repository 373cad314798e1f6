"""The pages: their links lead somewhere, their examples run, and the wheel has them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import storecore
from storecore.cli.commands import COMMANDS
from storecore.config.open import prepare
from storecore.testing.lawbook import BEYOND_THE_KIT, LAWS
from storecore.testing.lawpage import page as law_page

ROOT = Path(__file__).parent.parent
HOME = "https://github.com/storecore/storecore/blob/main/"
PACKAGES = ("storecore", "storecore_file", "storecore_postgres")
OF_PACKAGES = sorted(page for name in PACKAGES for page in (ROOT / name).rglob("*.md"))
PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "tests/README.md",
    *(ROOT / "tests/benchmarks").glob("*.md"),
    *OF_PACKAGES,
]
README = ROOT / "README.md"
GUIDE = ROOT / "storecore/store/GUIDE.md"
CONFIG = ROOT / "storecore/config/CONFIG.md"
CLI = ROOT / "storecore/cli/CLI.md"
AUTHORS = ROOT / "storecore/plugins/BACKENDS.md"
OBSERVERS = ROOT / "storecore/plugins/OBSERVERS.md"
LAW_PAGE = ROOT / "storecore/testing/LAWS.md"
NAMED = {str(page.relative_to(ROOT)): page for page in PAGES}


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(), re.M | re.S)


def anchors(page):
    """Return the anchors of a page's headings, as a renderer of Markdown makes them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.M | re.S)
    headings = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_a_page_at_the_top_has_at_most_two_hundred_lines(name):
    assert len(NAMED[name].read_text().splitlines()) <= 200


@pytest.mark.parametrize("name", NAMED)
def test_each_link_of_a_page_leads_to_a_file_and_a_heading(name):
    page = NAMED[name]
    dead = []
    for target in re.findall(rf"\]\((?!https?:(?!{HOME[6:]}))([^)\s]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        inside = ROOT / path.removeprefix(HOME) if path.startswith(HOME) else page.parent / path
        other = inside.resolve() if path else page
        if not other.exists() or (anchor and anchor not in anchors(other)):
            dead.append(target)
    assert dead == []


@pytest.mark.parametrize("page", OF_PACKAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_of_a_package_links_is_installed_with_it_or_has_an_address(page):
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)[^)]*\)", page.read_text())
    inside = [(page.parent / each).resolve().relative_to(ROOT).parts[0] for each in links]
    assert set(inside) <= set(PACKAGES)


def test_the_readme_links_every_page_of_the_packages():
    text = README.read_text()
    assert [name for name in NAMED if name != "README.md" and f"({name})" not in text] == []


@pytest.mark.parametrize(
    ("reader", "page"),
    [
        ("use a store", "storecore/store/GUIDE.md"),
        ("write a backend", "storecore/plugins/BACKENDS.md"),
        ("write an observer", "storecore/plugins/OBSERVERS.md"),
        ("maintain storecore", "CONTRIBUTING.md"),
    ],
)
def test_each_group_of_readers_has_one_page_to_begin_with(reader, page):
    (row,) = re.findall(rf"^\| \*\*{reader}\*\*.*\| (.+) \|$", README.read_text(), re.M)
    assert row.startswith(f"[{page}]({page})")


def test_each_law_has_a_section_and_no_other_has_one():
    sections = set(re.findall(r"^## ([A-Z]\d)$", LAW_PAGE.read_text(), re.M))
    assert sections == LAWS.keys() | BEYOND_THE_KIT.keys()


def test_the_page_of_laws_is_the_one_made_of_the_law_book():
    assert law_page() == LAW_PAGE.read_text(), "run the command that the page names"


def test_the_command_on_the_page_of_laws_prints_it():
    (command,) = blocks(LAW_PAGE, "text")
    module = re.search(r"-m (\S+) >", command)[1]
    done = subprocess.run(
        [sys.executable, "-m", module], check=True, capture_output=True, text=True
    )
    assert done.stdout == law_page()


@pytest.fixture
def folder(tmp_path):
    """A folder with the config file that the README shows."""
    (config,) = blocks(README, "toml")
    (tmp_path / "storecore.toml").write_text(config)
    return tmp_path


@pytest.fixture
def run(folder):
    """Run a program in that folder, and return what it printed."""

    def run(*command):
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        env = {**os.environ, "PATH": path}
        done = subprocess.run(command, env=env, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_the_examples_of_the_readme_print_what_it_shows(run):
    (shown,) = re.findall(r"```python\n.*?```\n\n```text\n(.*?)```", README.read_text(), re.S)[:1]
    printed = run(sys.executable, "-c", "\n".join(blocks(README, "python")))
    assert printed.startswith(shown)


@pytest.mark.parametrize("page", [GUIDE, CONFIG], ids=lambda page: page.name)
def test_the_examples_of_a_page_run_and_print_what_it_shows(run, page):
    printed = run(sys.executable, "-c", "\n".join(blocks(page, "python")))
    shown = re.findall(r"^```\n\n```text\n(.*?)^```", page.read_text(), re.M | re.S)
    assert [each for each in shown if each not in printed] == []


@pytest.mark.parametrize("page", [README, GUIDE, CONFIG], ids=lambda page: page.name)
def test_each_example_of_a_page_can_be_pasted_alone(page):
    lacking = [each for each in blocks(page, "python") if "import storecore\n" not in each]
    assert [each for each in lacking if re.search(r"\bstorecore\.\w", each)] == []


@pytest.mark.parametrize("page", [GUIDE, CLI], ids=lambda page: page.name)
def test_the_commands_of_a_page_run_one_after_another(run, page):
    run(sys.executable, "-c", "\n".join(blocks(GUIDE, "python")))
    for each in blocks(page, "sh"):
        run("bash", "-ec", each)


@pytest.mark.parametrize("text", blocks(CONFIG, "toml"))
def test_each_config_of_a_page_is_valid_with_each_of_its_profiles(tmp_path, monkeypatch, text):
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@host/database")
    config = tmp_path / "storecore.toml"
    config.write_text(text)
    for profile in (None, *re.findall(r"^\[profiles\.(\w+)\]", text, re.M)):
        assert prepare(storecore.load_config(config, profile=profile)).spec.name in text


@pytest.mark.parametrize("backend", ["file", "postgres"])
def test_each_option_of_a_backend_is_documented_in_order(backend):
    page = CONFIG.read_text().partition(f"## Options of `{backend}`")[2].partition("\n## ")[0]
    options = prepare(backend, **{"file": {"base_path": "x"}, "postgres": {"dsn": "x"}}[backend])
    assert re.findall(r"^\| `(\w+)` \|", page, re.M) == list(options.settings.__struct_fields__)


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_documented_with_its_options(name):
    page = CLI.read_text()
    options = [option for each in COMMANDS[name].load().params for option in each.opts]
    assert f"| `storecore {name}" in page
    assert [each for each in options if each[0] == "-" and f"`{each}" not in page] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_listed_in_the_readme(name):
    assert f"\nstorecore {name} " in README.read_text()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel, built of the source distribution."""
    folder = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder), "-t"]
    subprocess.run([*build, "sdist"], cwd=ROOT, check=True, capture_output=True)
    (source,) = folder.glob("*.tar.gz")
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.glob("*/pyproject.toml")
    subprocess.run([*build, "wheel"], cwd=unpacked.parent, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        yield archive


def test_the_wheel_has_the_pages_of_the_packages(wheel):
    assert {str(page.relative_to(ROOT)) for page in OF_PACKAGES} <= set(wheel.namelist())


def test_the_readme_of_the_metadata_has_addresses_for_links(wheel):
    """PyPI shows it, where no other page is beside it."""
    (metadata,) = (each for each in wheel.namelist() if each.endswith("/METADATA"))
    fields, _, text = wheel.read(metadata).decode().partition("\n\n")
    assert "Description-Content-Type: text/markdown" in fields
    assert text.replace(HOME, "") == README.read_text().replace(HOME, "")
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    assert f"{HOME}CONTRIBUTING.md" in links
    assert [each for each in links if not each.startswith(("https://", "#"))] == []


@pytest.fixture
def check_types(tmp_path):
    """Check programs, each by its module's name, as strictly as mypy can."""
    pytest.importorskip("mypy", reason="mypy is in the extra `dev`")

    def check(programs):
        for name, program in programs.items():
            (tmp_path / f"{name}.py").write_text(program)
        modules = [str(tmp_path / f"{name}.py") for name in programs]
        command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "pyproject.toml"]
        env = {**os.environ, "MYPYPATH": str(tmp_path)}
        done = subprocess.run(
            [*command, *modules], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True
        )
        assert done.returncode == 0, done.stdout

    return check


@pytest.mark.soak
@pytest.mark.parametrize("page", [README, GUIDE, CONFIG], ids=lambda page: page.name)
def test_the_examples_of_a_page_for_users_pass_a_strict_type_checker(check_types, page):
    check_types({"example": "\n".join(blocks(page, "python"))})


@pytest.mark.soak
def test_the_examples_for_authors_pass_a_strict_type_checker(check_types):
    names = ("storecore_sqlite", "by_hand", "desk", "storecore_notes", "handles", "test_laws")
    names = (*names, "storecore_frozen", "storecore_logging", "formats", "registered")
    check_types(dict(zip(names, blocks(AUTHORS, "python"), strict=True)))


@pytest.mark.soak
def test_the_examples_for_observers_pass_a_strict_type_checker(check_types):
    names = ("printer", "storecore_prometheus", "test_prometheus", "storecore_timed")
    check_types(dict(zip(names, blocks(OBSERVERS, "python"), strict=True)))
