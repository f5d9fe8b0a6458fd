"""The order of the first apply, read from the plan's graph: what is used has been ready for a while."""

import re

from tests.deploy.terraform.conftest import Checked
from tests.deploy.terraform.rig import PROJECT

READY = "module.project.time_sleep.ready"
# These make the project ready, and these exist in Terraform only, or belong to Snowflake.
BEFORE = ("module.project.", "terraform_data.", "time_static.", "snowflake_")


def test_everything_of_google_waits_until_the_project_is_ready(checked: Checked) -> None:
    names = {re.sub(r"\[[^]]*\]", "", each["address"]) for each in checked.plan["resource_changes"]}
    google = [name for name in names if not name.startswith(BEFORE) and ".google_" in f".{name}"]
    assert len(google) > 60
    assert [name for name in google if READY not in checked.waits_for.get(name, set())] == []


def test_the_project_is_ready_after_services_agents_and_keys(checked: Checked) -> None:
    assert checked.waits_for[READY] >= {
        "module.project.google_kms_crypto_key_iam_member.agent",
        "module.project.google_kms_crypto_key_iam_member.storage",
        "module.project.google_project_service.this",
        "module.project.google_project_service_identity.this",
        "module.project.data.google_storage_project_service_account.this",
    }


def test_the_storage_agent_is_read_once_its_service_is_on(checked: Checked) -> None:
    agent = "module.project.data.google_storage_project_service_account.this"
    assert "module.project.google_project_service.this" in checked.waits_for[agent]


def test_a_build_waits_for_the_rights_of_its_account(checked: Checked) -> None:
    granted = "module.images.time_sleep.granted"
    assert checked.waits_for[granted] >= {
        "module.images.google_storage_bucket_iam_member.build_reads",
        "module.images.google_artifact_registry_repository_iam_member.build_writes",
        "module.images.google_project_iam_member.build_logs",
    }
    assert granted in checked.waits_for["module.images.terraform_data.built"]


def test_services_and_job_wait_for_the_digest_of_the_built_image(checked: Checked) -> None:
    runs = [name for name in checked.waits_for if name.endswith(("_v2_service.this", "_v2_job.this"))]
    assert len(runs) == 8
    read = "module.images.data.google_artifact_registry_docker_image.this"
    assert [name for name in runs if read not in checked.waits_for[name]] == []
    assert "module.images.terraform_data.built" in checked.waits_for[read]


def test_rights_addresses_and_functions_wait_for_the_columns_that_were_added(checked: Checked) -> None:
    added = "module.snowflake.snowflake_execute.columns"
    assert "module.snowflake.snowflake_execute.meta" in checked.waits_for[added]
    assert added in checked.waits_for["module.snowflake.snowflake_grant_privileges_to_account_role.meta"]
    for service in ("api", "load", "sweep"):
        assert added in checked.waits_for[f"module.{service}.google_cloud_run_v2_service.this"]
    assert added in checked.waits_for["module.dbt_runner.google_cloud_run_v2_job.this"]


def test_nothing_but_one_local_and_one_output_refers_to_snowflake() -> None:
    hcl = {path.name: path.read_text() for path in sorted((PROJECT / "terraform").glob("*.tf"))}
    assert [name for name, text in hcl.items() if "module.snowflake" in text] == ["outputs.tf", "snowflake.tf"]
    assert [text.count("module.snowflake") for text in (hcl["outputs.tf"], hcl["snowflake.tf"])] == [1, 1]
