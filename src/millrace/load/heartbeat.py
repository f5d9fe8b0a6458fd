"""The heartbeat of a deployment: how old the newest complete run is, said by every sweep.

An alert on missing runs needs data from the beginning: a run that never was complete leaves no line that could stop.
"""

from datetime import datetime

from millrace import log
from millrace.lake import Lake, names
from millrace.load import sweep


def beat(lake: Lake, now: datetime, silent_h: float, since: datetime | None) -> bool:
    """Log the age of the newest complete run in hours, or of the deployment (`since`); return whether it is too old.

    It is if it exceeds `silent_h`, or if there is neither a complete run nor a `since`.
    """
    newest = sweep.newest_complete(lake, now)
    start = names.started_at(newest) if newest else since
    hours = None if start is None else round((now - start).total_seconds() / 3600, 1)
    is_late = hours is None or hours > silent_h
    say = log.warning if is_late else log.info
    say("heartbeat", newest_complete=newest, hours=hours, is_late=is_late)
    return is_late
