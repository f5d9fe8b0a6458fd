"""A log line is one line of JSON in the fields that Cloud Logging reads, whatever its values are."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from millrace import log


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.setFormatter(log.JsonLines())
    logger = logging.getLogger("millrace")
    handlers, level, propagate = logger.handlers, logger.level, logger.propagate
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(logging.INFO)  # unlike an assignment, it takes effect at once
    yield text
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


def only(lines: io.StringIO) -> dict[str, Any]:
    (line,) = lines.getvalue().splitlines()
    return dict(json.loads(line))


def test_a_line_has_severity_message_time_and_its_fields(lines: io.StringIO) -> None:
    log.error("failed", rows=3, object="raw/x")
    line = only(lines)
    assert abs((datetime.now(UTC) - datetime.fromisoformat(line.pop("time"))).total_seconds()) < 60
    assert line == {"severity": "ERROR", "message": "failed", "rows": 3, "object": "raw/x"}


@pytest.mark.parametrize(
    "value", ["a\nb", "\u2028", "\0", '"}', "\ud800", "\x1b[31m"], ids=["newline", "LS", "NUL", "JSON", "half", "ESC"]
)
def test_a_hostile_name_stays_within_its_line(lines: io.StringIO, value: str) -> None:
    log.info("loaded", object=value)
    assert only(lines)["object"] == value
    assert lines.getvalue().rstrip("\n").isprintable()


def test_non_json_value_is_logged_as_text(lines: io.StringIO) -> None:
    log.warning("odd", at=datetime(2026, 1, 1, tzinfo=UTC))
    assert only(lines)["at"] == "2026-01-01 00:00:00+00:00"


def test_debug_step_is_logged_only_at_debug_level(lines: io.StringIO) -> None:
    log.debug("a step")
    assert lines.getvalue() == ""
    logging.getLogger("millrace").setLevel(logging.DEBUG)
    log.debug("a step")
    assert only(lines)["severity"] == "DEBUG"


def test_an_exception_is_within_the_line(lines: io.StringIO) -> None:
    try:
        raise ValueError("a\nb")
    except ValueError:
        logging.getLogger("millrace").exception("surprised")
    assert "ValueError: a\nb" in only(lines)["exception"]


def test_starting_twice_writes_each_line_once(lines: io.StringIO) -> None:
    log.start()
    log.start()
    log.info("once")
    assert only(lines)["message"] == "once"


def test_starting_twice_adds_one_handler(lines: io.StringIO) -> None:
    logger = logging.getLogger("millrace")
    logger.handlers = []
    log.start()
    log.start()
    assert [type(handler.formatter) for handler in logger.handlers] == [log.JsonLines]
