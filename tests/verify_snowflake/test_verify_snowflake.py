"""`make verify-snowflake` as a user runs it: a process, with the address of the emulator in its environment."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from tests.contract import on_snowflake
from tests.proofs.parity.extracted import END
from tests.verify_snowflake import steps
from tests.verify_snowflake.__main__ import main
from tests.verify_snowflake.contract_plugin import OF_SNOWFLAKE
from tests.verify_snowflake.place import ADDRESS, KEY, environment, provision, without_names

from emulators import snowflake
from millrace.warehouse.snowflake.session import Address, connect

PROJECT = Path(__file__).parents[2]
QUICK = [f"--only={name}" for name in ("sign-in", "meta", "lists", "zones", "locks")]


@dataclass(frozen=True)
class Account:
    """An account with a warehouse, and the folder of a user; `verify` runs the command there."""

    address: Address
    folder: Path

    @property
    def report(self) -> str:
        return (self.folder / "verify-snowflake.md").read_text()

    def verify(self, *arguments: str, address: Address | None = None) -> "subprocess.CompletedProcess[str]":
        paths = os.pathsep.join(str(PROJECT / name) for name in ("src", "local", "."))
        variables = environment(address or self.address) | {"PYTHONPATH": paths}
        command = [sys.executable, "-m", "tests.verify_snowflake", *arguments]
        return subprocess.run(command, cwd=self.folder, env=variables, capture_output=True, text=True, check=False)

    def do(self, *statements: str) -> list[tuple[object, ...]]:
        with connect(self.address) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return [tuple(row) for row in cursor.fetchall()]


Opened = Callable[[str], Account]


@pytest.fixture(scope="module")
def opened(snowflake_at: str, tmp_path_factory: pytest.TempPathFactory) -> Opened:
    """Return a function that opens an account with a database of the given name."""

    def account(database: str) -> Account:
        url = f"snowflake://acme-prod77/{database}?user=VERA&role=VERIFIER&warehouse=CHECKS&{snowflake_at}"
        made = Account(Address.parse(url, snowflake.private_key()), tmp_path_factory.mktemp(database))
        made.do("CREATE WAREHOUSE IF NOT EXISTS CHECKS")
        return made

    return account


@pytest.fixture(scope="module")
def verified(opened: Opened) -> "Verified":
    """An account whose quick steps were run."""
    account = opened("QUICK")
    return account, account.verify("--provision", *QUICK)


Verified = tuple[Account, "subprocess.CompletedProcess[str]"]


@pytest.mark.slow
def test_passed_steps_are_in_report_with_their_evidence(verified: Verified) -> None:
    account, done = verified
    assert (done.returncode, done.stderr) == (0, "")
    assert re.findall(r"^\| ([a-z-]+) \| .* \| (passed|failed) \| [\d.]+ \|$", account.report, re.MULTILINE) == [
        (name.removeprefix("--only="), "passed") for name in QUICK
    ]
    assert '- ["a", "b", "c"] arrives as ["a","b","c"], array_size 3' in account.report
    assert "- [null] arrives as [null], array_size 1" in account.report
    assert "loaded in one, without the adapter's UTC: off by -8.0, -7.0 hours" in account.report
    assert re.search(r"the second transaction waited [45]\.\d s with LOCK_TIMEOUT = 5: error 625", account.report)
    assert re.search(r"Snowflake \d+\.\d+\.\d+, region \w+, .*dbt-snowflake \d", account.report)


@pytest.mark.slow
def test_report_and_output_name_neither_account_nor_user_nor_key(verified: Verified) -> None:
    account, done = verified
    for text in (account.report, done.stdout):
        assert not re.search(r"acme|prod77|VERA\b|PRIVATE KEY|127\.0\.0\.1", text, re.IGNORECASE)
    assert "IN USER USER" in account.report or "user America" in account.report


@pytest.mark.slow
def test_same_database_is_verified_again_without_provisioning(verified: Verified) -> None:
    account, _ = verified
    done = account.verify("--only=meta", "--report=second.md")
    assert (done.returncode, done.stderr) == (0, "")
    assert "| meta |" in (account.folder / "second.md").read_text()


@pytest.mark.slow
def test_unknown_warehouse_is_refused_before_anything_is_created(opened: Opened) -> None:
    account = opened("NO_WAREHOUSE")
    done = account.verify("--provision", "--only=meta", address=replace(account.address, warehouse="CHEKS"))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the warehouse CHEKS does not exist, or VERIFIER may not use it")
    assert done.stderr.count("\n") == 1
    assert account.do("SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = 'META'") == [(0,)]


@pytest.mark.slow
def test_database_with_other_loads_is_refused_unchanged(opened: Opened) -> None:
    account = opened("PRODUCTION")
    provision(account.address)
    account.do("INSERT INTO META.LOADS (BUCKET, NAME, LOAD_SEQ) VALUES ('lake', 'raw/x', 1)")
    before = account.do("SELECT TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES ORDER BY 1, 2")
    done = account.verify("--provision", "--only=lists")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the database PRODUCTION holds 1 loads and 0 tables that are not of this")
    assert done.stderr.count("\n") == 1
    assert account.do("SELECT NAME FROM META.LOADS") == [("raw/x",)]
    assert account.do("SELECT TABLE_SCHEMA, TABLE_NAME FROM INFORMATION_SCHEMA.TABLES ORDER BY 1, 2") == before


@pytest.mark.slow
def test_database_with_tables_of_others_is_refused(opened: Opened) -> None:
    account = opened("MARTS")
    provision(account.address)
    account.do("CREATE TABLE MART.TURNOVER (YEAR NUMBER(38, 0))")
    done = account.verify("--only=lists")
    assert done.returncode == 2
    assert "holds 0 loads and 1 tables" in done.stderr
    assert account.do("SELECT COUNT(*) FROM MART.TURNOVER") == [(0,)]


@pytest.mark.slow
def test_empty_database_is_refused_with_next_step(opened: Opened) -> None:
    done = opened("EMPTY").verify("--only=meta")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: the database EMPTY lacks META.BUILDS: run terraform apply, or give --provision\n"


@pytest.mark.slow
def test_failed_step_is_named_and_the_others_run(opened: Opened) -> None:
    account = opened("BROKEN")
    provision(account.address)
    account.do("ALTER TABLE META.LOADS DROP COLUMN CRC32C")
    done = account.verify("--only=meta", "--only=sign-in")
    assert done.returncode == 1
    assert done.stdout.endswith("verify-snowflake.md is written; failed: meta\n")
    assert re.search(r"\| meta \| .* \| failed \|", account.report)
    assert re.search(r"\*\*Unexpected: the columns of META.LOADS: expected \[.*'CRC32C'", account.report)
    assert re.search(r"\| sign-in \| .* \| passed \|", account.report)


@pytest.mark.proof
def test_whole_command_passes_over_the_emulator(opened: Opened) -> None:
    account = opened("WHOLE")
    done = account.verify("--provision", "--developers=3", "--days=14")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert re.findall(r"^\| ([a-z-]+) \| .* \| passed \|", account.report, re.MULTILINE) == [
        step.name for step in steps.STEPS
    ]
    (passed, total), *_ = re.findall(r"- (\d+) of (\d+) tests passed", account.report)
    assert 60 < int(passed) < int(total)
    assert re.search(r"cells compared: 0 differences", account.report)
    assert account.report.count("answers equal DuckDB's") == 10


def test_step_brings_the_steps_that_it_needs() -> None:
    assert [step.name for step in steps.chosen(["api"])] == ["build", "publication", "api"]
    assert steps.chosen([]) == list(steps.STEPS)


def test_account_without_address_cannot_start(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    assert main([]) == 2
    assert capsys.readouterr().err.startswith("error: MILLRACE_TEST_SNOWFLAKE is not set: expected snowflake://ACCOUNT")


def test_help_has_an_example_and_the_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    assert f"export {ADDRESS}='snowflake://organization-account/" in text
    assert f'export {KEY}="$(cat key.p8)"' in text
    assert "exit codes: 0 all steps passed, 1 a step failed, 2 it could not start." in text


def test_list_has_every_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--list"]) == 0
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == [step.name for step in steps.STEPS]


def test_names_are_replaced_as_words_only() -> None:
    address = Address("acme-prod77", "DB", "U", "R", "W", private_key="-----BEGIN\nabc\n-----END\n")
    text = "user U of Acme-Prod77 at prod77.snowflakecomputing.com, not UNKNOWN; -----BEGIN\nabc\n-----END"
    assert without_names(text, address) == ("user USER of ACCOUNT at ACCOUNT.snowflakecomputing.com, not UNKNOWN; KEY")


def test_cases_that_run_on_an_account_exist() -> None:
    suite = (PROJECT / "tests/contract/test_warehouse_snowflake.py").read_text()
    assert [name for name in OF_SNOWFLAKE if f"def {name}(" not in suite] == []


@contextmanager
def _given(address: Address) -> Iterator[None]:
    on_snowflake.use(address)
    try:
        yield
    finally:
        on_snowflake._given = None


@pytest.mark.slow
def test_second_warehouse_of_a_test_is_skipped_in_one_database(opened: Opened, tmp_path: Path) -> None:
    account = opened("ONE")
    provision(account.address)
    with _given(account.address):
        first = on_snowflake.open_warehouse("", tmp_path, lambda: END)
        with pytest.raises(pytest.skip.Exception, match="needs two databases at once"):
            on_snowflake.open_warehouse("", tmp_path, lambda: END)
        on_snowflake.release(first)
