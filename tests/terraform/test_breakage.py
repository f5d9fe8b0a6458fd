"""What is broken on purpose is noticed, and named."""

from tests.terraform.rig import Copy
from tests.terraform.rules import findings

QUICKLY = ("--no-fmt", "--no-test")
RETRY = """  retry_policy {
    minimum_backoff = "10s"
    maximum_backoff = "600s"
  }

  dead_letter_policy"""
CALLER = 'role     = "roles/run.invoker"\n  member   = google_service_account.caller.member'


def test_a_misspelt_argument_is_no_valid_configuration(copy: Copy) -> None:
    copy.replace("modules/function/main.tf", "ack_deadline_seconds ", "ack_deadlin_seconds ")
    checked = copy.check(*QUICKLY)
    assert checked.returncode == 1
    assert 'An argument named "ack_deadlin_seconds" is not expected here' in checked.stdout


def test_a_subscription_without_a_retry_policy_is_found(copy: Copy) -> None:
    copy.replace("modules/function/main.tf", RETRY, "  dead_letter_policy")
    checked, plan = copy.plan(*QUICKLY)
    assert checked.returncode == 0, "Terraform itself has nothing against it"
    assert 'module.load.google_pubsub_subscription.this["objects"]: no retry policy' in findings(plan)


def test_a_function_that_the_public_may_call_is_found(copy: Copy) -> None:
    copy.replace(
        "modules/function/main.tf", CALLER, CALLER.replace("google_service_account.caller.member", '"allUsers"')
    )
    checked, plan = copy.plan(*QUICKLY)
    assert checked.returncode == 0, "Terraform itself has nothing against it"
    assert "module.load.google_cloud_run_v2_service_iam_member.caller: the public may" in findings(plan)


def test_the_tests_of_the_modules_find_both_as_well(copy: Copy) -> None:
    copy.replace("modules/function/main.tf", RETRY, "  dead_letter_policy")
    copy.replace(
        "modules/function/main.tf", CALLER, CALLER.replace("google_service_account.caller.member", '"allUsers"')
    )
    for path in (copy.folder / "terraform" / "tests").glob("*.tftest.hcl"):
        if path.name != "function.tftest.hcl":
            path.unlink()
    checked = copy.check("--no-fmt", "--no-plan")
    assert checked.returncode == 1
    assert "only the function's own caller may call it" in checked.stdout
    assert "a subscription without a retry policy asks again at once" in checked.stdout
