"""Instants as nanoseconds since 1970 (UTC), written and read the way the source API does."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

SECOND_NS = 1_000_000_000
MINUTE_NS = 60 * SECOND_NS
HOUR_NS = 3_600 * SECOND_NS
DAY_NS = 86_400 * SECOND_NS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RFC3339 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d{1,9})\d*)?(?:([Zz])|([+-])(\d\d):(\d\d))",
    re.ASCII,
)


@lru_cache(maxsize=8192)
def day_text(day: int) -> str:
    """Return `YYYY-MM-DD` of the day that is `day` days after 1970-01-01."""
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()


def day_number(text: str) -> int:
    """Return the days since 1970-01-01 of `YYYY-MM-DD`; ValueError when it is no such day."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise ValueError(f"{text!r} is not YYYY-MM-DD")
    return (date.fromisoformat(text) - date(1970, 1, 1)).days


@lru_cache(maxsize=64)
def offset_text(offset_min: int) -> str:
    """Return `Z`, or the offset from UTC as `-04:00`."""
    if offset_min == 0:
        return "Z"
    hours, minutes = divmod(abs(offset_min), 60)
    return f"{'-' if offset_min < 0 else '+'}{hours:02d}:{minutes:02d}"


def offset_minutes(text: str) -> int:
    """Return the minutes east of UTC of `Z` or `+HH:MM`, the inverse of `offset_text`."""
    if text in ("Z", "z"):
        return 0
    found = re.fullmatch(r"([+-])(\d\d):([0-5]\d)", text, re.ASCII)
    if not found or int(found[2]) > 23:
        raise ValueError(f"{text!r} is neither Z nor an offset such as -04:00")
    return (-1 if found[1] == "-" else 1) * (int(found[2]) * 60 + int(found[3]))


def format_instant(ns: int, offset_min: int = 0) -> str:
    """Return RFC 3339 with up to nine fractional digits, trailing zeros trimmed, as Go writes a `time.Time`."""
    day, rest = divmod(ns + offset_min * MINUTE_NS, DAY_NS)
    seconds, fraction = divmod(rest, SECOND_NS)
    text = f"{day_text(day)}T{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if fraction:
        text = f"{text}.{fraction:09d}".rstrip("0")
    return text + ("Z" if offset_min == 0 else offset_text(offset_min))


def parse_instant(text: str) -> int:
    """Return the nanoseconds of an RFC 3339 text; ValueError for anything else. Digits after the ninth are cut off."""
    found = _RFC3339.fullmatch(text)
    if not found:
        raise ValueError(f"{text!r} is not an RFC 3339 instant")
    year, month, day, hour, minute, second, fraction, zulu, sign, off_hour, off_minute = found.groups()
    days = date(int(year), int(month), int(day)).toordinal() - 719_163
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        raise ValueError(f"{text!r} is not an RFC 3339 instant")
    ns = days * DAY_NS + int(hour) * HOUR_NS + int(minute) * MINUTE_NS + int(second) * SECOND_NS
    if fraction:
        ns += int(fraction.ljust(9, "0"))
    if not zulu:
        offset = int(off_hour) * HOUR_NS + int(off_minute) * MINUTE_NS
        ns += offset if sign == "-" else -offset
    return ns


def to_ns(instant: datetime) -> int:
    """Return the nanoseconds of an aware datetime."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000


def to_datetime(ns: int) -> datetime:
    """Return the UTC datetime, cut to microseconds."""
    return _EPOCH + timedelta(microseconds=ns // 1000)
