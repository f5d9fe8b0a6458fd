"""Single fields of a record, read by name and checked: the only way from a log into an event.

A missing field and an explicit null are None. Any other value of a wrong type or form is malformed; nothing is clamped,
converted or guessed.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from millrace.collect.parsers.naming import hashed, id_name, model_name, provider_name

Record = Mapping[str, object]

MOST_TOKENS = 10**12
MOST_USD = 10**6
_ID = re.compile(r"\w[\w.:-]{0,199}", re.ASCII)  # no sentence, no e-mail address, and no path from the root
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d.*", re.ASCII)


class SkipReason(StrEnum):
    """Why a line yielded no event. Each complete line yields an event or is counted under one of these."""

    NO_USAGE = "no_usage"  # of a known kind that contains no usage
    NO_TOKENS = "no_tokens"  # a response without counts, as yet
    SYNTHETIC = "synthetic"  # made up by the agent: no model answered
    REPEATED = "repeated"  # a counter that did not change
    INHERITED = "inherited"  # the counter with which a fork begins, for calls of its parent
    DELETED = "deleted"  # the sum of responses that had events of their own
    UNKNOWN_KIND = "unknown_kind"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    TOO_LARGE = "too_large"
    TOO_DEEP = "too_deep"
    WRONG_TYPE = "wrong_type"
    BAD_NUMBER = "bad_number"
    BAD_TIME = "bad_time"
    BAD_NAME = "bad_name"
    NO_ID = "no_id"


class MalformedError(ValueError):
    """A record is not in the format of its agent."""

    def __init__(self, reason: SkipReason) -> None:
        super().__init__(reason)
        self.reason = reason


def read_object(record: Record, name: str) -> Record:
    """Return the object in a field; an empty one when it is missing."""
    value = record.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise MalformedError(SkipReason.WRONG_TYPE)
    return value


def read_text(record: Record, name: str) -> str | None:
    """Return a text that is only used for decisions and goes into no event."""
    value = record.get(name)
    if value is not None and not isinstance(value, str):
        raise MalformedError(SkipReason.WRONG_TYPE)
    return value


def read_name(record: Record, name: str) -> str | None:
    """Return the name of a provider, or None when it is missing or blank; one that is no short name is hashed."""
    value = _read_text(record, name)
    return None if value is None else provider_name(value)


def read_id(record: Record, name: str) -> str | None:
    """Return an identifier, or None when it is missing or blank; one with words or of another form is hashed."""
    value = _read_text(record, name)
    if value is None:
        return None
    return id_name(value) if _ID.fullmatch(value) else hashed(value)


def read_model(record: Record, name: str) -> str | None:
    """Return the name of a model, or None when it is missing or blank; what could be more than a name is hashed."""
    value = _read_text(record, name)
    return None if value is None else model_name(value)


def read_count(record: Record, name: str) -> int | None:
    """Return a count of tokens."""
    value = record.get(name)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value <= MOST_TOKENS:
        raise MalformedError(SkipReason.BAD_NUMBER)
    return value


def read_cost(record: Record, name: str) -> Decimal | None:
    """Return an amount of USD, exactly as it is written."""
    value = record.get(name)
    if value is None:
        return None
    if type(value) not in (int, Decimal):
        raise MalformedError(SkipReason.BAD_NUMBER)
    cost = Decimal(str(value))
    if not cost.is_finite() or not 0 <= cost <= MOST_USD or len(cost.as_tuple().digits) > 38 or cost.adjusted() < -38:
        raise MalformedError(SkipReason.BAD_NUMBER)
    return cost


def read_instant(record: Record, name: str) -> datetime:
    """Return the UTC instant of a timestamp with any offset; without an offset it is UTC."""
    value = record.get(name)
    if not isinstance(value, str) or _INSTANT.fullmatch(value) is None:
        raise MalformedError(SkipReason.BAD_TIME)
    try:
        instant = datetime.fromisoformat(value)
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedError(SkipReason.BAD_TIME) from None


def read_epoch_ms(record: Record, name: str) -> datetime:
    """Return the UTC instant of a number of milliseconds since 1970."""
    value = record.get(name)
    if type(value) is not int or not 0 < value < 253_402_300_800_000:
        raise MalformedError(SkipReason.BAD_TIME)
    return datetime.fromtimestamp(value // 1000, UTC).replace(microsecond=value % 1000 * 1000)


def _read_text(record: Record, name: str) -> str | None:
    value = read_text(record, name)
    return value if value and not value.isspace() else None
