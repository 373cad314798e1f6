"""`storecore new-backend` writes a complete package, and replaces nothing that is there.

That the package can be built, installed and proven is tested in tests/test_third_party.py.
"""

from __future__ import annotations

import errno
import itertools
import subprocess
import tomllib
from contextlib import contextmanager
from pathlib import Path

import pytest

import storecore
from storecore.config.open import prepare
from storecore.plugins.registration import register_file

FILES = {
    *("pyproject.toml", "README.md", "LICENSE", ".gitignore", ".github/workflows/test.yml"),
    "tests/test_laws.py",
}


@pytest.fixture
def written(cli, tmp_path):
    """Write a package and return the text of each of its files."""

    def write(name):
        folder = tmp_path / "new"
        result = cli("new-backend", name, folder)
        assert result.exit_code == 0, result.stderr
        files = (each for each in folder.rglob("*") if each.is_file())
        return {str(each.relative_to(folder)): each.read_text() for each in files}

    return write


@pytest.fixture
def refused(cli, tmp_path):
    """Return the error of a name or folder, after which nothing is there that was not."""

    def refuse(name, folder=tmp_path / "new"):
        result = cli("new-backend", name, folder)
        assert (result.exit_code, result.stderr.count("\n")) == (1, 1)
        return result.stderr

    yield refuse
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("name", "module"),
    [("duckdb", "storecore_duckdb"), ("acme-kv", "storecore_acme_kv"), ("a_1", "storecore_a_1")],
)
def test_a_package_has_all_files_and_its_module(written, name, module):
    files = written(name)
    assert files.keys() == {*FILES, f"{module}.py"}
    assert not [path for path, text in files.items() if "@name@" in text or "@class@" in text]
    metadata = tomllib.loads(files["pyproject.toml"])["project"]
    assert metadata["name"] == f"storecore-{name}"
    assert metadata["entry-points"] == {"storecore.backends": {name: module}}


def test_the_backend_of_a_package_opens_and_has_what_it_declares(written, tmp_path):
    written("acme-kv")
    with (
        register_file(tmp_path / "new" / "storecore_acme_kv.py"),
        storecore.open_store("acme-kv", path=tmp_path / "desk.db") as store,
    ):
        declared = prepare("acme-kv", path=tmp_path).spec.capabilities
        assert (len(declared), declared) == (8, storecore.capabilities_of(store))


def test_the_python_files_of_a_package_compile(written):
    for path, text in written("acme-kv").items():
        if path.endswith(".py"):
            compile(text, path, "exec")


