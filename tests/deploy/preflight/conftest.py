"""Surroundings of a preflight, in which everything is there until a test takes it away."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deploy.preflight import projects
from tests.deploy.preflight.surroundings import Surroundings, source, surroundings


@pytest.fixture(scope="session")
def source_at() -> Iterator[str]:
    with source() as url:
        yield url


@pytest.fixture
def there(tmp_path: Path, snowflake_at: str, source_at: str) -> Iterator[Surroundings]:
    """Everything is there but a signed-in gcloud; in the end, every request and answer was one of Google's."""
    with surroundings(projects.everything_there, tmp_path, snowflake_at, source_at) as made:
        yield made
        assert made.google.problems == []


@pytest.fixture
def gcloud(there: Surroundings) -> Surroundings:
    """The same with the real gcloud, signed in as the service account."""
    if shutil.which("gcloud") is None:
        pytest.skip("gcloud is not installed")
    there.variables["PATH"] = os.environ["PATH"]
    key = there.variables["GOOGLE_APPLICATION_CREDENTIALS"]
    subprocess.run(
        ["gcloud", "auth", "activate-service-account", "--quiet", "--key-file", key],
        env=os.environ | there.variables,
        check=True,
        capture_output=True,
        timeout=600,
    )
    return there
