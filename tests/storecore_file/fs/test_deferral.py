"""Many things are tried, and the first error is raised in the end."""

from __future__ import annotations

import pytest

from storecore import StorageError
from storecore_file.fs.errors import Deferral


def fail(text):
    raise StorageError(text)


def tried_all(things, error=None):
    with Deferral() as tried:
        answers = [tried(thing) for thing in things]
        if error is not None:
            raise error
    return answers


def test_what_succeeds_is_returned():
    assert tried_all([lambda: 1, lambda: 2]) == [1, 2]


def test_all_is_tried_and_the_first_error_is_raised():
    done = []
    things = [lambda: fail("first"), lambda: fail("second"), lambda: done.append(1)]
    with pytest.raises(StorageError, match="first"):
        tried_all(things)
    assert done == [1]


def test_an_error_that_comes_by_itself_is_the_one_that_is_raised():
    with pytest.raises(LookupError):
        tried_all([lambda: fail("first")], LookupError())
