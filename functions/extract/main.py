"""Start a run, and extract each table of the registry: `start_run`, and one `extract_<table>` per table."""

import functions_framework
from cloudevents.http import CloudEvent
from flask import Request

from millrace import config, log, runs, wiring
from millrace.bus import answers, events, guard
from millrace.extract import task
from millrace.tables import EXTRACTED

log.start(config.project())
CONFIG = config.ExtractConfig.from_env()
guard.guard(CONFIG.caller, plain=("start_run",), anybody_may=CONFIG.bus == "inprocess:")


@functions_framework.http
def start_run(request: Request) -> dict[str, str]:
    """Answer the scheduler: write the run's plan and request its tasks."""
    with answers.answering("start_run"):
        run_request = runs.RunRequest.parse(request.headers.get("X-CloudScheduler-ScheduleTime"), request.get_data())
        return {"run_id": runs.start(wiring.lake_at(CONFIG.lake), wiring.bus_at(CONFIG.bus), run_request).run_id}


for _name in EXTRACTED:

    def _extract(event: CloudEvent, name: str = _name) -> None:
        task.answer(wiring.extractor_of(CONFIG), EXTRACTED[name], events.TaskEvent.parse(event))

    globals()[f"extract_{_name}"] = functions_framework.cloud_event(answers.answering(f"extract_{_name}")(_extract))
