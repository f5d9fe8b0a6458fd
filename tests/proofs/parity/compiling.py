"""The SQL that dbt makes of the project for each engine, without a database."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.proofs.parity.engines import PROJECT

Compiled = Mapping[str, str]
"""By the path below the project: the models, their tests, and the given analyses."""


def compile_project(folder: Path, target: str, analyses: Mapping[str, str]) -> Compiled:
    """Compile the project for a target of its profile, and with it some analyses that use its macros."""
    project, artifacts = folder / "dbt", folder / target
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target"))
    (project / "analyses").mkdir()
    for name, sql in analyses.items():
        (project / "analyses" / f"{name}.sql").write_text(sql)
    command = [str(Path(sys.executable).with_name("dbt")), "--quiet", "compile", "--target", target]
    command += ["--no-populate-cache", "--no-introspect", "--project-dir", str(project), "--profiles-dir", str(project)]
    places = {"DBT_TARGET_PATH": str(artifacts), "DBT_LOG_PATH": str(artifacts)}
    done = subprocess.run(command, env=os.environ | places, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    made = artifacts / "compiled" / "millrace"
    return {path.relative_to(made).as_posix(): path.read_text() for path in made.rglob("*.sql") if path.is_file()}
