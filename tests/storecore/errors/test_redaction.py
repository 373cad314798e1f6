"""What a message shows: no credentials of any URL or connection string, and one printable line."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storecore import ConfigError, StorageError, UnknownBackend
from storecore.errors import LockTimeout, caused_by
from storecore.errors.redaction import is_clean, plain, redacted
from storecore.values.logger import log

SECRET = "s3cr3t"
WITH_SECRETS = [
    "postgresql://u:s3cr3t@h/db",
    "no backend 'postgresql://u:s3cr3t@h/db'; installed: file",
    "postgresql:/u:s3cr3t@h/db",
    "postgresql//u:s3cr3t@h/db",
    "postgresql:u:s3cr3t@h/db",
    "//u:s3cr3t@h/db",
    "'//u:s3cr3t@h'",
    "POSTGRESQL://u:s3cr3t@h/db",
    "postgresql+psycopg://u:s3cr3t@h/db",
    "redis://:s3cr3t@h/0",
    "https://s3cr3t@h/path",
    "postgresql://u:s3cr3t%20x@h",
    "postgresql://u:x@s3cr3t@h/db",
    "postgresql://u:x/s3cr3t@h/db",
    "postgresql://u:x s3cr3t@h/db",
    "postgresql://u:x\ns3cr3t@h/db",
    "postgresql://u:'s3cr3t'@h/db",
    "postgresql://u:s3cr3t",
    "postgresql://u:1s3cr3t/db",
    "redis://:s3cr3t",
    "postgresql://h/db?user=u&password=s3cr3t&sslmode=require",
    "host=h password=s3cr3t dbname=d",
    "host=h password = s3cr3t",
    "host=h password='a s3cr3t b'",
    r"host=h password='a \' s3cr3t b'",
    'host=h sslpassword="s3cr3t x"',
    "{'password': 's3cr3t'}",
    '{"api_key": "s3cr3t"}',
    "PWD=s3cr3t",
    "access_token=s3cr3t",
    "secret: s3cr3t",
    "the server refused token:s3cr3t and closed",
    "password : 's3cr3t x s3cr3t'",
    "GET /push\r\nX-Api-Key: s3cr3t\r\nAccept: */*",
    "Authorization: Bearer s3cr3t",
    "AUTHORIZATION: s3cr3t",
    "token: the-s3cr3t",
    "proxy-authorization: Basic s3cr3t, Accept: */*",
    "b'POST / HTTP/1.1\\r\\nAuthorization: Digest s3cr3t\\r\\n'",
    "Cookie: id=s3cr3t; s3cr3t",
    "Set-Cookie: session=s3cr3t; Path=/",
    "{'Authorization': 'Bearer s3cr3t', 'Cookie': 'a=s3cr3t; b'}",
    '{"token": "s3cr3t"}',
    "expected postgresql://user:password@host, got postgresql://u:s3cr3t@h",
    repr("host=h password='s3cr3t'"),
]
HARMLESS = [
    "no backend 'fiel' (did you mean 'file'?); installed: file, memory",
    "expected postgresql://user:password@host:port/database with special characters as %XX",
    "http://localhost:8080/x is not reached",
    "see https://github.com/pluggy/x.",
    "bars[3].close=nan",
    "/srv/desk@home/data: cannot read",
    "prices/BTC:USDT@X/2026-01.parquet",
    "backend postgres: the role writer@host may not",
    "[store] password: missing; expected str",
    "[store] token: Expected `str`, got `int`",
    "[store] secret: the environment variable NAME is not set; set it, or write ${NAME:-default}",
    "[store] api_key: unknown option (did you mean 'path'?); expected one of path",
    "passed: 3, tokens: 12, compass: north",
    "the authorization of the role writer has ended",
    "a cookie is not kept; nor is a token",
    "expected KEY=VALUE, as in base_path=data, got 'base_path'",
    "Ünïcødé, 「価格」",
    "",
]


@pytest.mark.parametrize("text", WITH_SECRETS)
def test_credentials_are_never_shown(text):
    assert SECRET not in redacted(text)
    assert SECRET not in plain(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_other_text_is_left_as_it_is(text):
    assert plain(text) == text


@pytest.mark.parametrize("text", [*WITH_SECRETS, *HARMLESS])
def test_what_was_redacted_stays_as_it_is(text):
    assert plain(plain(text)) == plain(text)


@given(st.text())
def test_any_text_becomes_one_printable_line(text):
    assert plain(text).isprintable()
    assert plain(plain(text)) == plain(text)


@given(st.text(st.characters(exclude_characters="@"), min_size=1))
def test_no_password_of_a_url_is_shown_whatever_it_is_made_of(password):
    assert plain(f"acme://user:<{password}>@host/db") == "acme://…@host/db"


def test_the_time_taken_grows_with_the_length_alone():
    texts = ["a" * 99_999, "ab://" * 20_000, "pass" * 20_000, "ab:/@" * 20_000, "//" * 40_000]
    texts += [
        "token:" * 20_000,
        "cookie: " * 20_000,
        "secret: bearer" + " " * 99_999,
        "pwd :\n" * 20_000,
    ]
    for text in texts:
        begun = time.perf_counter()
        redacted(text)
        assert time.perf_counter() - begun < 2, text[:4]


@pytest.mark.parametrize("kind", [ConfigError, UnknownBackend, StorageError, LockTimeout])
def test_every_error_passes_through(kind):
    error = kind("a\nb\x1b[2J postgresql://u:s3cr3t@h\u202e")
    expected = "a\\nb\\x1b[2J postgresql://…@h\\u202e"
    assert (str(error), error.args[0]) == (expected, expected)
    assert SECRET not in repr(error)


def test_what_is_no_text_in_an_error_is_kept():
    assert ConfigError("a", 5).args == ("a", 5)


def test_log_records_pass_through_and_keep_their_numbers(caplog):
    error = ValueError("postgresql://u:s3cr3t@h")
    log.error("%s %d %r %s", "a\nb", 5, "x\x1b", error)
    assert caplog.messages == ["a\\nb 5 'x\\\\x1b' postgresql://…@h"]
    assert caplog.records[0].args[1] == 5


def test_a_log_record_may_name_its_arguments(caplog):
    log.error("%(a)s", {"a": "x"})
    assert caplog.messages == ["x"]


@pytest.mark.parametrize("text", ["postgresql://u:s3cr3t@h", "password=s3cr3t"])
def test_a_cause_that_shows_a_secret_is_left_out(text):
    try:
        try:
            raise ValueError(text)
        except ValueError as error:
            raise KeyError("x") from error
    except KeyError as error:
        cause = error
    assert caused_by(ConfigError("x"), cause).__cause__ is None
    assert not is_clean(cause)


@pytest.mark.parametrize("raised", [OSError, SystemExit])
def test_a_cause_without_a_text_is_left_out(raised):
    assert not is_clean(mute(raised))


def test_an_interrupt_while_a_cause_is_looked_at_goes_through():
    with pytest.raises(KeyboardInterrupt):
        is_clean(mute(KeyboardInterrupt))


def mute(raised):
    """Return an error whose text cannot be had."""

    class Mute(Exception):
        def __str__(self):
            raise raised

    return Mute()


def test_causes_that_go_round_are_looked_at_once():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert is_clean(first)


def test_any_other_cause_is_kept():
    cause = ValueError("low is above high")
    assert caused_by(ConfigError("x"), cause).__cause__ is cause
