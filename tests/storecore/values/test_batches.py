"""A batch is anything that can be gone through, but no record and no text of records."""

from __future__ import annotations

import pytest

from storecore import InvalidData
from storecore.values.batches import listed


@pytest.mark.parametrize("batch", [[1, 2], (1, 2), iter([1, 2]), {1: "", 2: ""}])
def test_what_can_be_gone_through_is_a_batch(batch):
    assert listed(batch, "int", "numbers") == [1, 2]


def test_one_record_is_told_to_be_put_in_a_list(event):
    with pytest.raises(InvalidData, match=r"^events: .* got one Event; put it in a list$"):
        listed(event(), "Event", "events")


def test_what_cannot_be_gone_through_is_named_by_its_type():
    with pytest.raises(InvalidData, match=r"^events: expected an iterable of Event, got int$"):
        listed(7, "Event", "events")
