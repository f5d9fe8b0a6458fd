"""The limits of a source: what its refusals say, and how long to wait after each.

The rules are GitHub's ("Rate limits for the REST API", and the same for GraphQL): after the primary limit wait until it
is reset, else as long as `Retry-After` says, else a minute, doubled each time. A 429 without any of that is waited out
by seconds, as other sources mean it.
"""

import email.utils
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

_LONGEST_S = 3600.0  # of one wait: an hourly limit has been reset by then
_MINUTE_S = 60.0
_UNSAID_CAP_S = 20.0
_SECONDARY_WORDS = ("secondary rate limit", "abuse detection")


class Kind(Enum):
    """Which limit a refusal names: what is told of it, and what helps when it does not end."""

    PRIMARY = "the key's limit of an hour is used up", "is it used by something else, too?"
    SECONDARY = "over its secondary rate limit", "try again later"
    UNSAID = "over its rate limit", "lower MILLRACE_REQUESTS_PER_MINUTE"

    @property
    def problem(self) -> str:
        """What is told of it."""
        return self.value[0]

    @property
    def advice(self) -> str:
        """What helps when waiting does not."""
        return self.value[1]


_MOST = {Kind.PRIMARY: 3, Kind.SECONDARY: 5, Kind.UNSAID: 50}  # in a row


@dataclass(frozen=True, slots=True)
class Limit:
    """A refusal, and the seconds that the source asks to wait (None: it does not say)."""

    kind: Kind
    wait_s: float | None = None


def limit_of(status: int, headers: Mapping[str, str], body: bytes) -> Limit | None:
    """Return the limit that a response names: that of a 429, or of a 403 that is not about a right."""
    if status not in (403, 429):
        return None
    says_secondary = is_secondary(body[:2000].decode("utf-8", "replace"))
    limit = limit_in(headers, Kind.SECONDARY if says_secondary else Kind.UNSAID)
    is_named = says_secondary or limit.wait_s is not None or "Retry-After" in headers or _is_used_up(headers)
    return limit if status == 429 or is_named else None


def is_secondary(text: str) -> bool:
    """Return whether a text of the server names GitHub's secondary limit."""
    return any(words in text.lower() for words in _SECONDARY_WORDS)


def limit_in(headers: Mapping[str, str], otherwise: Kind) -> Limit:
    """Return the limit of a response that is a refusal for one, by its headers."""
    asked_s = retry_after_s(headers)
    reset_s = _until_reset_s(headers)
    if reset_s is not None:
        return Limit(Kind.PRIMARY, max(reset_s, asked_s or 0.0))
    return Limit(otherwise, asked_s)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the wait that a response asks for, an hour at most; None for an invalid value or a past time."""
    wait_s = _seconds(headers.get("Retry-After", ""))
    return min(wait_s, _LONGEST_S) if wait_s > 0 else None  # false for NaN


class Refusals:
    """The refusals of one request, in a row."""

    def __init__(self) -> None:
        self._times = dict.fromkeys(Kind, 0)

    def wait_s(self, limit: Limit) -> float | None:
        """Return the seconds to wait after one more refusal; None when there were too many."""
        self._times[limit.kind] += 1
        times = self._times[limit.kind]
        if times > _MOST[limit.kind]:
            return None
        if limit.kind is Kind.PRIMARY and times > 1:  # used up right after its reset
            return max(limit.wait_s or 0.0, _MINUTE_S)
        if limit.wait_s is not None:
            return limit.wait_s
        if limit.kind is Kind.SECONDARY:
            return _MINUTE_S * 2.0 ** (times - 1)
        return min(_UNSAID_CAP_S, 2.0**times)

    def times(self, kind: Kind) -> int:
        """Return how often that limit was met."""
        return self._times[kind]


def _is_used_up(headers: Mapping[str, str]) -> bool:
    # A server of one's own whose limits are off says 0 of 0.
    return headers.get("X-RateLimit-Remaining") == "0" and headers.get("X-RateLimit-Limit") != "0"


def _until_reset_s(headers: Mapping[str, str]) -> float | None:
    """Return the seconds until the used up limit is reset and one more, by the server's clock; else None."""
    reset = headers.get("X-RateLimit-Reset", "")
    if not _is_used_up(headers) or not (reset.isascii() and reset.isdigit()) or len(reset) > 11:
        return None
    now = _instant(headers.get("Date", "")) or time.time()
    return min(max(float(reset) - now, 0.0) + 1.0, _LONGEST_S + 1.0)


def _seconds(text: str) -> float:
    """Return the seconds from now for either form of Retry-After; 0 for any other text."""
    try:
        return float(text)
    except ValueError:
        instant = _instant(text)
        return 0.0 if instant is None else instant - time.time()


def _instant(text: str) -> float | None:
    """Return the time of an HTTP date in seconds since 1970; None for any other text."""
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
