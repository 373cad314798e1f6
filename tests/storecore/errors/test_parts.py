"""An error of a part of a store begins with the name of the part, whatever its kind is."""

from __future__ import annotations

import errno
import pickle

import pytest

from storecore import errors
from storecore.errors.parts import items_of, name_part, naming

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, errors.StoreError)
]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_of_any_kind_is_named_once_and_stays_of_its_kind(kind):
    with pytest.raises(kind) as caught, naming("bars"), naming("bars"):
        raise kind("the disk is gone")
    assert str(caught.value) == "bars: the disk is gone"
    assert str(pickle.loads(pickle.dumps(caught.value))) == "bars: the disk is gone"


def test_the_file_and_the_code_of_an_error_stay():
    error = errors.CorruptData("line 7", "/fast/a.parquet", errno.EIO)
    name_part(error, "bars")
    assert (str(error), error.path, error.errno) == ("bars: line 7", "/fast/a.parquet", errno.EIO)


def test_an_error_whose_first_argument_is_no_text_stays_as_it_is():
    error = errors.InvalidData(7)
    name_part(error, "bars")
    assert error.args == (7,)


def test_another_error_passes_as_it_is():
    with pytest.raises(OSError, match=r"^gone$"), naming("bars"):
        raise OSError("gone")


def test_items_are_yielded_up_to_an_error_that_is_named():
    def items():
        yield 1
        raise errors.StorageError("gone")

    found = items_of("events", items())
    assert next(found) == 1
    with pytest.raises(errors.StorageError, match=r"^events: gone$"):
        next(found)
