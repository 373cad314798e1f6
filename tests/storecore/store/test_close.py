"""Law L1: close twice is fine, any use after it is StoreClosed."""

from __future__ import annotations

import pytest

from storecore import StoreClosed
from storecore.store.closing import Closing


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
