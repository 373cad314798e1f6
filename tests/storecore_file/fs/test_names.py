"""Law N1 on any file system: different names never meet, and each comes back as it was given."""

from __future__ import annotations

import re
import unicodedata
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore_file.fs.names import MAX_ENCODED, STRATEGIES, SYMBOLS, TIMEFRAMES

CODECS = {"symbols": SYMBOLS, "strategies": STRATEGIES, "timeframes": TIMEFRAMES}
PORTABLE = re.compile(r"[A-Za-z0-9%+_-]([A-Za-z0-9%+._-]*[A-Za-z0-9%+_-])?")
RESERVED = {
    "CON",
    "PRN",
    "AUX",
    "NUL",
    *(f"{port}{n}" for port in ("COM", "LPT") for n in "0123456789¹²³"),
}

CHANGES = [
    "case",
    "fold",
    "upper",
    "composed",
    "decomposed",
    "compatible",
    "dot",
    "space",
    "longer",
]

characters = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
tricky = st.sampled_from("aAbB+%.-_ /\\:~ßẞİıſKΩéÉé²1")
names = st.text(characters | tricky, min_size=1, max_size=200)


def twin(name, change):
    return {
        "case": name.swapcase(),
        "fold": name.casefold(),
        "upper": name.upper(),
        "composed": unicodedata.normalize("NFC", name),
        "decomposed": unicodedata.normalize("NFD", name),
        "compatible": unicodedata.normalize("NFKC", name),
        "dot": name + ".",
        "space": name + " ",
        "longer": name + name[-1] * MAX_ENCODED,
    }[change]


twins = st.builds(
    lambda name, change: (name, twin(name, change)),
    names,
    st.sampled_from(CHANGES),
)


def as_file_systems_see_it(encoded):
    """Fold what the most forgetful file system would."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", encoded).casefold())


@pytest.fixture(params=CODECS)
def codec(request):
    return CODECS[request.param]


@given(pair=twins | st.tuples(names, names))
def test_n1_different_names_have_different_file_names(codec, pair):
    one, other = (as_file_systems_see_it(codec.encode(name)) for name in pair)
    assert (one == other) == (pair[0] == pair[1])


def test_n1_no_two_short_names_of_tricky_characters_meet(codec):
    names = ["".join(letters) for n in (1, 2, 3) for letters in product("aA+%.-2c ß", repeat=n)]
    assert len({as_file_systems_see_it(codec.encode(name)) for name in names}) == len(names)


@given(name=names)
def test_n1_a_name_comes_back_exactly_unless_it_was_hashed(codec, name):
    encoded = codec.encode(name)
    assert codec.decode(encoded) == (None if "%-" in encoded else name)


@given(name=names | st.text("CONPRAUXLTM012.", min_size=1, max_size=5))
def test_a_file_name_is_one_that_every_file_system_takes(codec, name):
    encoded = codec.encode(name)
    assert PORTABLE.fullmatch(encoded)
    assert len(encoded) <= MAX_ENCODED


@pytest.mark.parametrize("form", ["{}", "{}.txt", "{}.", "{}.tar.gz"])
@pytest.mark.parametrize("case", [str.upper, str.lower, str.title])
def test_no_file_is_named_like_a_device_of_windows(codec, form, case):
    encoded = [codec.encode(case(form.format(device))) for device in RESERVED]
    assert not {name.partition(".")[0].upper() for name in encoded} & RESERVED


@pytest.mark.parametrize(
    "name", [".", "..", ".hidden", "../../x", "/etc/passwd", "a/b", "a\\b", "..."]
)
def test_no_name_is_a_path_or_hides_its_file(codec, name):
    encoded = codec.encode(name)
    assert not encoded.startswith(".")
    assert not {"/", "\\"} & set(encoded)


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        (SYMBOLS, "AAPL"),
        (SYMBOLS, "BRK.B"),
        (SYMBOLS, "BTC-USD"),
        (SYMBOLS, "600519"),
        (STRATEGIES, "value_strategy"),
        (STRATEGIES, "mean-reversion.v2"),
        (TIMEFRAMES, "1m"),
        (TIMEFRAMES, "15min"),
    ],
)
def test_an_ordinary_name_is_its_own_file_name(codec, name):
    assert codec.encode(name) == name


@pytest.mark.parametrize(
    ("codec", "name", "encoded"),
    [
        (SYMBOLS, "aapl", "+aapl"),
        (SYMBOLS, "BRKb", "BRK+b"),
        (SYMBOLS, "BRK/B", "BRK%2FB"),
        (SYMBOLS, "Ü", "%C3%9C"),
        (SYMBOLS, "CON", "%43ON"),
        (STRATEGIES, "Value", "+V+alue"),
        (TIMEFRAMES, "1M", "1+M"),
    ],
)
def test_a_file_name_can_still_be_read_by_people(codec, name, encoded):
    assert codec.encode(name) == encoded


@pytest.mark.parametrize(
    "name", ["2026-01.parquet", "x.parquet", ".lock", "2006-01--2025-12.parquet"]
)
def test_a_timeframe_never_looks_like_a_file_of_the_symbol(name):
    assert "." not in TIMEFRAMES.encode(name)


def test_a_name_of_300_characters_keeps_its_beginning(codec):
    encoded = codec.encode("1" * 300)
    assert encoded.startswith("1" * 60)
    assert codec.decode(encoded) is None


def test_long_names_that_differ_at_their_end_have_different_file_names(codec):
    assert codec.encode("1" * 300) != codec.encode("1" * 299 + "2")


@pytest.mark.parametrize(
    "foreign", ["aapl", "+AAPL", "A+", "A%2", "%41", "A%FF", "my file", "a~1", "Ä"]
)
def test_a_file_name_that_is_none_of_ours_is_no_name(foreign):
    assert SYMBOLS.decode(foreign) is None


def test_a_folder_whose_name_is_no_text_is_no_name_of_ours():
    assert SYMBOLS.decode("\udcff") is None
