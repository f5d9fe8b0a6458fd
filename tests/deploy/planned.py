"""The services in the form of a plan's JSON, as the contract between Terraform and the images has them."""

from typing import Any

from millrace.tables import EXTRACTED

_LAKE = {"MILLRACE_LAKE": "gs://acme-millrace-lake"}
_BUS = {"MILLRACE_BUS": "pubsub:///projects/acme-millrace"}
_QUARANTINE = {"MILLRACE_QUARANTINE": "gs://acme-millrace-quarantine"}
_SOURCE = {"MILLRACE_SOURCE_URL": "https://source.example", "MILLRACE_REQUESTS_PER_MINUTE": "100"}
_LOADING = (
    _LAKE
    | _BUS
    | _QUARANTINE
    | {
        "MILLRACE_JOB": "run:///projects/acme-millrace/locations/europe-west3/jobs/dbt-runner",
        "MILLRACE_MEMORY": "800MB",
    }
)


def _warehouse(user: str) -> dict[str, str]:
    url = f"snowflake://acme-millrace/MILLRACE?user={user}&role={user}&warehouse=MILLRACE"
    return {"MILLRACE_WAREHOUSE": url}


def _service(
    name: str, container: dict[str, Any], settings: dict[str, str], secrets: tuple[str, ...] = (), pushed: bool = True
) -> dict[str, Any]:
    door = {"MILLRACE_PUSH_AUDIENCE": f"https://{name}.acme-millrace.internal"} if pushed else {}
    env: list[dict[str, Any]] = [
        {"name": key, "value": value, "value_source": []}
        for key, value in (settings | door | {"MILLRACE_PROJECT": "acme-millrace"}).items()
    ]
    if pushed:
        env.append({"name": "MILLRACE_PUSH_ACCOUNT", "value_source": []})  # known after the apply
    for key in secrets:
        reference = {"secret_key_ref": [{"secret": key.lower(), "version": "1"}]}
        env.append({"name": key, "value": None, "value_source": [reference]})
    after = {"name": name, "template": [{"containers": [container | {"env": env}]}]}
    kind = "google_cloud_run_v2_service"
    return {"address": f"module.{name}.{kind}.this", "mode": "managed", "type": kind, "change": {"after": after}}


def _function(folder: str, target: str, signature: str) -> dict[str, Any]:
    source = f"--source=/app/functions/{folder}/main.py"
    return {"args": [source, f"--target={target}", f"--signature-type={signature}"], "command": None}


PLAN: dict[str, Any] = {
    "resource_changes": [
        _service(
            "start-run",
            _function("extract", "start_run", "http"),
            _LAKE | _BUS | _SOURCE | {"MILLRACE_SOURCE_KEY": "not-needed-to-start-a-run"},
        ),
        *(
            _service(
                f"extract-{table.replace('_', '-')}",
                _function("extract", f"extract_{table}", "cloudevent"),
                _LAKE | _BUS | _SOURCE | {"MILLRACE_DELIVERY_S": "540"},
                ("MILLRACE_SOURCE_KEY",),
            )
            for table in EXTRACTED
        ),
        _service("load", _function("load", "load", "cloudevent"), _LOADING | _warehouse("MILLRACE_LOADER")),
        _service("sweep", _function("load", "sweep", "http"), _LOADING | _warehouse("MILLRACE_SWEEPER")),
        _service(
            "api",
            {"args": None, "command": ["python", "/app/functions/api/main.py"]},
            _LAKE | _QUARANTINE | _warehouse("MILLRACE_API") | {"MILLRACE_MEMORY": "800MB"},
            pushed=False,
        ),
    ]
}
