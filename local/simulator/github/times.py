"""Instants of GitHub: whole seconds with `Z`."""

import calendar
import time

_FORMAT = "%Y-%m-%dT%H:%M:%SZ"


def instant(epoch_s: float) -> str:
    """Return an instant as GitHub writes it."""
    return time.strftime(_FORMAT, time.gmtime(epoch_s))


def seconds(text: str) -> int:
    """Return the seconds since 1970 of an instant; ValueError for another form."""
    return calendar.timegm(time.strptime(text, _FORMAT))
