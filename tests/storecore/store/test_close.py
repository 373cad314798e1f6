"""Law L1: close twice is fine, any use after it is StoreClosed."""

from __future__ import annotations

import pytest

from storecore import Store, StoreClosed, open_store
from storecore.builtin.memory import MemoryDataStore
from storecore.store.closing import Closing
from storecore_file import FileDataStore


class Shop(Closing):
    def sell(self):
        self._check_open()
        return "sold"


def test_an_open_one_can_be_used():
    assert Shop().sell() == "sold"


def test_use_after_close_names_what_is_closed():
    shop = Shop()
    shop.close()
    with pytest.raises(StoreClosed, match=r"^Shop is closed; open the store again"):
        shop.sell()


class Named(Store):
    """A store whose author says where it is."""

    def __init__(self, at):
        self.at = at
        parts = MemoryDataStore()
        super().__init__(
            bars=parts._bars,
            fundamentals=parts._fundamentals,
            events=parts._events,
            states=parts._states,
            audit=parts._logs,
        )

    def __repr__(self):
        return f"Named({self.at()!r})"


def message_of_closed(store):
    store.close()
    with pytest.raises(StoreClosed) as caught:
        store.load_strategy_state("value")
    return str(caught.value)


def test_the_error_of_a_closed_store_names_its_place(tmp_path, place_in_postgres):
    file = open_store("file", base_path=tmp_path)
    postgres = open_store("postgres", **place_in_postgres)
    said = [message_of_closed(each) for each in (file, postgres, MemoryDataStore())]
    assert said == [
        f"FileDataStore(base_path='{tmp_path}') is closed; open the store again to use it",
        f"PostgresDataStore(schema='{place_in_postgres['schema']}') is closed; "
        "open the store again to use it",
        "MemoryDataStore is closed; open the store again to use it",
    ]


@pytest.mark.parametrize("backend", ["readonly", "cached"])
def test_the_error_of_a_closed_wrapper_names_the_place_of_its_store(backend, tmp_path):
    FileDataStore(tmp_path).close()
    said = message_of_closed(open_store(backend, store={"backend": "file", "base_path": tmp_path}))
    assert f"(FileDataStore(base_path='{tmp_path}')) is closed" in said


def test_an_author_names_the_place_by_the_repr():
    assert message_of_closed(Named(lambda: "desk.db")).startswith("Named('desk.db') is closed;")
    assert "secret" not in message_of_closed(Named(lambda: "kv://desk:secret@host/db"))


def test_a_repr_that_fails_hides_no_error():
    assert message_of_closed(Named(lambda: 1 / 0)).startswith("<Named> is closed; open the store")


def test_closing_twice_is_fine():
    shop = Shop()
    shop.close()
    assert shop.close() is None


def test_as_a_context_manager_it_gives_itself_and_is_closed_at_the_end():
    shop = Shop()
    with shop as entered:
        assert entered is shop
    with pytest.raises(StoreClosed):
        shop.sell()


def test_an_error_inside_closes_it_and_passes():
    shop = Shop()
    with pytest.raises(KeyError, match="mine"), shop:
        raise KeyError("mine")
    with pytest.raises(StoreClosed):
        shop.sell()


def test_a_closed_one_cannot_be_entered():
    shop = Shop()
    shop.close()
    with pytest.raises(StoreClosed), shop:
        pass
