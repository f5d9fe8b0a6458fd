"""The script by which Terraform has the images built, run with the real gcloud over a small Google Cloud."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.image import cloud as clouds
from tests.deploy.image.cloud import GCLOUD, MISSING, Cloud
from tests.deploy.image.rig import PROJECT
from tests.deploy.terraform.conftest import checked, plan  # noqa: F401 fixtures
from tests.deploy.terraform.rules import resources

pytestmark = pytest.mark.skipif(GCLOUD is None, reason=MISSING)
SCRIPT = PROJECT / "terraform" / "modules" / "image" / "build.sh"
ACCOUNT = "projects/acme-millrace/serviceAccounts/build-images@acme-millrace.iam.gserviceaccount.com"
TAG = "0123456789abcdef"
REGISTRY = "europe-west3-docker.pkg.dev/acme-millrace/images"
READERS = ("roles/storage.objectViewer", "roles/storage.objectUser", "roles/storage.objectAdmin")


@dataclass(frozen=True, slots=True)
class Built:
    """The ended script, and the cloud that it left."""

    done: subprocess.CompletedProcess[str]
    cloud: Cloud


def settings(bucket: str) -> dict[str, str]:
    """Return the settings of the script, as Terraform has them."""
    return {
        "ACCOUNT": ACCOUNT,
        "BUCKET": bucket,
        "PROJECT": "acme-millrace",
        "PYTHON": "python:3.12-slim-bookworm",
        "REGION": "europe-west3",
        "REGISTRY": REGISTRY,
        "ROOT": str(PROJECT),
        "TAG": TAG,
        # as it is today
        "DOCKERFILE": "jobs/dbt-runner/Dockerfile",
        "IMAGE": f"{REGISTRY}/dbt-runner:{TAG}",
        "SOURCE": f"gs://{bucket}/dbt-runner-image-{TAG}.zip",
    }


def built(cloud: Cloud, folder: Path, bucket: str) -> Built:
    """Run the script over a cloud."""
    with clouds.serving(cloud) as address:
        return Built(clouds.run(SCRIPT, address, folder, settings(bucket)), cloud)


@pytest.fixture(scope="module")
def readable(plan: dict[str, Any]) -> set[str]:  # noqa: F811
    """The buckets that the plan lets the build account read."""
    rights = resources(plan, "google_storage_bucket_iam_member")
    return {right["bucket"] for address, right in rights if ".build" in address and right["role"] in READERS}


@pytest.fixture(scope="module")
def first(readable: set[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The first build of a deployment: none of the images exists."""
    (bucket,) = readable
    yield built(Cloud({bucket}), tmp_path_factory.mktemp("first"), bucket)


def test_the_build_account_can_read_the_bucket_of_the_source(first: Built, readable: set[str]) -> None:
    assert first.done.returncode == 0, first.done.stderr
    (build,) = first.cloud.builds
    assert build["source"]["storageSource"]["bucket"] in readable


def test_no_bucket_is_made(first: Built, readable: set[str]) -> None:
    assert first.cloud.buckets == readable
