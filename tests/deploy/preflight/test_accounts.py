"""The sign-ins that the preflight tries: Google's, gcloud's, the source's and Snowflake's."""

import json
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from google.oauth2.credentials import Credentials
from terraform.checks.findings import State
from terraform.checks.google import Google, with_quota
from tests.deploy.preflight import projects
from tests.deploy.preflight.fake_google import TOKEN
from tests.deploy.preflight.surroundings import Surroundings, environment

from emulators import snowflake


@pytest.mark.parametrize(
    ("variables", "state", "said"),
    [
        pytest.param(
            {"TF_VAR_source_key": "wrong"}, State.MISSING, "the key was refused; set TF_VAR_source_key", id="key"
        ),
        pytest.param({"TF_VAR_source_key": ""}, State.UNKNOWN, "TF_VAR_source_key is not set", id="no key"),
        pytest.param({"TF_VAR_source_url": "http://127.0.0.1:9"}, State.MISSING, "connection refused", id="down"),
        pytest.param({"TF_VAR_source_url": "http://acme.example"}, State.UNKNOWN, "over plain http", id="plain http"),
        pytest.param({"TF_VAR_source_url": "nonsense"}, State.UNKNOWN, "expected http://host:port", id="no address"),
    ],
)
def test_the_source_is_asked_with_the_key(
    there: Surroundings, variables: dict[str, str], state: State, said: str
) -> None:
    there.variables.update(variables)
    (found,) = there.of("source")
    assert found.state == state
    assert said in found.text


def test_another_role_of_snowflake_is_missing(there: Surroundings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(snowflake.FACTS, "CURRENT_ROLE()", "SYSADMIN")
    assert [each.mend for each in there.of("warehouse")] == [None, "export SNOWFLAKE_ROLE=ACCOUNTADMIN"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        pytest.param({"SNOWFLAKE_USER": ""}, "SNOWFLAKE_USER is not set", id="nobody"),
        pytest.param({"SNOWFLAKE_PASSWORD": ""}, "expected SNOWFLAKE_PRIVATE_KEY", id="no credentials"),
        pytest.param({"SNOWFLAKE_AUTHENTICATOR": "externalbrowser"}, "add --browser", id="browser"),
        pytest.param({"SNOWFLAKE_PORT": "9"}, "acme-dev was not reached", id="not reached"),
    ],
)
def test_without_a_sign_in_the_warehouse_could_not_be_checked(
    there: Surroundings, variables: dict[str, str], said: str
) -> None:
    there.variables.update(variables)
    (found,) = there.of("warehouse")
    assert found.state == State.UNKNOWN
    assert said in found.text


def test_a_private_key_signs_in(there: Surroundings) -> None:
    there.variables.update(SNOWFLAKE_AUTHENTICATOR="SNOWFLAKE_JWT", SNOWFLAKE_PRIVATE_KEY=snowflake.private_key())
    del there.variables["SNOWFLAKE_PASSWORD"]
    assert {each.state for each in there.of("warehouse")} == {State.OK}


def test_a_broken_private_key_is_missing(there: Surroundings) -> None:
    there.variables.update(SNOWFLAKE_AUTHENTICATOR="SNOWFLAKE_JWT", SNOWFLAKE_PRIVATE_KEY="MII")
    del there.variables["SNOWFLAKE_PASSWORD"]
    assert [each.state for each in there.of("warehouse")] == [State.MISSING]


def test_a_refused_sign_in_is_missing(there: Surroundings) -> None:
    refusal = {"data": None, "code": "390100", "message": "Incorrect username or password was specified."}

    class Refusing(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            content = json.dumps(refusal | {"success": False}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        there.variables["SNOWFLAKE_PORT"] = str(server.server_port)
        (found,) = there.of("warehouse")
        server.shutdown()
    assert found.state == State.MISSING
    assert "Incorrect username or password" in found.text


def test_a_person_is_named_and_uses_the_projects_quota(there: Surroundings) -> None:
    credentials = Credentials(TOKEN, expiry=datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1))
    with environment(there.variables):
        assert Google(with_quota(credentials, "acme-data-dev")).account() == projects.PERSON
    assert there.google.quota_projects == {"acme-data-dev"}


def test_an_account_of_a_project_uses_its_own_quota(there: Surroundings) -> None:
    there.findings()
    assert there.google.quota_projects == {None}


def test_a_source_over_its_limit_is_not_waited_for(there: Surroundings) -> None:
    class Limited(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(429)
            self.send_header("Retry-After", "300")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *arguments: Any) -> None:
            """Log nothing."""

    with HTTPServer(("127.0.0.1", 0), Limited) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        there.variables["TF_VAR_source_url"] = f"http://127.0.0.1:{server.server_port}"
        (found,) = there.of("source")
        server.shutdown()
    assert (found.state, found.text) == (State.UNKNOWN, "the source: over its rate limit; try again in a minute")


def test_gcloud_that_is_not_installed_is_missing(there: Surroundings) -> None:
    assert [each.state for each in there.of("credentials")] == [State.OK, State.MISSING]
