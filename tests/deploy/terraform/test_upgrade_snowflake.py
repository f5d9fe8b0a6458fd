"""An account of the version before this one is brought up to date by one apply, which drops and repeats nothing.

`snowflake_as_it_was.json` is what that version applied for production in the account, with emulated providers:
META.TURN with a row, a guard in SQL, and the file format META.PARQUET. HOST is where Terraform finds the providers.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.terraform.rig import PROJECT, Copy
from tests.deploy.terraform.test_snowflake import needs_a_warehouse

pytestmark = pytest.mark.proof
VARIABLES = ("-input=false", "-no-color", "-var-file=envs/prod.tfvars")
EXECUTE = "module.snowflake.snowflake_execute."
GRANT = "module.snowflake.snowflake_grant_privileges_to_account_role."
GUARD = "module.snowflake.terraform_data.keeps_data"
VIEWS = {f'{GRANT}future_views["{role}/META"]' for role in ("BUILDER", "READER")}
FORGOTTEN = {f"{EXECUTE}keeps_data", f"{EXECUTE}parquet", f"{GRANT}parquet"}


@pytest.fixture
def account(copy: Copy) -> Copy:
    started = copy.terraform("init", "-input=false", "-no-color")
    assert started.returncode == 0, started.stderr
    providers = json.loads(copy.terraform("version", "-json").stdout)["provider_selections"]
    (host,) = {name.partition("/")[0] for name in providers}
    state = Path(__file__).with_name("snowflake_as_it_was.json").read_text().replace("HOST/", f"{host}/")
    (copy.folder / "terraform" / "terraform.tfstate").write_text(state)
    return copy


def planned(account: Copy, *options: str) -> dict[str, Any]:
    """Return the planned changes in the account, by address, without those that change nothing."""
    done = account.terraform("plan", *VARIABLES, *options, "-out=plan.bin")
    assert done.returncode == 0, done.stderr
    changes = account.changes("plan.bin").items()
    return {name: each for name, each in changes if "snowflake" in name and each["change"]["actions"] != ["no-op"]}


def added_since() -> set[str]:
    """Return the columns that the account lacks, by address; it has that of the version before."""
    added = json.loads((PROJECT / "terraform" / "snowflake.json").read_text())["added"]
    return {f'{EXECUTE}columns["{name}"]' for name in added if name != "LOADS.CRC32C"}


def actions(changes: dict[str, Any], *kinds: str) -> set[str]:
    return {name for name, each in changes.items() if set(kinds) & set(each["change"]["actions"])}


def test_what_is_there_is_neither_dropped_nor_replaced(account: Copy) -> None:
    changes = planned(account)
    assert actions(changes, "delete") == set()
    assert actions(changes, "forget") == FORGOTTEN
    assert actions(changes, "create") == {GUARD, *added_since(), *VIEWS}


def test_an_upgrade_sends_no_statement_that_needs_a_warehouse(account: Copy) -> None:
    changes = planned(account)
    sent = [
        each["change"]["after"]["execute"]
        for name, each in changes.items()
        if name in actions(changes, "create") and name.startswith(EXECUTE)
    ]
    sent += [
        each["change"]["before"]["revert"]
        for name, each in changes.items()
        if name in actions(changes, "delete") and name.startswith(EXECUTE)
    ]
    assert [statement for statement in sent if needs_a_warehouse(statement)] == []
    left = {name: each["change"]["after"] for name, each in changes.items() if name in actions(changes, "update")}
    undone = {name: after["revert"] for name, after in left.items() if name.startswith(EXECUTE)}
    assert len(undone) == 8
    assert [name for name, statement in undone.items() if needs_a_warehouse(statement)] == []


def test_writers_get_the_right_to_insert_the_row_of_the_turn(account: Copy) -> None:
    changes = planned(account)
    rights = {
        name: set(each["change"]["after"]["privileges"])
        for name, each in changes.items()
        if "TURN" in name and name.startswith(GRANT)
    }
    assert rights == {f'{GRANT}meta["{role}/TURN"]': {"INSERT", "SELECT", "UPDATE"} for role in ("BUILDER", "LOADER")}


def test_the_loader_gets_the_right_to_make_views_of_meta_and_keeps_the_others(account: Copy) -> None:
    change = planned(account)[f'{GRANT}schema["LOADER/META"]']["change"]
    assert change["actions"] == ["update"]
    assert (change["before"]["privileges"], sorted(change["after"]["privileges"])) == (
        ["USAGE"],
        ["CREATE VIEW", "USAGE"],
    )


def test_a_column_that_was_added_is_made_by_the_same_apply(account: Copy) -> None:
    exported = account.folder / "terraform" / "snowflake.json"
    statements = json.loads(exported.read_text())
    statements["added"]["BUILDS.NOTE"] = "ALTER TABLE META.BUILDS ADD COLUMN IF NOT EXISTS NOTE VARCHAR"
    exported.write_text(json.dumps(statements))
    changes = planned(account)
    new = f'{EXECUTE}columns["BUILDS.NOTE"]'
    assert new in actions(changes, "create")
    expected = "ALTER TABLE MILLRACE.META.BUILDS ADD COLUMN IF NOT EXISTS NOTE VARCHAR"
    assert changes[new]["change"]["after"]["execute"] == expected


def test_upgraded_account_plans_no_change_and_refuses_to_be_destroyed(account: Copy) -> None:
    planned(account)
    applied = account.terraform("apply", "-input=false", "-no-color", "plan.bin")
    assert applied.returncode == 0, applied.stderr
    assert planned(account) == {}
    refused = account.terraform("destroy", "-auto-approve", *VARIABLES, "-target=module.snowflake")
    assert refused.returncode == 1
    assert "The database is protected" in " ".join(refused.stderr.split())
    left = set(account.terraform("state", "list").stdout.splitlines())
    assert {"module.snowflake.snowflake_database.this", GUARD} <= left
    unprotected = account.terraform("apply", "-auto-approve", *VARIABLES, "-var=delete_data=true")
    assert unprotected.returncode == 0, unprotected.stderr
    gone = account.terraform("destroy", "-auto-approve", *VARIABLES, "-var=delete_data=true")
    assert gone.returncode == 0, gone.stderr
    assert account.terraform("state", "list").stdout == ""


def test_destroy_before_the_upgrade_is_refused_by_the_guard_of_that_version(account: Copy) -> None:
    done = account.terraform("plan", "-destroy", *VARIABLES, "-out=plan.bin")
    assert done.returncode == 0, done.stderr
    change = account.changes("plan.bin")[f"{EXECUTE}keeps_data"]["change"]
    assert change["actions"] == ["delete"]
    assert "RAISE" in change["before"]["revert"]
