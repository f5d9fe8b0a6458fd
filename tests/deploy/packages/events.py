"""The settings and the events of one small run, as the platform would send them."""

import base64
import json
from pathlib import Path
from typing import Any

from emulators import snowflake
from millrace.lake.local import LocalLake

RUN = "20261120T060000Z"
SCHEDULED = {"X-CloudScheduler-ScheduleTime": "2026-11-20T06:00:00Z"}
EXTRACT_REPOS = {"run_id": RUN, "table": "repos", "task_id": "repos"}
PUSH = {
    "ce-id": "1",
    "ce-source": "//pubsub.googleapis.com/projects/p/topics/t",
    "ce-specversion": "1.0",
    "ce-type": "google.cloud.pubsub.topic.v1.messagePublished",
}


def settings(folder: Path, source_url: str, key: str, snowflake_at: str | None = None) -> dict[str, str]:
    """Return all settings, with everything under one folder; the warehouse too, except with `snowflake_at`."""
    warehouse = {"MILLRACE_WAREHOUSE": f"duckdb://{folder}/millrace.duckdb"}
    if snowflake_at is not None:
        url = f"snowflake://acme/PACKAGES?user=MILLRACE_LOADER&role=MILLRACE_LOADER&warehouse=MILLRACE&{snowflake_at}"
        warehouse = {"MILLRACE_WAREHOUSE": url, "MILLRACE_SNOWFLAKE_KEY": snowflake.private_key()}
    return {
        "MILLRACE_LAKE": (folder / "lake").as_uri(),
        "MILLRACE_QUARANTINE": (folder / "quarantine").as_uri(),
        "MILLRACE_BUS": "inprocess:",
        "MILLRACE_JOB": "inprocess:",
        "MILLRACE_SOURCE_URL": source_url,
        "MILLRACE_SOURCE_KEY": key,
        "MILLRACE_DBT_DIR": "dbt",
        "MILLRACE_DBT_TARGET_DIR": str(folder / "target"),
        **warehouse,
    }


def push(data: dict[str, Any] | None = None, **attributes: str) -> bytes:
    """Return the body of a Pub/Sub push."""
    message: dict[str, Any] = {"messageId": "1", "attributes": attributes}
    if data is not None:
        message["data"] = base64.b64encode(json.dumps(data).encode()).decode()
    return json.dumps({"message": message, "subscription": "projects/p/subscriptions/s"}).encode()


def finalized(lake: Path, prefix: str) -> bytes:
    """Return the push about the one object of a lake under a prefix."""
    (stored,) = LocalLake(lake, lake.name).list(prefix)
    version = stored.version
    return push(
        eventType="OBJECT_FINALIZE",
        bucketId=version.bucket,
        objectId=version.name,
        objectGeneration=str(version.generation),
    )
