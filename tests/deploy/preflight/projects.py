"""Projects as Google's APIs describe them: one with everything, and one with nothing."""

from typing import Any

from tests.deploy.preflight.fake_google import Answer, Call, denied, disabled, error

PROJECT = "acme-data-dev"
NUMBER = "123456789012"
REGIONS = ("europe-west1", "europe-west4", "us-central1")
SNOWFLAKE = "C01snow99"
STATE = "acme-state"
PERSON = "pat@example.com"


def everything_there(call: Call) -> Answer:
    """Answer for a project in which nothing is missing."""
    match call.id.split("."):
        case ["cloudresourcemanager", "projects", "get"]:
            return 200, {"name": f"projects/{NUMBER}", "projectId": PROJECT, "state": "ACTIVE", "displayName": "Acme"}
        case ["oauth2", "userinfo", "get"]:
            return 200, {"id": "1", "email": PERSON, "verified_email": True}
        case [*_, "testIamPermissions"]:
            return 200, {"permissions": call.body["permissions"]}
        case ["cloudbilling", "projects", "getBillingInfo"]:
            return 200, {
                "name": f"projects/{PROJECT}/billingInfo",
                "projectId": PROJECT,
                "billingAccountName": "billingAccounts/01AB23-CD45EF-678901",
                "billingEnabled": True,
            }
        case ["serviceusage", "services", "batchGet"]:
            return 200, {"services": [_service(name, "ENABLED") for name in call.query["names"]]}
        case ["serviceusage", "services", "consumerQuotaMetrics", "list"]:
            return 200, {"metrics": _metrics(call.parameters["parent"].rpartition("/")[2])}
        case ["orgpolicy", *_]:
            return 200, {"name": call.parameters["name"], "spec": {"rules": [{"allowAll": True}]}}
        case [_, "projects", "locations", "list"]:
            return 200, {"locations": [{"locationId": region, "name": f"projects/p/{region}"} for region in REGIONS]}
        case ["storage", "buckets", "get"] if call.parameters["bucket"] == STATE:
            return 200, bucket(STATE)
        case ["storage", "buckets", "get"]:
            return 404, {
                "error": {
                    "code": 404,
                    "message": "The specified bucket does not exist.",
                    "errors": [
                        {
                            "message": "The specified bucket does not exist.",
                            "domain": "global",
                            "reason": "notFound",
                        }
                    ],
                }
            }
    raise ValueError(f"no answer to {call.id}")


def everything_missing(call: Call) -> Answer:
    """Answer for a new project of a strict organisation, in which nothing was prepared."""
    match call.id.split("."):
        case [*_, "testIamPermissions"]:
            return 200, {}
        case ["cloudresourcemanager", "projects", "get"]:
            return denied("resourcemanager.projects.get")
        case ["cloudbilling", "projects", "getBillingInfo"]:
            return 200, {"name": f"projects/{PROJECT}/billingInfo", "projectId": PROJECT, "billingEnabled": False}
        case ["serviceusage", "services", "batchGet"]:
            return 200, {"services": [_service(name, "DISABLED") for name in call.query["names"]]}
        case ["serviceusage", "services", "consumerQuotaMetrics", "list"]:
            return 200, {"metrics": _metrics(call.parameters["parent"].rpartition("/")[2], 0)}
        case ["orgpolicy", *_]:
            return 200, {"name": call.parameters["name"], "spec": {"rules": [_STRICT[call.parameters["name"]]]}}
        case ["cloudbuild", *_]:
            return disabled("cloudbuild")
        case ["run", *_]:
            return 200, {"locations": [{"locationId": "us-central1"}, {"locationId": "europe-west9"}]}
        case ["storage", "buckets", "get"] if call.parameters["bucket"] == STATE:
            return everything_there(Call(call.id, {"bucket": "none"}, {}, None))
        case ["storage", "buckets", "get"]:
            message = f"{call.parameters['bucket']}: caller does not have storage.buckets.get access"
            return 403, error(403, "PERMISSION_DENIED", message)
    raise ValueError(f"no answer to {call.id}")


def bucket(name: str, number: str = NUMBER, is_versioned: bool = True) -> dict[str, Any]:
    """Return a bucket of a project."""
    return {
        "kind": "storage#bucket",
        "id": name,
        "name": name,
        "projectNumber": number,
        "location": "EUROPE-WEST4",
        "versioning": {"enabled": is_versioned},
    }


def _strict(name: str, rule: dict[str, Any]) -> dict[str, Any]:
    return {f"projects/{PROJECT}/policies/{name}": rule}


_STRICT = (
    _strict("iam.allowedPolicyMemberDomains", {"values": {"allowedValues": ["is:C00acme00"]}})
    | _strict("gcp.resourceLocations", {"values": {"allowedValues": ["in:us-locations"]}})
    | _strict("run.allowedIngress", {"values": {"allowedValues": ["is:internal-and-cloud-load-balancing"]}})
    | _strict("iam.disableServiceAccountCreation", {"enforce": True})
    | _strict("gcp.restrictNonCmekServices", {"values": {"deniedValues": ["is:storage.googleapis.com"]}})
)


def _service(name: str, state: str) -> dict[str, str]:
    return {"name": name.replace(PROJECT, NUMBER), "parent": f"projects/{NUMBER}", "state": state}


def _metrics(service: str, limit: int | None = None) -> list[dict[str, Any]]:
    own = {
        "run.googleapis.com": {"cpu_allocation": 200_000, "mem_allocation": 400 << 30},
        "cloudbuild.googleapis.com": {"concurrent_public_pool_build_cpus": 30},
    }[service]
    return [_metric(service, f"{service}/{name}", value if limit is None else limit) for name, value in own.items()]


def _metric(service: str, metric: str, limit: int) -> dict[str, Any]:
    name = f"projects/{NUMBER}/services/{service}/consumerQuotaMetrics/{metric.replace('/', '%2F')}"
    return {
        "name": name,
        "metric": metric,
        "displayName": metric,
        "unit": "1",
        "consumerQuotaLimits": [
            {
                "name": f"{name}/limits/%2Fproject%2Fregion",
                "metric": metric,
                "unit": "1/{project}/{region}",
                "quotaBuckets": [
                    {"effectiveLimit": "1", "defaultLimit": "1", "dimensions": {"region": "asia-east1"}},
                    {"effectiveLimit": str(limit), "defaultLimit": str(limit)},
                ],
            }
        ],
    }
