"""A plan is made on one machine and applied on another; then it is looked at without the key, and destroyed."""

import re
import shutil
from pathlib import Path

import pytest
from tests.deploy.terraform.rig import PLAIN_WORD, Copy, has_rig

pytestmark = pytest.mark.proof
VARIABLES = ("-input=false", "-no-color", "-var-file=envs/prod.tfvars")
KEY = "TF_VAR_source_key"
KEPT = re.compile(
    r"module\.(lake|source_key|project\.(google_project_service|time_sleep))|module\.topic\[\"object-events\"\]\.google_pubsub_topic\.this$"
    r"|module\.snowflake\.snowflake_(database|schema|account_role|execute\.meta)|module\.snowflake\.terraform_data\.keeps_data"
)


def started(folder: Path) -> Copy:
    """Return a checkout on a machine of its own, in the workspace of production."""
    machine = Copy.into(folder, hollow=True)
    assert machine.terraform("init", "-input=false", "-no-color").returncode == 0
    assert machine.terraform("workspace", "new", "prod").returncode == 0
    return machine


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    if not has_rig():
        pytest.skip(PLAIN_WORD)
    machine = started(tmp_path_factory.mktemp("plans"))
    plan = machine.terraform("plan", *VARIABLES, "-out=plan.bin")
    assert plan.returncode == 0, plan.stderr
    return machine


@pytest.fixture(scope="module")
def applied(planned: Copy, tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A second machine, which has the commit and the plan, and nothing else of the first one."""
    machine = started(tmp_path_factory.mktemp("applies"))
    shutil.copy(planned.folder / "terraform" / "plan.bin", machine.folder / "terraform")
    done = machine.terraform("apply", "-input=false", "-no-color", "plan.bin")
    assert done.returncode == 0, done.stderr
    return machine


def test_images_are_built_where_the_plan_is_applied(planned: Copy, applied: Copy) -> None:
    assert planned.gcloud_calls() == []
    assert [call.split()[:2] for call in applied.gcloud_calls()][-1] == ["builds", "submit"]


def test_another_checkout_than_the_planned_one_is_refused(planned: Copy, tmp_path: Path) -> None:
    machine = started(tmp_path)
    (machine.folder / "functions" / "load" / "main.py").write_text("changed")
    shutil.copy(planned.folder / "terraform" / "plan.bin", machine.folder / "terraform")
    done = machine.terraform("apply", "-input=false", "-no-color", "plan.bin")
    assert done.returncode == 1
    assert machine.gcloud_calls() == []


def test_a_plan_needs_no_key_once_it_is_stored(applied: Copy) -> None:
    plan = applied.terraform("plan", *VARIABLES, "-detailed-exitcode", without=KEY)
    assert plan.returncode == 0, plan.stdout + plan.stderr


def test_a_new_version_of_the_key_needs_the_key(applied: Copy) -> None:
    done = applied.terraform("apply", *VARIABLES, "-auto-approve", "-var=source_key_version=2", without=KEY)
    assert done.returncode == 1
    assert "source-key: expected a value for its version 2, got none" in " ".join(done.stderr.replace("│", "").split())


def test_destroy_keeps_data_and_leaves_nothing_else(applied: Copy) -> None:
    done = applied.script("sh", "terraform/destroy.sh", "prod", "keep", "-auto-approve", "-input=false", "-no-color")
    assert done.returncode == 0, done.stderr
    left = [each for each in applied.terraform("state", "list").stdout.splitlines() if ".data." not in f".{each}"]
    assert [each for each in left if not KEPT.match(each)] == []
    expected = {
        'module.lake.google_storage_bucket.this["lake"]',
        "module.source_key[0].google_secret_manager_secret_version.this",
        "module.source_key[0].terraform_data.stored",
        "module.snowflake.snowflake_database.this",
        "module.snowflake.terraform_data.keeps_data",
        "module.project.time_sleep.ready",
    }
    assert expected - set(left) == set()
