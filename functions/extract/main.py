"""Start a run, and extract each table of the registry: `start_run`, and one `extract_<table>` a table."""

from collections.abc import Callable

import functions_framework
from cloudevents.http import CloudEvent
from flask import Request

from millrace import adapters, doors, extracting, log, runs
from millrace.bus import events
from millrace.config import ExtractConfig
from millrace.tables import TABLES, Table

CONFIG = ExtractConfig.from_env()
log.start()
doors.guard(CONFIG.caller, plain=("start_run",))


@functions_framework.http
def start_run(request: Request) -> dict[str, str]:
    """Answer the scheduler: write the run's plan and request its tasks."""
    with events.answering("start_run"):
        order = runs.Order.parse(request.headers.get("X-CloudScheduler-ScheduleTime"), request.get_data())
        return {"run_id": runs.start(adapters.lake_at(CONFIG.lake), adapters.bus_at(CONFIG.bus), order).run_id}


def _entry_point(table: Table) -> Callable[[CloudEvent], None]:
    def extract(event: CloudEvent) -> None:
        with events.answering(f"extract_{table.name}"):
            extracting.answer(adapters.extractor_of(CONFIG), table, events.TaskEvent.parse(event))

    extract.__name__ = f"extract_{table.name}"
    return functions_framework.cloud_event(extract)


globals().update({f"extract_{name}": _entry_point(table) for name, table in TABLES.items()})
