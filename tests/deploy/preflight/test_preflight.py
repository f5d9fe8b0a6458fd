"""The preflight as an operator calls it: over Google's answers, the simulator and the emulator of Snowflake."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from terraform import preflight
from terraform.checks import settings
from terraform.checks.findings import Finding, State, lines
from tests.deploy.preflight import projects
from tests.deploy.preflight.fake_google import Answer, Call, Raw, denied, disabled
from tests.deploy.preflight.surroundings import CODE, Surroundings, environment

from emulators import snowflake

OF_GOOGLE = ("project", "APIs", "rights", "organisation policies", "quotas", "buckets")


def states(findings: list[Finding]) -> set[State]:
    return {finding.state for finding in findings}


def of_google(findings: list[Finding]) -> list[Finding]:
    return [finding for finding in findings if finding.group in OF_GOOGLE]


def test_everything_is_there_and_each_line_is_ok(gcloud: Surroundings) -> None:
    findings = gcloud.findings()
    assert [finding for finding in findings if finding.state != State.OK] == []
    assert {finding.group for finding in findings} == {group for group, _ in preflight.CHECKS}


def test_everything_is_missing_and_each_line_has_its_command(
    there: Surroundings, monkeypatch: pytest.MonkeyPatch
) -> None:
    there.google.answers = projects.everything_missing
    there.variables["TF_VAR_source_key"] = "a wrong one"
    monkeypatch.setitem(snowflake.FACTS, "CURRENT_ROLE()", "PUBLIC")
    monkeypatch.setitem(snowflake.FACTS, "CURRENT_REGION()", "GCP_US_EAST4")
    findings = there.findings()
    assert [finding.text for finding in findings if finding.state == State.OK] == [
        "Application Default Credentials of deployer@acme-data-dev.iam.gserviceaccount.com",
        "Snowflake acme-dev: signed in, region GCP_US_EAST4",
    ]
    assert {finding.group for finding in findings if finding.state == State.MISSING} == {
        group for group, _ in preflight.CHECKS
    }
    assert all(finding.mend for finding in findings if finding.state == State.MISSING)


def test_a_disabled_api_comes_with_the_command_that_enables_it(there: Surroundings) -> None:
    there.google.answers = lambda call: disabled(call.id.partition(".")[0])
    findings = of_google(there.findings())
    assert states(findings) == {State.UNKNOWN}
    assert {finding.mend for finding in findings} == {
        f"gcloud services enable {api}.googleapis.com --project=acme-data-dev"
        for api in ("cloudbilling", "cloudresourcemanager", "orgpolicy", "serviceusage", "storage")
    }


def test_a_denied_question_is_never_ok(there: Surroundings) -> None:
    there.google.answers = lambda call: denied("some.permission")
    findings = of_google(there.findings())
    assert State.OK not in states(findings)
    assert "serviceusage: 403, Permission 'some.permission' denied" in str(findings)


def test_an_answer_that_is_late_could_not_be_checked(there: Surroundings) -> None:
    there.google.answers = lambda call: (200, Raw(b"{}", after_s=3))
    findings = of_google(there.findings(timeout_s=0.5))
    assert states(findings) == {State.UNKNOWN}
    assert all("no answer within" in finding.text for finding in findings)


def _of_other_types(call: Call) -> Answer:
    status, answer = projects.everything_there(call)
    return (200, Raw(json.dumps(dict.fromkeys(answer, 7)).encode())) if status == 200 else (200, Raw(b'{"name": 7}'))


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param(lambda call: (200, Raw(b"<html>sign in</html>")), id="HTML"),
        pytest.param(lambda call: (200, Raw(b'{"state": "ACT')), id="cut"),
        pytest.param(lambda call: (200, Raw(b"[]")), id="a list"),
        pytest.param(lambda call: (200, Raw(b"\xff\xfe\x00")), id="bytes"),
        pytest.param(lambda call: (500, Raw(b'{"error": "no"}')), id="error of another shape"),
        pytest.param(lambda call: (502, Raw(b"Bad Gateway")), id="proxy"),
        pytest.param(_of_other_types, id="fields of other types"),
    ],
)
def test_garbage_could_not_be_checked(there: Surroundings, answers: Callable[[Call], Answer]) -> None:
    there.google.answers = answers
    findings = [finding for finding in of_google(there.findings()) if "is in a file" not in finding.text]
    assert State.OK not in states(findings)
    assert all(finding.text.isprintable() for finding in findings)


def test_an_answer_with_nothing_in_it_is_never_ok(there: Surroundings) -> None:
    there.google.answers = lambda call: (200, {})
    findings = of_google(there.findings())
    assert State.OK not in states(findings)


def test_without_a_network_the_other_checks_still_run(there: Surroundings) -> None:
    for name in there.google.environment():
        there.variables[name] = "http://127.0.0.1:9/"
    findings = there.findings()
    assert states(of_google(findings)) == {State.UNKNOWN}
    assert [finding.state for finding in findings if finding.group == "source"] == [State.OK]


def test_without_credentials_the_command_signs_in(there: Surroundings) -> None:
    del there.variables["GOOGLE_APPLICATION_CREDENTIALS"]
    there.variables.update(HOME=str(there.folder), NO_GCE_CHECK="true")
    with environment(there.variables):
        findings = preflight.check(settings.read(there.folder, "dev", [], there.variables))
    assert (findings[0].state, findings[0].mend) == (State.MISSING, "gcloud auth login --update-adc")
    assert states(of_google(findings)) == {State.UNKNOWN}


def test_credentials_that_were_revoked_are_missing(there: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}
    monkeypatch.setattr(there.google, "token", lambda body: (400, refusal))
    first = there.findings()[0]
    assert (first.state, first.mend) == (State.MISSING, "gcloud auth login --update-adc")
    assert "invalid_grant" in first.text


def run(there: Surroundings, *arguments: str) -> int:
    with environment(there.variables):
        return preflight.main(arguments)


def test_json_has_every_finding(there: Surroundings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(there, "dev", "--json") == 1  # gcloud is not signed in
    printed = capsys.readouterr().out
    report: dict[str, Any] = json.loads(printed)
    there.refuse_secrets(printed)
    assert sum(report["numbers"].values()) == len(report["findings"])
    assert {each["state"] for each in report["findings"]} <= {"ok", "missing", "could not check"}


def test_when_everything_is_there_it_exits_with_0(gcloud: Surroundings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(gcloud, "dev", "-var=developers=20") == 0
    assert capsys.readouterr().out.splitlines()[-1].endswith("ok, 0 missing, 0 could not check")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["stage"], "ENV=stage: expected one of dev, prod", id="environment"),
        pytest.param(
            ["dev", "--var", "regoin=europe-west4"], "--var regoin: expected NAME=VALUE", id="unknown variable"
        ),
        pytest.param(["dev", "--var", "region=Europe"], "region: expected a region such as", id="region"),
        pytest.param(["dev", "--var", "project_id=../x"], "project_id: expected 6 to 30", id="project"),
        pytest.param(["dev", "--var", "api_readers=[group"], "--var api_readers: line 1: expected", id="literal"),
    ],
)
def test_wrong_settings_are_one_line_and_exit_with_2(
    there: Surroundings, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(there, *arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"error: {said}")
    assert printed.err.count("\n") == 1


def test_a_missing_variable_is_named(there: Surroundings, capsys: pytest.CaptureFixture[str]) -> None:
    del there.variables["TF_VAR_source_url"]
    assert run(there, "dev") == 2
    assert "source_url: expected a value, got none; set TF_VAR_source_url" in capsys.readouterr().err


def test_the_script_runs_from_any_folder_and_its_help_has_an_example(tmp_path: Path) -> None:
    command = [sys.executable, str(CODE / "preflight.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=600)
    assert "example: TF_VAR_project_id=P make preflight ENV=dev" in done.stdout


def test_a_line_has_its_state_and_its_command() -> None:
    finding = Finding("project", State.MISSING, "billing is not enabled", "gcloud billing projects link P")
    assert list(lines([finding])) == [
        "project",
        "  missing          billing is not enabled; to mend: gcloud billing projects link P",
        "0 ok, 1 missing, 0 could not check",
    ]
