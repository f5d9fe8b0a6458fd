"""The heartbeat of a deployment: how old the newest complete run of each account is, said by every sweep.

An alert on missing runs needs data from the beginning: a run that never was complete leaves no line that could stop.
"""

from datetime import datetime, timedelta

from millrace import log, runs
from millrace.lake import Lake, names
from millrace.load import sweep

_STILL_READ = timedelta(days=8)  # an account without a run for longer is not a source of the deployment any more


def beat(lake: Lake, now: datetime, silent_h: float, since: datetime | None) -> bool:
    """Log how old the newest complete run of each account is, in hours, or the deployment (`since`).

    Return whether one is too old: it exceeds `silent_h`, or there is neither a complete run nor a `since`.
    """
    late = [_beat(account, run_id, now, silent_h, since) for account, run_id in _newest(lake, now).items()]
    return any(late)


def _newest(lake: Lake, now: datetime) -> dict[str, str | None]:
    """Return the newest complete run of each account (None: there is none); of accounts that are still read."""
    found: dict[str, str | None] = {}
    read_since = runs.run_id_of(now - _STILL_READ)
    for run_id in sweep.newest_first(lake, now):
        account = names.account_of(run_id)
        if run_id < read_since and None not in found.values():
            break
        if run_id >= read_since:
            found.setdefault(account, None)
        if account in found and found[account] is None and sweep.is_complete(lake, run_id):
            found[account] = run_id
    return found or {"": sweep.newest_complete(lake, now)}


def _beat(account: str, newest: str | None, now: datetime, silent_h: float, since: datetime | None) -> bool:
    start = names.started_at(newest) if newest else since
    hours = None if start is None else round((now - start).total_seconds() / 3600, 1)
    is_late = hours is None or hours > silent_h
    say = log.warning if is_late else log.info
    say("heartbeat", **({"account": account} if account else {}), newest_complete=newest, hours=hours, is_late=is_late)
    return is_late
