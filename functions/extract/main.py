"""Start a run, and extract each endpoint of the registry: `start_run`, and one `extract_<endpoint>` for each."""

from collections.abc import Callable

import functions_framework
from cloudevents.http import CloudEvent
from flask import Request

from millrace import config, log, runs, wiring
from millrace.bus import answers, events, guard
from millrace.extract import task
from millrace.tables import ENDPOINTS, Endpoint

log.start(config.project())
CONFIG = config.ExtractConfig.from_env()
guard.guard(CONFIG.caller, plain=("start_run",), anybody_may=CONFIG.bus == "inprocess:")


@functions_framework.http
def start_run(request: Request) -> dict[str, str]:
    """Answer the scheduler: write the run's plan and request its tasks."""
    with answers.answering("start_run"):
        run_request = runs.RunRequest.parse(request.headers.get("X-CloudScheduler-ScheduleTime"), request.get_data())
        lake, bus = wiring.lake_at(CONFIG.lake), wiring.bus_at(CONFIG.bus)
        return {"run_id": runs.start(lake, bus, run_request, wiring.origin_of(CONFIG)).run_id}


def _extracting(endpoint: Endpoint) -> Callable[[CloudEvent], None]:
    @answers.answering(f"extract_{endpoint.name}")
    def extract(event: CloudEvent) -> None:
        task.answer(wiring.extractor_of(CONFIG), endpoint, events.TaskEvent.parse(event))

    extract.__name__ = f"extract_{endpoint.name}"  # functions-framework looks up how to serve a function by this name
    return functions_framework.cloud_event(extract)


globals().update({f"extract_{name}": _extracting(endpoint) for name, endpoint in ENDPOINTS.items()})
