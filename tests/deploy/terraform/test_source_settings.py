"""The validations of the variable `sources`, in a module that has nothing else: a plan of the whole takes long."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.deploy.terraform.rig import PROJECT

pytestmark = pytest.mark.skipif(shutil.which("terraform") is None, reason="terraform is not installed")
TERRAFORM = PROJECT / "terraform"
LONGEST = "a" * 39


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    shutil.copy(TERRAFORM / "variables_sources.tf", folder)
    source_url = re.search(r'^variable "source_url" \{.*?^\}', (TERRAFORM / "variables.tf").read_text(), re.M | re.S)
    assert source_url
    (folder / "source_url.tf").write_text(source_url[0])
    return folder


def refusal(module: Path, keys: dict[str, str] | None = None, **values: Any) -> str:
    """Return what terraform says of a plan with these variables, and keys in the environment; empty when it plans."""
    (module / "terraform.tfvars.json").write_text(json.dumps(values))
    command = ["terraform", f"-chdir={module}", "plan", "-input=false", "-no-color"]
    environment = os.environ | ({"TF_VAR_source_keys": json.dumps(keys)} if keys else {})
    planned = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600)
    return " ".join(planned.stderr.replace("│", " ").split()) if planned.returncode else ""


def github(**fields: Any) -> dict[str, Any]:
    return {"kind": "github", **fields}


def test_sources_with_every_setting_are_accepted(module: Path) -> None:
    sources = {
        LONGEST: github(),
        "0-acme": github(
            app_id="Iv23liABCDEFGHIJKLMN",
            bodies=True,
            first_days=3650,
            interval_hours=12,
            key_version=3,
            owner="Acme-Inc",
            repositories=["shop", ".github", "a_b-c.d"],
            titles=False,
            url="https://github.acme.example:8443/api/v3",
        ),
        "widgets": github(app_id="12345", url="https://widgets.ghe.com"),
    }
    assert refusal(module, sources=sources, keys={"0-acme": "a-key"}) == ""
    assert refusal(module, source_url="https://source.example") == ""


@pytest.mark.parametrize(
    ("sources", "said"),
    [
        pytest.param({"Acme": github()}, "sources: a key has 1 to 39 lower-case letters", id="key in capitals"),
        pytest.param({"-acme": github()}, "sources: a key has 1 to 39", id="key with a hyphen first"),
        pytest.param({"a/b": github()}, "sources: a key has 1 to 39", id="key with a slash"),
        pytest.param({LONGEST + "a": github()}, "sources: a key has 1 to 39", id="key too long"),
        pytest.param({"acme": {"kind": "gitlab"}}, "sources: kind is github", id="kind"),
        pytest.param({"acme": github(owner="ac me")}, "sources: owner is the login", id="owner"),
        pytest.param({"acme": github(), "b": github(owner="ACME")}, "an owner has one source", id="owner twice"),
        pytest.param({"acme": github(url="http://acme.example")}, "sources: url is https://HOST", id="plain http"),
        pytest.param({"acme": github(url="https://t@acme.example")}, "sources: url is", id="url with credentials"),
        pytest.param({"acme": github(url="https://acme.example/?a=b")}, "sources: url is", id="url with a query"),
        pytest.param({"acme": github(repositories=["acme/shop"])}, "names without their owner", id="full name"),
        pytest.param({"acme": github(repositories=["a,b"])}, "names without their owner", id="two names in one"),
        pytest.param({"acme": github(repositories=[".."])}, "names without their owner", id="a path"),
        pytest.param({"acme": github(first_days=0)}, "first_days is a whole number", id="no day"),
        pytest.param({"acme": github(first_days=1.5)}, "first_days is a whole number", id="half a day"),
        pytest.param({"acme": github(app_id="my-app")}, "app_id is the number", id="app"),
        pytest.param({"acme": github(interval_hours=5)}, "interval_hours is one of", id="hours"),
        pytest.param({"acme": github(key_version=0)}, "key_version is a whole number", id="version"),
    ],
)
def test_a_source_that_cannot_be_meant_is_refused(module: Path, sources: dict[str, Any], said: str) -> None:
    assert said in refusal(module, sources=sources)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        pytest.param({"other": "a-token"}, "source_keys: expected only keys of sources", id="of no source"),
        pytest.param({"acme": " "}, "source_keys: expected a token, or the private key", id="empty"),
    ],
)
def test_a_secret_that_is_of_no_use_is_refused(module: Path, keys: dict[str, str], said: str) -> None:
    found = refusal(module, sources={"acme": github()}, keys=keys)
    assert said in found
    assert "a-token" not in found


def test_a_deployment_without_any_source_is_refused(module: Path) -> None:
    assert "source_url: expected the URL of a source API, or sources." in refusal(module)
