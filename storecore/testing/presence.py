"""Law D7: opening a store to read creates nothing, and a place without a store is an error."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from storecore.errors import NoStore
from storecore.plugins.spec import ResolvedSpec
from storecore.testing.fixtures import Fixtures
from storecore.testing.recorder import Recorder
from storecore.testing.records import (
    EVER,
    bar,
    decision,
    event,
    fundamental,
    refused,
    sent,
)


class PresenceLaws(Fixtures):
    """A missing store is an error and is not created."""

    def test_d7_a_place_without_a_store_is_an_error_and_stays_without_one(
        self, nowhere: Callable[..., Any] | None, spec: ResolvedSpec | None
    ) -> None:
        """A second try finds none either; once a store is created there, it is found."""
        if nowhere is None:
            if spec is not None and spec.open_existing is not None:
                pytest.skip("not tried: declared by `open_existing`, but there is no `nowhere`")
            pytest.skip("the suite gives no `nowhere`: the backend may create what is missing")
        for attempt in ("a place without a store", "the same place, tried again"):
            with refused(NoStore, value=attempt):
                nowhere(create=False).close()
        nowhere(create=True).close()
        with closing(nowhere(create=False)) as found:
            assert found.read_bars("AAPL", *EVER) == []
            found.write_bars("AAPL", [bar()])
        with closing(nowhere(create=False)) as found:
            assert found.read_bars("AAPL", *EVER) == [bar()]

    def test_d7_reading_makes_no_file(
        self, subject: Recorder, store: Any, reopen: Callable[[], Any] | None, place: Path | None
    ) -> None:
        """Of names that are there, and of others."""
        if reopen is None or place is None:
            pytest.skip("the suite gives no `reopen` or no `place`")
        subject.write_bars("AAPL", [bar()])
        subject.write_fundamental("AAPL", fundamental())
        subject.write_event(event())
        subject.save_strategy_state("value", {"cash": 1.5})
        subject.log_decision("value", decision())
        subject.log_order("value", *sent())
        store.close()
        before = sorted(place.rglob("*"))
        with closing(reopen()) as again:
            for name in ("AAPL", "MSFT", "value"):
                again.read_bars(name, *EVER)
                again.read_bars(name, *EVER, timeframe="1m")
                again.read_fundamental(name)
                again.load_strategy_state(name)
            again.read_events(*EVER)
        assert sorted(place.rglob("*")) == before, "reading has made files"
