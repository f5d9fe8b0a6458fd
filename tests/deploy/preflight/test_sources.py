"""What a preflight says of sources of GitHub, which are simulated: their secrets, their owners and their rights."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
from terraform.checks import settings, sources
from terraform.checks.findings import Finding, State
from terraform.checks.places import Quota
from tests.deploy.preflight.surroundings import CODE, Surroundings, environment

from millrace.extract.sources.github.source import GitHubSource
from simulator import github

TOKEN = "github_pat_simulated"


@pytest.fixture(scope="module")
def company() -> github.Company:
    return github.generate(repositories=2, pulls=3, account="acme")


@pytest.fixture
def url(company: github.Company) -> Iterator[str]:
    with github.served(company) as served:
        yield served.url


def found(there: Surroundings, url: str, token: str | None = TOKEN, **fields: object) -> list[Finding]:
    """Return the findings of one source, whose settings are in the environment; its secret is in none of them."""
    there.variables.pop("TF_VAR_source_url", None)
    there.variables["TF_VAR_sources"] = json.dumps({"acme": {"kind": "github", "url": url, **fields}})
    if token is not None:
        there.variables["TF_VAR_source_keys"] = json.dumps({"acme": token})
    said = there.of("source")
    assert token is None or token not in str(said)
    return said


def test_a_token_that_may_read_everything_is_ok_with_what_it_sees_and_what_a_load_takes(
    there: Surroundings, url: str
) -> None:
    (finding,) = found(there, url)
    assert finding.state == State.OK
    assert finding.text.startswith(f"acme (acme at {url}): fine-grained personal access token of ")
    assert "sees 2 repositories" in finding.text
    assert "a first load takes about 3 requests, 1 min" in finding.text


def test_a_source_without_its_secret_could_not_be_checked(there: Surroundings, url: str) -> None:
    (finding,) = found(there, url, token=None)
    assert finding.state == State.UNKNOWN
    assert finding.mend == """export TF_VAR_source_keys='{"acme": "…"}'"""


def test_a_token_that_github_does_not_know_is_missing(there: Surroundings, url: str) -> None:
    (finding,) = found(there, url, token="github_pat_of_somebody_else")
    assert finding.state == State.MISSING
    assert "TF_VAR_source_keys" in f"{finding.text} {finding.mend}"
    assert "MILLRACE_" not in finding.text


def test_an_owner_that_the_token_does_not_see_is_missing(there: Surroundings, url: str) -> None:
    (finding,) = found(there, url, owner="Acmee")
    assert finding.state == State.MISSING
    assert "expected an organisation or a user of this GitHub, got 'acmee'" in finding.text


def test_repositories_that_are_set_and_not_seen_are_named(
    there: Surroundings, url: str, company: github.Company
) -> None:
    name = company.repositories[0].name
    ok, finding = found(there, url, repositories=[name.upper(), "no-such-one"])
    assert (ok.state, finding.state) == (State.OK, State.MISSING)
    assert "cannot see no-such-one of its repositories" in finding.text


def test_a_server_that_does_not_answer_is_missing(there: Surroundings) -> None:
    (finding,) = found(there, "http://127.0.0.1:9")
    assert finding.state == State.MISSING
    assert finding.mend == "let this machine reach http://127.0.0.1:9"


def test_a_key_of_an_app_that_is_none_is_missing(there: Surroundings, url: str) -> None:
    (finding,) = found(there, url, token="no PEM", app_id="12345")
    assert finding.state == State.MISSING
    assert "TF_VAR_source_keys: expected the App's private key" in finding.text


def test_a_limit_is_not_waited_out(there: Surroundings, company: github.Company) -> None:
    with github.served(company, github.Knobs(secondary_at=tuple(range(1, 9)))) as limited:
        (finding,) = found(there, limited.url)
    assert finding.state == State.UNKNOWN
    assert "over its rate limit for" in finding.text


def test_a_right_that_is_missing_is_called_by_its_name_on_the_page_of_tokens(
    there: Surroundings, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe = GitHubSource.probe

    def refused(source: GitHubSource) -> object:
        return replace(probe(source), refused=("commits of acme/shop: Resource not accessible",))

    monkeypatch.setattr(GitHubSource, "probe", refused)
    _, finding = found(there, url)
    assert finding.mend == "give it the repository permission Contents: read-only"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param('["acme"]', "sources: expected a map", id="a list"),
        pytest.param('{acme = "github"}', 'sources: expected acme = { kind = "github" }', id="no settings"),
        pytest.param('{acme = {kind = "gitlab"}}', 'sources: expected acme = { kind = "github" }', id="another kind"),
        pytest.param('{acme = {kind = "github", repositories = "shop"}}', "expected a list of names", id="one name"),
    ],
)
def test_sources_that_terraform_refuses_are_wrong_settings(there: Surroundings, value: str, said: str) -> None:
    with environment(there.variables | {"TF_VAR_sources": value}), pytest.raises(settings.WrongSettings, match=said):
        sources.accounts(settings.read(CODE, "dev", [], os.environ))


def test_only_sources_need_no_source_url(there: Surroundings) -> None:
    del there.variables["TF_VAR_source_url"]
    with (
        environment(there.variables),
        pytest.raises(settings.WrongSettings, match="source_url: expected a value, got none"),
    ):
        settings.read(CODE, "dev", [], os.environ)
    there.variables["TF_VAR_sources"] = '{acme = {kind = "github"}}'
    with environment(there.variables):
        (source,) = sources.accounts(settings.read(CODE, "dev", [], os.environ))
    assert (source.account, source.url, source.app_id, source.secret) == ("acme", "https://api.github.com", None, None)
    assert [each.state for each in there.of("source")] == [State.UNKNOWN]


def test_the_names_are_those_of_the_plan(there: Surroundings) -> None:
    there.variables["TF_VAR_sources"] = '{mega-widgets-inc = {kind = "github"}, acme = {kind = "github"}}'
    with environment(there.variables):
        labels = [each.label for each in sources.accounts(settings.read(CODE, "dev", [], os.environ))]
    assert labels == ["gh-acme", "gh-mega-cb1fb"]  # those of tests/deploy/terraform/test_sources.py


def test_a_quota_is_that_of_all_functions(there: Surroundings) -> None:
    before = [each.text for each in there.of("quotas")]
    there.variables["TF_VAR_sources"] = '{acme = {kind = "github"}, widgets = {kind = "github"}}'
    after = [each.text for each in there.of("quotas")]
    changed = [text.partition(" suffices for ")[2] for text in after if text not in before]
    assert changed == ["ten vCPU, in thousandths; and 2 sources", "20 GiB, in bytes; and 2 sources"]
    assert Quota("run", "cpu", 10_000, "ten", 4_000).of(2).least == 18_000
