"""Laws N1 to N3: any text is a name but the empty one, NUL and lone surrogates."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import InvalidData, InvalidName
from storecore.values.names import check_name, check_owner

surrogates = st.characters(categories=["Cs"])
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)


class Symbol(StrEnum):
    APPLE = "AAPL"


@given(name=texts)
def test_n1_any_text_is_a_name_as_it_is(name):
    assert check_name(name, "symbol") == name


@pytest.mark.parametrize("name", [Symbol.APPLE, np.str_("AAPL")])
def test_n1_a_subclass_of_str_is_kept_as_the_plain_text(name):
    checked = check_name(name, "symbol")
    assert (checked, type(checked)) == ("AAPL", str)


@given(before=texts, surrogate=surrogates)
def test_n2_a_lone_surrogate_is_refused_with_its_position(before, surrogate):
    with pytest.raises(InvalidName, match=rf"^symbol .*surrogate at position {len(before)},"):
        check_name(before + surrogate, "symbol")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "^symbol is empty"),
        ("A\0", r"^symbol 'A\\x00' contains a NUL"),
        (None, r"^symbol: expected a str, got None \(NoneType\)"),
        (b"AAPL", r"^symbol: expected a str, got b'AAPL' \(bytes\)"),
        pytest.param(10**5000, r"^symbol: expected a str, got <int> \(int\)", id="no repr"),
    ],
)
def test_n2_what_is_no_name_is_refused(name, message):
    with pytest.raises(InvalidName, match=message):
        check_name(name, "symbol")


@pytest.mark.parametrize("own", ["MSFT", "aapl", "AAPL ", None])
def test_n3_a_record_of_another_symbol_is_refused(own):
    with pytest.raises(InvalidData, match=rf"^bars\[3\]\.symbol={own!r}: expected 'AAPL'"):
        check_owner("AAPL", own, "bars[3]")


@given(name=texts)
def test_n3_a_record_of_its_own_symbol_is_taken(name):
    assert check_owner(name, name, "data") is None
