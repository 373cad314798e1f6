"""DESIGN.md of the package: its tables and grants are those of the code, and its examples run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

import storecore_postgres
from storecore_postgres import PostgresDataStore
from storecore_postgres.schema.columns import tables_made_by
from storecore_postgres.schema.layouts import DISTRIBUTIONS, primary_key
from storecore_postgres.schema.tables import TABLES, VERSION, create_statements, grants, quoted

ROOT = Path(storecore_postgres.__file__).parent
PAGE = (ROOT / "DESIGN.md").read_text()
SECTIONS = {
    name: body
    for names, body in re.findall(r"^### (`[^\n]+)\n(.*?)(?=^##)", PAGE, re.M | re.S)
    for name in re.findall(r"`(\w+)`", names)
}
COLLECTIONS = ["bars", "fundamentals", "events", "states", "audit"]
ORDER = [
    name
    for cell in re.findall(r"^\| (`.+?) \|", PAGE.partition("## The tables")[0], re.M)
    for name in re.findall(r"`(\w+)/?`", cell)
]
RECIPES = PAGE.partition("## Recipes\n")[2].partition("## Decisions\n")[0]


def blocks(language, page=RECIPES):
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.M | re.S)


@pytest.fixture(scope="module")
def made():
    return tables_made_by(create_statements("made", "none"))


def test_each_table_has_a_section():
    assert sorted(SECTIONS) == sorted(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_each_column_of_a_table_is_there_with_its_type_and_in_order(made, table):
    plain = {"double precision": "float8", "timestamp with time zone": "timestamptz"}
    columns = [(name, plain.get(each.type, each.type)) for name, each in made[table].items()]
    told = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", SECTIONS[table], re.M)
    assert told == [(name, "int8" if name == "exact_volume" else kind) for name, kind in columns]


@pytest.mark.parametrize("table", TABLES)
def test_the_primary_key_of_a_table_is_there(made, table):
    (told,) = re.findall(r"^Primary key: \((.*?)\)", SECTIONS[table], re.M)
    assert set(told.replace("`", "").split(", ")) == {
        name for name, column in made[table].items() if column.is_key
    }


@pytest.mark.parametrize("layout", DISTRIBUTIONS)
@pytest.mark.parametrize("table", TABLES)
def test_the_keys_of_a_cluster_are_there(table, layout):
    key = primary_key(table, "", layout)
    assert not key or f"key ({', '.join(f'`{name}`' for name in key.split(', '))})" in PAGE


def test_the_version_is_that_of_the_code():
    assert f"`about.version` is {VERSION} in a new store" in PAGE


def test_the_grants_are_those_that_the_command_prints():
    (told,) = blocks("sql", PAGE.partition("## Roles and grants")[2].partition("## Recipes")[0])
    assert (
        told == grants(quoted("storecore")).replace('"storecore"', "storecore").partition("\n")[2]
    )


@pytest.fixture
def environment(database, postgres_programs, tmp_path):
    """Two databases as the page names them, and the programs that it calls."""
    programs = [Path(sys.executable).parent, postgres_programs]
    return {
        **os.environ,
        "PATH": os.pathsep.join([*map(str, programs), os.environ["PATH"]]),
        "DATABASE_URL": database(),
        "RESTORED_URL": database(),
        "HOME": str(tmp_path),
    }


@pytest.fixture
def filled(environment, bar, event, decision):
    with PostgresDataStore(environment["DATABASE_URL"]) as store:
        store.write_bars("AAPL", [bar()])
        store.write_event(event())
        store.log_decision("value", decision())
    return environment


def run(program, environment, folder):
    done = subprocess.run(program, env=environment, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_commands_run_one_after_another(filled, tmp_path):
    (config,) = blocks("toml")
    (tmp_path / "storecore.toml").write_text(config)
    outputs = [run(["bash", "-ec", each], filled, tmp_path) for each in blocks("sh")]
    assert "GRANT SELECT ON ALL TABLES" in outputs[0]
    with PostgresDataStore(filled["RESTORED_URL"], create=False) as restored:
        assert restored.symbols() == ["AAPL"]


def test_the_script_runs(filled, tmp_path):
    (script,) = blocks("python")
    assert run([sys.executable, "-c", script], filled, tmp_path) == "1 bars\n"


def test_the_queries_run_and_find_what_was_written(filled):
    found = {}
    with psycopg.connect(filled["DATABASE_URL"], autocommit=True) as connection:
        for block in blocks("sql"):
            for query in filter(str.strip, block.split(";")):
                cursor = connection.execute(query)
                if cursor.description:
                    (table,) = re.findall(r"FROM (?:storecore\.)?(\w+)", query)
                    found[table] = len(cursor.fetchall())
    assert found == {
        "bars": 1,
        "bar_columns": 0,
        "events": 1,
        "decisions": 1,
        "pg_stat_activity": 0,
    }


def imported_by(name):
    """Return the parts of the package that a module or folder imports, but for itself."""
    files = (ROOT / name).rglob("*.py") if (ROOT / name).is_dir() else [ROOT / f"{name}.py"]
    text = "".join(file.read_text() for file in files)
    return set(re.findall(r"^from storecore_postgres\.(\w+)", text, re.M)) - {name}


def test_each_module_and_folder_is_on_the_page():
    parts = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or path.is_dir()}
    assert set(ORDER) | {"capable", "rooms"} >= parts - {"__init__", "__pycache__"}


@pytest.mark.parametrize("name", ORDER)
def test_imports_run_downward_in_the_list_of_the_page(name):
    below = ORDER[ORDER.index(name) + 1 :]
    assert imported_by(name) - {"capable", "rooms"} <= set(below)


@pytest.mark.parametrize("name", COLLECTIONS)
def test_a_collection_imports_no_other(name):
    assert not imported_by(name) & set(COLLECTIONS)
