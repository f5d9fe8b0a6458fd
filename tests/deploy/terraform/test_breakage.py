"""Every deliberate mistake is noticed and named."""

import pytest
from tests.deploy.terraform.rig import Copy
from tests.deploy.terraform.rules import findings

pytestmark = pytest.mark.proof
QUICKLY = ("--no-fmt", "--no-test")
RETRY = """  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy"""
CALLER = 'role     = "roles/run.invoker"\n  member   = local._caller.member'


@pytest.fixture
def broken(copy: Copy) -> Copy:
    """A copy without the retry policy, and with a service that everyone may call."""
    copy.replace("modules/service/main.tf", RETRY, "  dead_letter_policy")
    copy.replace("modules/service/main.tf", CALLER, CALLER.replace("local._caller.member", '"allUsers"'))
    return copy


def test_a_misspelt_argument_is_no_valid_configuration(copy: Copy) -> None:
    copy.replace("modules/service/main.tf", "ack_deadline_seconds ", "ack_deadlin_seconds ")
    checked = copy.check(*QUICKLY)
    assert checked.returncode == 1
    assert 'An argument named "ack_deadlin_seconds" is not expected here' in checked.stdout


def test_a_missing_retry_policy_and_a_public_invoker_are_found_in_the_plan(broken: Copy) -> None:
    checked, plan = broken.plan(*QUICKLY)
    assert checked.returncode == 0, "Terraform itself has nothing against it"
    found = findings(plan)
    assert 'module.load.google_pubsub_subscription.this["objects"]: no retry policy' in found
    assert "module.load.google_cloud_run_v2_service_iam_member.caller[0]: the public may" in found


def test_plan_check_finds_public_grant_whole_bucket_and_password(copy: Copy) -> None:
    copy.replace("modules/snowflake/roles.tf", "= local._roles[each.value.role]", '= "PUBLIC"')
    copy.replace("modules/snowflake/stages.tf", "= [local.raw]", '= ["gcs://${var.bucket}/"]')
    user = 'resource "snowflake_service_user" "this" {'
    copy.replace("modules/snowflake/users.tf", user, f'{user}\n  password = "a-password"')
    copy.replace("modules/snowflake/users.tf", "snowflake_service_user", "snowflake_legacy_service_user")
    copy.replace("modules/snowflake/outputs.tf", "snowflake_service_user", "snowflake_legacy_service_user")
    checked, plan = copy.plan(*QUICKLY)
    assert checked.returncode == 0, "Terraform itself has nothing against it"
    found = findings(plan)
    assert (
        'module.snowflake.snowflake_grant_privileges_to_account_role.future_tables["READER/PUBLISHED"]: everybody may'
        in found
    )
    assert "module.snowflake.snowflake_storage_integration.lake: reads more than raw/" in found
    user = 'module.snowflake.snowflake_legacy_service_user.this["LOADER"]'
    assert f"{user}: is not TYPE=SERVICE, and may have a password" in found


def test_the_tests_of_the_modules_find_both_as_well(broken: Copy) -> None:
    for path in (broken.folder / "terraform" / "tests").glob("*.tftest.hcl"):
        if path.name != "service.tftest.hcl":
            path.unlink()
    checked = broken.check("--no-fmt", "--no-plan")
    assert checked.returncode == 1
    assert "only the service's own caller may call it" in checked.stdout
    assert "a subscription without a retry policy asks again at once" in checked.stdout
