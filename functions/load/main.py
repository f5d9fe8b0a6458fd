"""Load each new object into the warehouse, start the build when a run is final, and recover lost events: `sweep`."""

from datetime import UTC, datetime

import functions_framework
from cloudevents.http import CloudEvent
from flask import Request

from millrace import config, log, wiring
from millrace.bus import answers, events, guard
from millrace.load import handler, heartbeat, recovery

log.start(config.project())
CONFIG = config.LoadConfig.from_env()
guard.guard(CONFIG.caller, plain=("sweep",), anybody_may=CONFIG.bus == "inprocess:")


@functions_framework.cloud_event
def load(event: CloudEvent) -> None:
    """Answer one object-finalized event."""
    with answers.answering("load"):
        handler.answer(wiring.loader_of(CONFIG), events.ObjectFinalized.parse(event))


@functions_framework.http
def sweep(_: Request) -> dict[str, int]:
    """Answer the scheduler: recover lost tasks and objects; return their numbers, and that of failed runs."""
    with answers.answering("sweep"):
        heartbeat.beat(wiring.lake_at(CONFIG.lake), datetime.now(UTC), CONFIG.silent_h, CONFIG.since)
        return recovery.mend(wiring.loader_of(CONFIG), wiring.bus_at(CONFIG.bus))