@pytest.mark.parametrize("name", ["kv", "acme-kv", "interactive-brokers"])
def test_the_python_files_of_a_package_are_formatted_and_without_a_finding_of_ruff(
    cli, tmp_path, name
):
    cli("new-backend", name, tmp_path / "new")
    ruff = pytest.importorskip("ruff").find_ruff_bin()  # of the extra `dev`
    for command in (["format", "--check"], ["check", "--extend-select", "I,E501,UP,B"]):
        done = subprocess.run(
            [ruff, *command, "--no-cache", "."],
            cwd=tmp_path / "new",
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout


def test_the_readme_has_no_report_before_the_kit_has_run(written):
    _, _, rest = written("duckdb")["README.md"].partition("<!-- storecore report -->\n")
    assert rest == "not run yet\n<!-- /storecore report -->\n"


def test_the_to_do_list_names_each_file_that_speaks_of_sqlite(written):
    files = written("duckdb")
    to_do = files["README.md"].partition("## To do")[2]
    named = [path for path in files if "sqlite" in files[path].lower()]
    assert [path for path in named if path not in (*to_do.split("`"), "README.md")] == []


def test_the_licence_is_to_be_filled_in(written):
    assert written("duckdb")["LICENSE"].startswith("To fill in")


def test_the_ci_runs_the_kit_on_each_supported_python(written):
    workflow = written("duckdb")[".github/workflows/test.yml"]
    assert 'python-version: ["3.11", "3.12", "3.13"]' in workflow
    assert "python-version: ${{ matrix.python-version }}" in workflow
    assert "- run: pytest " in workflow


def test_the_package_needs_this_release_of_storecore_or_a_later_one(written):
    (needed,) = tomllib.loads(written("duckdb")["pyproject.toml"])["project"]["dependencies"]
    assert needed.startswith("storecore>=")
    assert storecore.__version__.startswith(needed.partition(">=")[2])


def test_without_a_folder_it_is_named_as_the_package(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "cd storecore-duckdb" in cli("new-backend", "duckdb").stdout
    assert (tmp_path / "storecore-duckdb" / "pyproject.toml").is_file()


def test_an_empty_folder_is_filled(cli, tmp_path):
    assert cli("new-backend", "duckdb", tmp_path).exit_code == 0


def test_a_repository_without_a_file_is_filled(cli, tmp_path):
    (tmp_path / ".git").mkdir()
    assert cli("new-backend", "duckdb", tmp_path).exit_code == 0
    assert (tmp_path / "pyproject.toml").is_file()


def test_a_folder_with_a_file_is_left_as_it_is(cli, tmp_path):
    (tmp_path / "LICENSE").write_text("mine")
    result = cli("new-backend", "duckdb", tmp_path)
    assert f"Error: {tmp_path} is not empty: give a new or empty folder\n" == result.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["LICENSE"]
    assert (tmp_path / "LICENSE").read_text() == "mine"


def test_a_file_is_no_folder(cli, tmp_path):
    (tmp_path / "file").touch()
    result = cli("new-backend", "duckdb", tmp_path / "file")
    assert (result.exit_code, "is a file: give a new or empty folder" in result.stderr) == (1, True)


def test_a_folder_that_cannot_be_made_is_one_error(cli, tmp_path):
    (tmp_path / "file").touch()
    result = cli("new-backend", "duckdb", tmp_path / "file" / "new")
    assert (result.exit_code, "Not a directory" in result.stderr) == (1, True)


@pytest.fixture
def full_after(monkeypatch):
    """Let the disk be full, or the user interrupt, when a number of files has been written."""

    def fill(error, files):
        opened, count = Path.open, itertools.count(1)

        @contextmanager
        def filled(path, mode="r", **options):
            with opened(path, mode, **options) as file:
                yield file
                if mode == "x" and next(count) > files:
                    raise error

        monkeypatch.setattr(Path, "open", filled)

    return fill


def test_nothing_is_left_of_a_package_on_a_full_disk(cli, tmp_path, monkeypatch, full_after):
    full_after(OSError(errno.ENOSPC, "No space left on device"), files=3)
    new = tmp_path / "desk" / "new"
    result = cli("new-backend", "duckdb", new)
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: {new}/README.md: No space left on device\n",
    )
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    assert cli("new-backend", "duckdb", new).exit_code == 0


def test_nothing_is_left_of_a_package_after_an_interrupt_but_the_repository(
    cli, tmp_path, full_after
):
    (tmp_path / ".git").mkdir()
    full_after(KeyboardInterrupt(), files=5)
    assert cli("new-backend", "duckdb", tmp_path).exit_code == 130
    assert [each.name for each in tmp_path.iterdir()] == [".git"]


def test_a_connection_string_is_no_folder_and_is_not_shown(cli):
    result = cli("new-backend", "duckdb", "postgresql://me:secret@host/db")
    assert (result.exit_code, "secret" in result.stderr) == (1, False)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("DuckDB", "did you mean 'duckdb'?"),
        ("my db", "did you mean 'my-db'?"),
        ("acme.kv", "did you mean 'acme-kv'?"),
        ("acme--kv", "did you mean 'acme-kv'?"),
        ("kv-", "did you mean 'kv'?"),
        ("../x", "did you mean 'x'?"),
        ("a" * 51, "at most 50"),
        ("storecore-duckdb", "omit storecore-, which is added (did you mean 'duckdb'?)"),
        ("2db", "beginning with a letter"),
        ("", "NAME '': expected"),
        ("数", "NAME '数': expected"),
        ("class\n", "did you mean 'class'?"),
    ],
)
def test_a_name_that_is_none_is_refused_with_the_nearest(refused, name, said):
    assert said in refused(name)


def test_a_name_that_cannot_be_mended_has_no_suggestion(refused):
    assert "did you mean" not in refused("2db")


@pytest.mark.parametrize("name", ["file", "memory", "postgres", "routed"])
def test_the_name_of_a_known_backend_is_refused(refused, name):
    assert f"NAME {name!r}: a known backend of storecore" in refused(name)


def test_the_name_of_an_installed_backend_is_refused(refused, site):
    site.backend("", name="acme")
    said = "NAME 'acme': a backend of this name is installed, from acme-acme 1.5"
    assert said in refused("acme")


def test_the_name_of_a_registered_backend_is_refused_with_its_file(cli, tmp_path):
    (tmp_path / "acme.py").write_text(REGISTERED)
    result = cli("new-backend", "acme", tmp_path / "new", "--plugin", tmp_path / "acme.py")
    assert f"from --plugin {tmp_path / 'acme.py'}; choose another one" in result.stderr


REGISTERED = """
from msgspec import Struct
from storecore import BackendSpec, hookimpl

@hookimpl
def storecore_backend():
    return BackendSpec(name="acme", config=Struct, open=print)
"""


def test_the_module_of_an_installed_backend_is_not_taken_by_another_spelling(refused, site):
    site.backend("", name="acme_kv")
    assert "a backend of this name is installed, from acme-acme_kv" in refused("acme-kv")


def test_a_connection_string_is_no_name_and_is_not_shown(refused):
    error = refused("postgresql://me:secret@host/db")
    assert ("secret" in error, "looks like a connection string" in error) == (False, True)
