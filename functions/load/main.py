"""Load each new object into the warehouse, and start the build when a run is final."""

import functions_framework
from cloudevents.http import CloudEvent

from millrace import adapters, doors, loading, log
from millrace.bus import events
from millrace.config import LoadConfig

CONFIG = LoadConfig.from_env()
log.start()
doors.guard(CONFIG.caller)


@functions_framework.cloud_event
def load(event: CloudEvent) -> None:
    """Answer one object-finalized event."""
    with events.answering("load"):
        loading.answer(adapters.loader_of(CONFIG), events.ObjectFinalized.parse(event))
