"""Each check of the preflight, where one thing differs from a project in which everything is there."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from terraform.checks import project, settings
from terraform.checks.findings import State
from tests.deploy.preflight import projects
from tests.deploy.preflight.fake_google import EMAIL, Answer, Answers, Call, Raw, error
from tests.deploy.preflight.surroundings import CODE, Surroundings, environment

from emulators import snowflake

MEMBER = f"serviceAccount:{EMAIL}"


def but(method: str, answer: Callable[[Call], Answer]) -> Answers:
    """Return the answers of a project in which everything is there, but for one method."""
    return lambda call: answer(call) if call.id.endswith(method) else projects.everything_there(call)


def policy(name: str, *rules: dict[str, Any]) -> Answers:
    def answer(call: Call) -> Answer:
        if not call.parameters["name"].endswith(f"/{name}"):
            return projects.everything_there(call)
        return 200, {"name": call.parameters["name"], "spec": {"rules": list(rules)}}

    return but("getEffectivePolicy", answer)


def values(**of: list[str]) -> dict[str, Any]:
    return {"values": of}


_DOMAINS, _PLACES, _INGRESS = "iam.allowedPolicyMemberDomains", "gcp.resourceLocations", "run.allowedIngress"
_ACCOUNTS, _KEYS = "iam.disableServiceAccountCreation", "gcp.restrictNonCmekServices"
_ALLOW = "gcloud resource-manager org-policies allow"


@pytest.mark.parametrize(
    ("name", "rule", "state", "mend"),
    [
        pytest.param(_DOMAINS, {"allowAll": True}, State.OK, None, id="any domain"),
        pytest.param(_DOMAINS, values(allowedValues=["is:C00acme00", "C01snow99"]), State.OK, None, id="Snowflake too"),
        pytest.param(
            _DOMAINS,
            values(allowedValues=["is:C00acme00"]),
            State.MISSING,
            f"{_ALLOW} {_DOMAINS} C01snow99 --project=acme-data-dev",
            id="own domain only",
        ),
        pytest.param(_PLACES, values(allowedValues=["in:europe-locations"]), State.OK, None, id="continent"),
        pytest.param(_PLACES, values(allowedValues=["in:europe-west4-locations"]), State.OK, None, id="region"),
        pytest.param(_PLACES, values(allowedValues=["europe-west4"]), State.OK, None, id="location"),
        pytest.param(
            _PLACES,
            values(allowedValues=["in:us-locations", "europe-west1"]),
            State.MISSING,
            f"{_ALLOW} {_PLACES} in:europe-west4-locations --project=acme-data-dev",
            id="elsewhere",
        ),
        pytest.param(_PLACES, values(deniedValues=["europe-west4"]), State.MISSING, ..., id="denied location"),
        pytest.param(_PLACES, {"denyAll": True}, State.MISSING, ..., id="no location"),
        pytest.param(_PLACES, values(allowedValues=["in:eu-locations"]), State.UNKNOWN, ..., id="a group of regions"),
        pytest.param(_PLACES, values(deniedValues=["in:low-carbon-locations"]), State.UNKNOWN, ..., id="denied group"),
        pytest.param(_INGRESS, values(allowedValues=["is:internal"]), State.OK, None, id="internal"),
        pytest.param(
            _INGRESS,
            values(allowedValues=["is:all"]),
            State.MISSING,
            f"{_ALLOW} {_INGRESS} internal --project=acme-data-dev",
            id="not internal",
        ),
        pytest.param(_INGRESS, values(deniedValues=["internal"]), State.MISSING, ..., id="internal denied"),
        pytest.param(_ACCOUNTS, {"enforce": False}, State.OK, None, id="accounts"),
        pytest.param(
            _ACCOUNTS,
            {"enforce": True},
            State.MISSING,
            f"gcloud resource-manager org-policies disable-enforce {_ACCOUNTS} --project=acme-data-dev",
            id="no accounts",
        ),
        pytest.param(_KEYS, values(deniedValues=["is:bigquery.googleapis.com"]), State.OK, None, id="other services"),
        pytest.param(_KEYS, values(deniedValues=["is:storage.googleapis.com"]), State.MISSING, ..., id="own keys"),
        pytest.param(
            _ACCOUNTS,
            {"enforce": True, "condition": {"expression": "resource.matchTag('1/env', 'prod')"}},
            State.UNKNOWN,
            f"gcloud org-policies describe {_ACCOUNTS} --project=acme-data-dev --effective",
            id="conditional",
        ),
    ],
)
def test_a_policy_is_judged_by_what_the_apply_makes(
    there: Surroundings, name: str, rule: dict[str, Any], state: State, mend: Any
) -> None:
    there.google.answers = policy(name, rule)
    (found,) = [each for each in there.of("organisation policies") if each.text.startswith(name)]
    assert found.state == state
    assert mend is ... or found.mend == mend


def test_without_a_sign_in_snowflakes_customer_could_not_be_checked(there: Surroundings) -> None:
    del there.variables["SNOWFLAKE_USER"]
    there.google.answers = policy(_DOMAINS, values(allowedValues=["is:C00acme00"]))
    (found,) = [each for each in there.of("organisation policies") if each.text.startswith(_DOMAINS)]
    assert (found.state, found.mend) == (
        State.UNKNOWN,
        f"{_ALLOW} {_DOMAINS} SNOWFLAKE-CUSTOMER-ID --project=acme-data-dev",
    )


def test_readers_of_other_domains_could_not_be_checked(there: Surroundings) -> None:
    there.google.answers = policy(_DOMAINS, values(allowedValues=["is:C01snow99"]))
    found = there.of("organisation policies", 'api_readers=["group:analysts@other.example"]')
    assert [each.state for each in found if "other.example" in each.text] == [State.UNKNOWN]


def test_a_policy_of_readers_ingress_follows_the_variable(there: Surroundings) -> None:
    there.google.answers = policy(_INGRESS, values(allowedValues=["is:internal"]))
    found = there.of("organisation policies", "api_ingress=ALLOW_INTERNAL_AND_GCLB")
    assert [each.text for each in found if each.state == State.MISSING] == [
        f"{_INGRESS} refuses internal-and-cloud-load-balancing"
    ]


def test_a_lacking_permission_comes_with_the_role_that_has_it(there: Surroundings) -> None:
    def granted(call: Call) -> Answer:
        return 200, {"permissions": [each for each in call.body["permissions"] if each != "pubsub.topics.create"]}

    there.google.answers = but("testIamPermissions", granted)
    (found,) = [each for each in there.of("rights") if each.state != State.OK]
    assert found.text == "pubsub.topics.create on projects/acme-data-dev"
    assert (
        found.mend
        == f"gcloud projects add-iam-policy-binding acme-data-dev --member={MEMBER} --role=roles/pubsub.admin"
    )


def test_a_permission_that_google_refuses_leaves_the_other_roles_checked(there: Surroundings) -> None:
    def refuse(call: Call) -> Answer:
        if "pubsub.topics.create" in call.body["permissions"]:
            return 400, error(
                400, "INVALID_ARGUMENT", "Permission pubsub.topics.create is not valid for this resource."
            )
        return projects.everything_there(call)

    there.google.answers = but("testIamPermissions", refuse)
    found = there.of("rights")
    assert [each.text.partition(":")[0] for each in found if each.state == State.UNKNOWN] == ["roles/pubsub.admin"]
    assert sum(each.state == State.OK for each in found) == len(found) - 1


def test_a_key_of_the_company_is_asked_about_where_it_is(there: Surroundings) -> None:
    key = "projects/keys/locations/europe-west4/keyRings/r/cryptoKeys/k"
    there.findings(f"kms_key={key}")
    assert [call.parameters["resource"] for call in there.google.calls if call.id.startswith("cloudkms.")] == [key]


def test_every_resource_type_of_the_code_has_its_permissions() -> None:
    with environment({"TF_VAR_project_id": "acme-dev", "TF_VAR_source_url": "x", "TF_VAR_snowflake_account": "a-b"}):
        read = settings.read(CODE, "dev", [], os.environ)
    types = {name for name in project.resource_types(read) if name.startswith("google_")}
    covered = {name for right in project.rights() for name in right.types}
    assert types - covered == set()
    assert len(types) > 20


def test_permissions_are_asked_once_and_by_one_role() -> None:
    names = [right.permission for right in project.rights()]
    assert sorted(names) == sorted(set(names))
    assert {right.where for right in project.rights()} == {"billing", "key", "project"}


def test_apis_that_the_apply_enables_are_missing_with_who_may(there: Surroundings) -> None:
    def some(call: Call) -> Answer:
        found = projects.everything_there(call)[1]["services"]
        return 200, {"services": [each | {"state": "DISABLED"} if "pubsub" in each["name"] else each for each in found]}

    there.google.answers = but("batchGet", some)
    missing = [each for each in there.of("APIs") if each.state == State.MISSING]
    assert [(each.text, each.mend) for each in missing] == [
        (
            "not enabled: pubsub (the apply enables them)",
            "gcloud services enable pubsub.googleapis.com --project=acme-data-dev",
        )
    ]


def test_a_deleted_project_is_missing(there: Surroundings) -> None:
    there.google.answers = but(
        "projects.get",
        lambda call: (200, {"name": "projects/1", "projectId": "acme-data-dev", "state": "DELETE_REQUESTED"}),
    )
    assert there.of("project")[0].mend == "gcloud projects undelete acme-data-dev"


def test_a_region_on_a_later_page_is_found(there: Surroundings) -> None:
    def paged(call: Call) -> Answer:
        if "pageToken" not in call.query:
            return 200, {"locations": [{"locationId": "asia-east1"}], "nextPageToken": "2"}
        return 200, {"locations": [{"locationId": "europe-west4"}]}

    there.google.answers = but("projects.locations.list", paged)
    assert {each.state for each in there.of("region")} == {State.OK}


@pytest.mark.parametrize(
    ("region", "state", "mend"),
    [
        pytest.param("GCP_EUROPE_WEST4", State.OK, None, id="the same"),
        pytest.param("PUBLIC.GCP_EUROPE_WEST4", State.OK, None, id="in a group of regions"),
        pytest.param("GCP_US_CENTRAL1", State.MISSING, "export TF_VAR_region=us-central1", id="another"),
        pytest.param("AWS_EU_CENTRAL_1", State.MISSING, ..., id="another cloud"),
    ],
)
def test_snowflakes_region_is_compared(
    there: Surroundings, monkeypatch: pytest.MonkeyPatch, region: str, state: State, mend: Any
) -> None:
    monkeypatch.setitem(snowflake.FACTS, "CURRENT_REGION()", region)
    found = there.of("region")[-1]
    assert found.state == state
    assert mend is ... or found.mend == mend


def _limits(*buckets: dict[str, Any], unit: str = "1/{project}/{region}") -> Answers:
    limit = {"unit": unit, "quotaBuckets": list(buckets)}
    metric = {"metric": "run.googleapis.com/cpu_allocation", "consumerQuotaLimits": [limit]}
    return but("consumerQuotaMetrics.list", lambda call: (200, {"metrics": [metric]}))


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        pytest.param(_limits({"effectiveLimit": "-1"}), State.OK, id="no limit"),
        pytest.param(_limits({"effectiveLimit": "9999"}), State.MISSING, id="too low"),
        pytest.param(
            _limits({"effectiveLimit": "0"}, {"effectiveLimit": "20000", "dimensions": {"region": "europe-west4"}}),
            State.OK,
            id="the region's own limit wins",
        ),
        pytest.param(
            _limits({"effectiveLimit": "0", "dimensions": {"region": "us-east1"}}), State.UNKNOWN, id="another region"
        ),
        pytest.param(_limits({"effectiveLimit": "20000"}, unit="1/d/{project}"), State.UNKNOWN, id="not of a region"),
        pytest.param(_limits({}), State.UNKNOWN, id="without a number"),
    ],
)
def test_a_quota_is_compared(there: Surroundings, answers: Answers, state: State) -> None:
    there.google.answers = answers
    assert [each.state for each in there.of("quotas") if "cpu_allocation" in each.text] == [state]


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        pytest.param((200, projects.bucket("acme-data-dev-lake")), State.OK, id="in the project"),
        pytest.param((200, projects.bucket("acme-data-dev-lake", number="1")), State.MISSING, id="in another project"),
        pytest.param((403, error(403, "PERMISSION_DENIED", "no access")), State.MISSING, id="hidden"),
        pytest.param((503, error(503, "UNAVAILABLE", "later")), State.UNKNOWN, id="no answer"),
    ],
)
def test_a_bucket_of_the_same_name_is_found(there: Surroundings, answer: Answer, state: State) -> None:
    there.google.answers = but("buckets.get", lambda call: answer)
    assert [each.state for each in there.of("buckets") if "-lake" in each.text] == [state]


def test_a_state_bucket_without_versions_is_missing_them(there: Surroundings) -> None:
    there.google.answers = but("buckets.get", lambda call: (200, projects.bucket("acme-state", is_versioned=False)))
    assert there.of("buckets")[0].mend == "gcloud storage buckets update gs://acme-state --versioning"


def test_without_a_backend_the_state_is_a_file(there: Surroundings) -> None:
    (there.folder / "backend.tf").unlink()
    assert there.of("buckets")[0].text.startswith("the state is in a file")


def test_an_html_page_of_a_proxy_is_no_answer(there: Surroundings) -> None:
    there.google.answers = but("getBillingInfo", lambda call: (200, Raw(b"<html>sign in</html>")))
    assert there.of("project")[1].text == "billing: cloudbilling: status 200, expected a JSON object"


def test_published_images_need_no_builds(there: Surroundings) -> None:
    code = there.folder / "variables.tf"
    if 'variable "images"' not in code.read_text():
        code.write_text(
            code.read_text() + '\nvariable "images" {\n  type    = object({ job = string })\n  default = null\n}\n'
        )
    found = there.findings('images={functions="r/f@sha256:1", job="r/j@sha256:2"}')
    assert {each.state for each in found} == {State.OK}
    assert not any(name in str(found) for name in ("cloudbuild", "Cloud Build", "artifactregistry", "packages"))
