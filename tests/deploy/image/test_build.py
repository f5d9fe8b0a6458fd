"""The script by which Terraform has the images built, run with the real gcloud over a small Google Cloud."""

import io
import json
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.image import cloud as clouds
from tests.deploy.image.cloud import GCLOUD, MISSING, Cloud
from tests.deploy.image.rig import DOCKERFILE, PROJECT, SCRIPT
from tests.deploy.terraform.rules import resources

pytestmark = pytest.mark.skipif(GCLOUD is None, reason=MISSING)
ACCOUNT = "projects/acme-millrace/serviceAccounts/build-images@acme-millrace.iam.gserviceaccount.com"
BUCKET = "acme-millrace-packages"
TAG = "0123456789abcdef"
PLACE = "projects/acme-millrace/locations/europe-west3"
REGISTRY = "europe-west3-docker.pkg.dev/acme-millrace/images"
IMAGES = {f"functions:{TAG}", f"dbt-runner:{TAG}"}
READERS = ("roles/storage.objectViewer", "roles/storage.objectUser", "roles/storage.objectAdmin")
# What a checkout may hold beside the files of the images, and must stay where it is.
PRIVATE = (
    ".env",
    ".git/config",
    ".venv/bin/python",
    "data/millrace.duckdb",
    "functions/extract/.env.yaml",
    "jobs/dbt-runner/dbt/.user.yml",
    "jobs/dbt-runner/dbt/logs/dbt.log",
    "jobs/dbt-runner/dbt/target/manifest.json",
    "jobs/dbt-runner/key.json",
    "key.json",
    "requirements/private.txt",
    "src/millrace/.env",
    "src/millrace/__pycache__/log.cpython-312.pyc",
    "src/other/key.py",
    "terraform/terraform.tfstate",
)


@dataclass(frozen=True, slots=True)
class Built:
    """The ended script, and the cloud that it left."""

    done: subprocess.CompletedProcess[str]
    cloud: Cloud


def built(cloud: Cloud, folder: Path, bucket: str = BUCKET, root: Path = PROJECT) -> Built:
    """Run the script over a cloud, with the settings that Terraform has."""
    settings = {
        "ACCOUNT": ACCOUNT,
        "BUCKET": bucket,
        "DATABASE": "MILLRACE_DEV",
        "PROJECT": "acme-millrace",
        "PYTHON": "python:3.12-slim-bookworm",
        "REGION": "europe-west3",
        "REGISTRY": REGISTRY,
        "ROOT": str(root),
        "TAG": TAG,
    }
    with clouds.serving(cloud) as address:
        return Built(clouds.run(SCRIPT, address, folder, settings), cloud)


@pytest.fixture(scope="module")
def readable(planned: dict[str, Any]) -> set[str]:
    """The buckets that the plan lets the build account read."""
    rights = resources(planned, "google_storage_bucket_iam_member")
    return {right["bucket"] for address, right in rights if ".build" in address and right["role"] in READERS}


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("this is no checkout of git")
    return [name for name in listed.stdout.split("\0") if name and (PROJECT / name).exists()]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout in which somebody has worked."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in tracked():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, folder / name)
    for name in PRIVATE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("private")
    return folder


@pytest.fixture(scope="module")
def first(readable: set[str], checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The first build of a deployment: none of the images exists."""
    (bucket,) = readable
    return built(Cloud({bucket}), tmp_path_factory.mktemp("first"), bucket, checkout)


def test_the_build_account_can_read_the_bucket_of_the_source(first: Built, readable: set[str]) -> None:
    assert first.done.returncode == 0, first.done.stderr
    (build,) = first.cloud.builds
    assert build["source"]["storageSource"]["bucket"] in readable
    assert build["serviceAccount"] == ACCOUNT


def test_no_bucket_is_made(first: Built, readable: set[str]) -> None:
    assert first.cloud.buckets == readable


def test_nothing_else_is_asked(first: Built, readable: set[str]) -> None:
    (bucket,) = readable
    assert set(first.cloud.asked) == {
        f"GET /v1/{PLACE}/repositories/images",
        f"GET /v1/{PLACE}/repositories/images/packages/functions/tags/{TAG}",
        f"GET /storage/v1/b/{bucket}",
        f"POST /upload/storage/v1/b/{bucket}/o",
        f"POST /v1/{PLACE}/builds",
        f"GET /v1/{PLACE}/builds/1",
    }


def test_both_images_are_pushed_to_the_repository_by_their_tag(first: Built) -> None:
    (build,) = first.cloud.builds
    assert set(build["images"]) == {f"{REGISTRY}/{image}" for image in IMAGES}


def test_the_upload_is_what_the_dockerfile_copies_and_nothing_else(first: Built) -> None:
    ((_, archive),) = first.cloud.uploads.items()
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        uploaded = {member.name.removeprefix("./") for member in files if member.isfile()}
    lines = (PROJECT / DOCKERFILE).read_text().splitlines()
    copied = [line.split()[1].rstrip("/") for line in lines if line.startswith("COPY") and "--from" not in line]
    needed = {name for name in tracked() if any(f"{name}/".startswith(f"{source}/") for source in copied)}
    assert uploaded == {DOCKERFILE, f"{DOCKERFILE}.dockerignore", *needed}


def test_the_build_is_one_that_cloud_build_knows(first: Built) -> None:
    documents = pytest.importorskip("googleapiclient.discovery_cache.documents", reason="no discovery documents")
    schemas = json.loads((Path(documents.__path__[0]) / "cloudbuild.v1.json").read_text())["schemas"]
    (build,) = first.cloud.builds
    assert list(unknown(build, schemas["Build"], schemas)) == []


def unknown(value: Any, schema: dict[str, Any], schemas: dict[str, Any], at: str = "build") -> Any:
    """Yield the fields of a value that its schema of a discovery document does not have, or has with another type."""
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    match schema["type"], value:
        case "object", dict():
            for name, inner in value.items():
                known = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
                yield from unknown(inner, known, schemas, f"{at}.{name}") if known else [f"{at}.{name}"]
        case "array", list():
            for number, inner in enumerate(value):
                yield from unknown(inner, schema["items"], schemas, f"{at}[{number}]")
        case "string", str():
            if value not in schema.get("enum", [value]):
                yield f"{at}: {value}"
        case "boolean", bool():
            pass
        case "integer", int():
            pass
        case kind, _:
            yield f"{at} is no {kind}"


def test_every_step_is_a_script_that_a_shell_can_read(first: Built) -> None:
    (build,) = first.cloud.builds
    read = [subprocess.run(["sh", "-n"], input=step["script"], text=True).returncode for step in build["steps"]]
    assert read == [0, 0]


def test_images_that_are_there_are_not_built_again(tmp_path: Path) -> None:
    again = built(Cloud({BUCKET}, set(IMAGES)), tmp_path)
    assert (again.done.returncode, again.cloud.builds, again.cloud.uploads) == (0, [], {})


@pytest.mark.parametrize("there", sorted(IMAGES))
def test_one_image_of_the_two_is_not_enough(tmp_path: Path, there: str) -> None:
    assert len(built(Cloud({BUCKET}, {there}), tmp_path).cloud.builds) == 1


def test_a_build_that_fails_fails_the_apply(tmp_path: Path) -> None:
    failed = built(Cloud({BUCKET}, status="FAILURE"), tmp_path)
    assert failed.done.returncode != 0
    assert re.search("FAILURE", failed.done.stderr)
