"""A job that loses its lease while the real dbt builds: dbt stops, and the job goes on like one that was taken over."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
from tests.build.test_job import PROFILES, PROJECT

from millrace.build.lease import Lease, acquire
from millrace.lake.local import LocalLake

MODELS = 12
# One after the other, and each takes a second or two.
SLOW = "select count(*) as n from range(150000000) as numbers(n) where n % 7 = 3"
JOB = """
import dataclasses, sys
from millrace import config, log, wiring
from millrace.build import job
log.start(config.project())
builder = wiring.builder_of(config.BuildConfig.from_env())
try:
    print(job.run(dataclasses.replace(builder, ttl_s=0.6), force=True).state)
except KeyboardInterrupt:
    print("stopped by the user")
"""


def project_of_slow_models(folder: Path) -> Path:
    """Write a project whose models are built one after the other."""
    (folder / "models").mkdir(parents=True)
    for number in range(MODELS):
        before = f"-- {{{{ ref('m{number - 1}') }}}}\n" if number else ""
        (folder / "models" / f"m{number}.sql").write_text(f"{before}{SLOW}")
    (folder / "profiles.yml").write_text(PROFILES.read_text())
    project = {"name": "slow", "version": "1.0.0", "config-version": 2, "profile": "millrace"}
    settings = {"models": {"+materialized": "table"}, "flags": {"send_anonymous_usage_stats": False}}
    (folder / "dbt_project.yml").write_text(json.dumps(project | settings))
    return folder


def start(tmp_path: Path) -> "subprocess.Popen[str]":
    """Start a build job, and return it once dbt builds the first model."""
    settings = {
        "MILLRACE_LAKE": (tmp_path / "lake").as_uri(),
        "MILLRACE_WAREHOUSE": f"duckdb://{tmp_path}/millrace.duckdb",
        "MILLRACE_DBT_DIR": str(project_of_slow_models(tmp_path / "dbt")),
        "MILLRACE_DBT_TARGET_DIR": str(tmp_path / "target"),
        "PYTHONPATH": str(PROJECT / "src"),
    }
    command = [sys.executable, "-c", JOB]
    child = subprocess.Popen(
        command, env=os.environ | settings, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    log = tmp_path / "target" / "dbt.log"
    while child.poll() is None and not (log.exists() and "1 of 12 START" in log.read_text()):
        time.sleep(0.02)
    return child


def take_over(tmp_path: Path) -> Lease:
    """Take the lease from its living holder, as a job does whose clock is ahead."""
    lake = LocalLake(tmp_path / "lake", "lake")
    taken = acquire(lake, "another", lambda: datetime.now(UTC) + timedelta(hours=1), time.sleep, 60)
    assert taken is not None
    return taken


def test_dbt_stops_when_another_job_takes_the_lease(tmp_path: Path) -> None:
    child = start(tmp_path)
    taken = take_over(tmp_path)
    while child.poll() is None:
        taken.renew()
        time.sleep(0.1)
    said, log = child.communicate()
    assert said.splitlines()[-1:] == ["busy"], log
    messages = [json.loads(line)["message"] for line in log.splitlines() if line.startswith("{")]
    assert messages.count("build was taken over") == 1, log
    with duckdb.connect(tmp_path / "millrace.duckdb", read_only=True) as connection:
        built = [name for (name,) in connection.execute("from duckdb_tables() select table_name").fetchall()]
        results = connection.execute("SELECT result FROM meta.builds").fetchall()
    assert f"m{MODELS - 1}" not in built
    assert results == [("running",)]


def test_ctrl_c_of_the_user_ends_the_job(tmp_path: Path) -> None:
    child = start(tmp_path)
    child.send_signal(signal.SIGINT)
    said, log = child.communicate()
    assert said.splitlines()[-1:] == ["stopped by the user"], log
