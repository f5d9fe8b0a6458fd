"""The heartbeat of a deployment: how old the newest complete run is, said by every sweep.

An alert on missing runs needs data from the beginning: a run that never was complete leaves no line that could stop.
"""

from datetime import datetime

from millrace import log, runs
from millrace.lake import Lake, names
from millrace.lake.documents import Damaged
from millrace.load import sweep


def beat(lake: Lake, now: datetime, silent_h: float, since: datetime | None) -> bool:
    """Log the age of the newest complete run in hours, or of the deployment (`since`); return whether it is too old.

    It is if it exceeds `silent_h`, or if there is neither a complete run nor a `since`.
    """
    newest = next((run_id for run_id in sweep.newest_first(lake, now) if _is_complete(lake, run_id)), None)
    start = names.started_at(newest) if newest else since
    hours = None if start is None else round((now - start).total_seconds() / 3600, 1)
    is_late = hours is None or hours > silent_h
    say = log.warning if is_late else log.info
    say("heartbeat", newest_complete=newest, hours=hours, is_late=is_late)
    return is_late


def _is_complete(lake: Lake, run_id: str) -> bool:
    try:
        final = runs.read_final(lake, run_id)
    except Damaged:
        return False
    return final is not None and final.status == "complete"
