"""No part of a log record shows a secret, whichever logger of storecore it comes from."""

from __future__ import annotations

import io
import json
import logging
import re
from pathlib import Path

import pytest

SECRET = "hunter2"
URL = f"http://me:{SECRET}@push.example/"
SOURCES = [
    path
    for package in ("storecore", "storecore_file", "storecore_postgres")
    for path in sorted((Path(__file__).parents[3] / package).rglob("*.py"))
]


class Everything(logging.Formatter):
    """Prints what handlers make of a record: text, and every value with the exception again."""

    def format(self, record):
        values = {name: repr(value) for name, value in vars(record).items()}
        if record.exc_info:
            values["again"] = self.formatException(record.exc_info)
        return f"{super().format(record)}\n{json.dumps(values)}"


@pytest.fixture
def printed(monkeypatch):
    """What the handlers of the root logger print."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Everything())
    monkeypatch.setattr(logging.getLogger(), "handlers", [handler])
    return stream.getvalue


@pytest.fixture(params=["storecore", "storecore.acme", "storecore.acme.pusher"])
def logger(request):
    return logging.getLogger(request.param)


def failed():
    """Return an error as it was raised, with its cause."""
    try:
        try:
            raise ConnectionError(f"cannot reach {URL}")
        except ConnectionError as error:
            raise RuntimeError("the push failed") from error
    except RuntimeError as error:
        return error


def noted():
    error = RuntimeError("the push failed")
    error.add_note(f"sent to {URL}")
    return error


class OnlyInRepr(Exception):
    def __str__(self):
        return "failed"

    def __repr__(self):
        return f"OnlyInRepr({URL})"


ERRORS = {
    "an error": ConnectionError(f"cannot reach {URL}"),
    "a cause": failed(),
    "a note": noted(),
    "a group": ExceptionGroup("two failed", [KeyError("x"), OSError(f"password={SECRET}")]),
    "two lines": OSError(f"http://me:{SECRET[:3]}\n{SECRET}@push.example/"),
    "repr": OnlyInRepr(),
}
WRITES = {
    "a message": lambda logger: logger.error(f"cannot reach {URL}"),
    "an argument": lambda logger: logger.error("cannot reach %s", URL),
    "an argument by name": lambda logger: logger.error("cannot reach %(url)s", {"url": URL}),
    "a format that names it": lambda logger: logger.error("password=%s", SECRET),
    "a wrong format": lambda logger: logger.error(f"cannot reach {URL} %d", "one"),
    "an object": lambda logger: logger.error("failed: %s", ERRORS["an error"]),
    "a value of its own": lambda logger: logger.error("failed", extra={"url": URL}),
}


@pytest.mark.parametrize("name", ERRORS)
def test_a_traceback_shows_no_secret(logger, printed, name):
    logger.error("failed", exc_info=ERRORS[name])
    assert "failed" in printed()
    assert SECRET not in printed()


@pytest.mark.parametrize("name", WRITES)
def test_no_other_part_of_a_record_shows_a_secret(logger, printed, name, monkeypatch):
    monkeypatch.setattr(logging, "raiseExceptions", False)
    WRITES[name](logger)
    assert SECRET not in printed()


def test_a_stack_shows_no_secret(logger, printed):
    logger.error("here", stack_info="http://me:hunter2@push.example/" != "")
    assert "Stack (most recent call last)" in printed()
    assert SECRET not in printed()


def test_what_is_left_of_a_traceback_says_where_and_what(logger, printed):
    logger.error("failed", exc_info=failed())
    assert "ConnectionError: cannot reach http://…@push.example/\n" in printed()
    assert ", in failed\n" in printed()
    assert printed().count("RuntimeError: the push failed\n") == 1


def test_an_exception_without_a_secret_stays_an_exception(logger, caplog):
    error = ValueError("plain")
    logger.error("failed", exc_info=error)
    assert caplog.records[0].exc_info[1] is error


def test_a_record_of_no_exception_stays_as_it_is(logger, printed):
    logger.error("no error", exc_info=(None, None, None))
    assert "no error\n" in printed()


def test_a_message_without_a_secret_keeps_its_format_and_its_numbers(logger, caplog):
    logger.error("%s has %d", "AAPL", 3)
    assert (caplog.records[0].msg, caplog.records[0].args) == ("%s has %d", ("AAPL", 3))


def test_an_argument_without_a_text_is_named_by_its_type(logger, caplog):
    class Silent:
        def __str__(self):
            raise OSError("no text")

    logger.error("got %s", Silent())
    assert caplog.messages == ["got <Silent>"]


def test_a_traceback_cannot_move_the_cursor(logger, printed):
    logger.error("failed", exc_info=ValueError("a\x1b[2Jb"))
    assert "\x1b" not in printed()


def test_without_a_handler_an_error_is_printed_once_by_the_last_resort(logger, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logger.info("not shown")
    logger.error("cannot reach %s", URL)
    assert capsys.readouterr().err == "cannot reach http://…@push.example/\n"


def test_without_a_last_resort_nothing_is_printed(logger, capsys, monkeypatch):
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    monkeypatch.setattr(logging, "lastResort", None)
    logger.error("failed")
    assert capsys.readouterr().err == ""


def test_a_logger_that_does_not_propagate_is_left_to_its_own_handlers(monkeypatch, printed):
    monkeypatch.setattr(logging.getLogger("storecore"), "propagate", False)
    monkeypatch.setattr(logging, "lastResort", None)
    logging.getLogger("storecore").error("failed")
    assert printed() == ""


def test_every_module_logs_by_the_logger_whose_records_are_redacted():
    own = re.compile(r"getLogger\((?!\))")
    assert [path.name for path in SOURCES if own.search(path.read_text())] == ["logger.py"]
