"""A destroy keeps the data unless confirmed twice: the script, with a terraform that only records its calls."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.deploy.terraform.rig import PROJECT

DATA = (
    'module.lake.google_storage_bucket.this["lake"]',
    "module.source_key[0].google_secret_manager_secret.this",
    'module.topic["object-events"].google_pubsub_topic.this',  # the lake's notifications depend on it
    'module.project.google_project_service.this["storage.googleapis.com"]',
    "module.project.google_kms_crypto_key_iam_member.storage[0]",
    "module.project.time_sleep.ready",  # everything depends on it, the data too
    "module.snowflake.snowflake_database.this",
    'module.snowflake.snowflake_schema.this["RAW"]',
    'module.snowflake.snowflake_account_role.this["LOADER"]',  # without it, its tables would change their owner
    'module.snowflake.snowflake_execute.meta["LOADS"]',
    "module.snowflake.snowflake_execute.keeps_data",  # of an older version
    "module.snowflake.terraform_data.keeps_data",
    "module.source_key[0].terraform_data.stored",
    "module.source_key.google_secret_manager_secret.this",  # of an older version
    'module.source_secret["acme"].google_secret_manager_secret.this',
    "module.project.data.google_storage_project_service_account.this",
    'module.images[0].data.google_artifact_registry_docker_image.this["job"]',
)
REST = (
    "module.load.google_cloud_run_v2_service.this",
    'module.project.google_project_iam_audit_config.this["storage.googleapis.com"]',
    'module.extract["commits"].google_service_account.this',
    'module.source_extract["acme/github_repos"].google_service_account.this',
    'module.topic["object-events"].google_pubsub_topic.dead',
    "module.images[0].google_storage_bucket.this",
    "module.snowflake.snowflake_warehouse.this",
    'module.snowflake.snowflake_execute.identity["LOADER"]',
)
TERRAFORM = """#!/bin/sh
case "$1" in
  state) cat "$(dirname "$0")/state" ;;
  output) cat "$(dirname "$0")/keeps_data" ;;
  destroy) printf '%s\\n' "$@" >"$(dirname "$0")/destroyed" ;;
esac
"""


class Deployment:
    """A deployment that is about to be destroyed."""

    def __init__(self, folder: Path, keeps_data: bool) -> None:
        self.folder = folder
        shutil.copy(PROJECT / "terraform" / "destroy.sh", folder)
        (folder / "terraform").write_text(TERRAFORM)
        (folder / "terraform").chmod(0o755)
        (folder / "state").write_text("\n".join([*DATA, *REST]) + "\n")
        (folder / "keeps_data").write_text(str(keeps_data).lower())

    def destroy(self, data: str) -> int:
        environment = {**os.environ, "PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"}
        script = ["sh", str(self.folder / "destroy.sh"), "dev", data]
        return subprocess.run(script, env=environment, capture_output=True).returncode

    @property
    def arguments(self) -> list[str]:
        path = self.folder / "destroyed"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def protected(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path, keeps_data=True)


def test_a_destroy_is_of_everything_but_the_data(protected: Deployment) -> None:
    assert protected.destroy("keep") == 0
    assert protected.arguments == ["destroy", "-var-file=envs/dev.tfvars", *(f"-target={each}" for each in REST)]


def test_a_second_destroy_finds_nothing_and_destroys_nothing(protected: Deployment) -> None:
    (protected.folder / "state").write_text("\n".join(DATA) + "\n")
    assert protected.destroy("keep") == 0
    assert protected.arguments == []


def test_delete_is_refused_while_data_is_protected(protected: Deployment) -> None:
    assert protected.destroy("delete") == 2
    assert protected.arguments == []


def test_delete_destroys_everything_once_data_is_unprotected(tmp_path: Path) -> None:
    told = Deployment(tmp_path, keeps_data=False)
    assert told.destroy("delete") == 0
    assert told.arguments == ["destroy", "-var-file=envs/dev.tfvars", "-var=delete_data=true"]
