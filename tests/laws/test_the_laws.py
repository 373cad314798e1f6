"""The conformance kit run on storecore's own backends: each law, proven of each."""

from __future__ import annotations

import json
from datetime import date
from functools import partial

import psycopg
import pytest
from msgspec.structs import replace

from storecore import open_store
from storecore.builtin.memory import MemoryDataStore, storecore_backend
from storecore.builtin.readonly import ReadonlyStore
from storecore.config.open import prepare
from storecore.testing import DataStoreSuite
from storecore_file import FileDataStore, plugin
from storecore_postgres import PostgresDataStore
from storecore_postgres.plugin import storecore_backend as postgres_backend


class TestMemory(DataStoreSuite):
    @pytest.fixture
    def spec(self):
        return storecore_backend()

    @pytest.fixture
    def tamper(self, store):
        def tamper(log, change):
            kept = store._logs[log]
            kept.kept = change(kept.kept)
            kept.days = [date(2026, 1, 5)] * len(kept.kept)

        return tamper

    @pytest.fixture
    def store(self):
        with MemoryDataStore() as store:
            yield store


class TestFile(DataStoreSuite):
    @pytest.fixture
    def spec(self):
        return plugin.storecore_backend()

    @pytest.fixture
    def place(self, tmp_path):
        return tmp_path / "data"

    @pytest.fixture
    def reopen(self, place):
        return partial(FileDataStore, place)

    @pytest.fixture
    def tamper(self, place):
        def tamper(log, change):
            *earlier, day = sorted((place / "audit" / log).glob("*.jsonl"))
            content = b"".join(each.read_bytes() for each in (*earlier, day))
            lines = content.splitlines(keepends=True)
            for each in earlier:  # midnight came between
                each.unlink()
            day.write_bytes(b"".join(change(lines)))

        return tamper

    @pytest.fixture
    def nowhere(self, place):
        return partial(FileDataStore, place)

    @pytest.fixture
    def store(self, reopen):
        with reopen() as store:
            yield store


class TestPostgres(DataStoreSuite):
    @pytest.fixture
    def spec(self):
        return postgres_backend()

    @pytest.fixture
    def reopen(self, empty_in_postgres):
        return partial(PostgresDataStore, **empty_in_postgres)

    @pytest.fixture
    def tamper(self, empty_in_postgres):
        return partial(changed_in_postgres, **empty_in_postgres)

    @pytest.fixture
    def nowhere(self, place_in_postgres):
        return partial(PostgresDataStore, **place_in_postgres)

    @pytest.fixture
    def store(self, reopen):
        with reopen() as store:
            yield store


def changed_in_postgres(log, change, *, dsn, schema):
    """Change the records of a log as the owner of its table can; none can be there twice."""
    table = f"{schema}.{log}"
    with psycopg.connect(dsn) as connection:
        rows = connection.execute(f"SELECT seq, record::text FROM {table} ORDER BY seq").fetchall()
        before = [f"{record}\n".encode() for _, record in rows]
        after = change(before)
        numbered = {json.loads(line)["seq"]: line.decode().rstrip("\n") for line in after}
        if len(numbered) < len(after) or sorted(numbered) != [json.loads(x)["seq"] for x in after]:
            return False
        connection.execute(f"GRANT ALL ON {table} TO CURRENT_USER")
        connection.execute(f"ALTER TABLE {table} DISABLE TRIGGER ALL")
        kept = connection.execute(f"SELECT * FROM {table} LIMIT 1").fetchall()
        for seq, _ in rows:
            if seq not in numbered:
                connection.execute(f"DELETE FROM {table} WHERE seq = %s", [seq])
        columns = "seq, day, strategy, logged_at, record"
        for seq, line in numbered.items():
            put = f"UPDATE {table} SET record = %s WHERE seq = %s"
            if connection.execute(put, [line, seq]).rowcount == 0:
                day = kept[0][1] if kept else date.today()
                values = [seq, day, "value", json.loads(line)["timestamp"], line]
                connection.execute(
                    f"INSERT INTO {table} ({columns}) VALUES (%s, %s, %s, %s, %s)", values
                )
        connection.execute(f"ALTER TABLE {table} ENABLE TRIGGER ALL")
    return None


class Composed(DataStoreSuite):
    """A store that a config composes; `config` is its table, given the folder of the test.

    Which laws of the medium it keeps is proven in the soak runs: they are the file backend's, which
    is asked for them in every run.
    """

    @pytest.fixture
    def prepared(self, place):
        return prepare(self.config(place))

    @pytest.fixture
    def spec(self, prepared):
        return replace(prepared.spec, promises=frozenset())

    @pytest.fixture
    def place(self, tmp_path):
        return tmp_path / "data"

    @pytest.fixture
    def reopen(self, prepared, place):
        durable = "durable" in prepared.spec.promises
        return partial(open_store, self.config(place)) if durable else None

    @pytest.fixture
    def store(self, prepared):
        with prepared.open() as store:
            yield store


def file(path):
    return {"backend": "file", "base_path": path, "durability": "os"}


@pytest.mark.soak
class TestMirrorOfFiles(Composed):
    def config(self, place):
        replicas = [file(place / "copy"), {"backend": "memory"}]
        return {"backend": "mirror", "primary": file(place / "first"), "replicas": replicas}


@pytest.mark.soak
class TestDurableMirror(TestMirrorOfFiles):
    @pytest.fixture
    def spec(self, prepared):
        return prepared.spec


@pytest.mark.soak
class TestCachedMemory(Composed):
    def config(self, place):
        return {"backend": "cached", "store": {"backend": "memory"}, "max_bytes": 50_000}


@pytest.mark.soak
class TestCachedFile(Composed):
    def config(self, place):
        return {"backend": "cached", "store": file(place)}

    @pytest.fixture
    def spec(self, prepared):
        return prepared.spec


@pytest.mark.soak
class TestRoutedMemory(Composed):
    def config(self, place):
        other = {"backend": "memory", "state_versions": 7}
        return {
            "backend": "routed",
            "default": {"backend": "memory"},
            "bars": other,
            "audit": other,
        }


@pytest.mark.soak
class TestRoutedFiles(Composed):
    def config(self, place):
        bars = file(place / "bars")
        return {"backend": "routed", "default": file(place / "all"), "bars": bars, "states": bars}

    @pytest.fixture
    def spec(self, prepared):
        return prepared.spec


@pytest.mark.soak
class TestRoutedFileAndPostgres(Composed):
    @pytest.fixture
    def prepared(self, place, place_in_postgres):
        bars = file(place)
        default = {"backend": "postgres", **place_in_postgres}
        self.routes = {"backend": "routed", "default": default, "bars": bars, "events": bars}
        return prepare(self.routes)

    def config(self, place):
        return self.routes


@pytest.mark.soak
class TestReadonlyMemory(DataStoreSuite):
    """A store that refuses to write is written to by another hand: the one that it reads from."""

    @pytest.fixture
    def spec(self):
        return prepare("readonly", store={"backend": "memory"}).spec

    @pytest.fixture
    def writer(self):
        return MemoryDataStore()

    @pytest.fixture
    def store(self, writer, spec):
        return ReadonlyStore(writer, spec.capabilities)


@pytest.mark.soak
class TestReadonlyFile(Composed):
    def config(self, place):
        return {"backend": "readonly", "store": file(place)}

    @pytest.fixture
    def reopen(self):
        return None

    @pytest.fixture
    def writer(self, place):
        with open_store(file(place)) as writer:
            yield writer

    @pytest.fixture
    def store(self, prepared, writer):  # which makes the place: who only reads does not (law D7)
        with prepared.open() as store:
            yield store
