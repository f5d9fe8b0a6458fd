"""What must hold of every plan, as findings that name the resource; and who may do what, read from the plan."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

WEEK_S = 7 * 24 * 3600
_BASIC = ("roles/owner", "roles/editor", "roles/viewer")
_PUBLIC = ("allUsers", "allAuthenticatedUsers")
_DEFAULT_ACCOUNT = re.compile(r"-compute@developer\.gserviceaccount\.com|@appspot\.|@cloudbuild\.")
_VERBS = {
    "roles/storage.objectCreator": {"create"},
    "roles/storage.objectViewer": {"get", "list"},
    "roles/storage.objectUser": {"create", "get", "list", "delete"},
    "projects/acme-millrace/roles/millraceObjectLister": {"list"},
}
_CONDITION = re.compile(r'resource\.name\.(startsWith|endsWith)\("([^"]*)"\)')


def resources(plan: dict[str, Any], *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give address and planned values of every resource of some kinds (none: of all)."""
    for change in plan["resource_changes"]:
        if change["mode"] == "managed" and (not kinds or change["type"] in kinds):
            yield change["address"], change["change"]["after"]


def findings(plan: dict[str, Any]) -> list[str]:
    """Give what is wrong with a plan."""
    return [*_rights(plan), *_accounts(plan), *_messages(plan), *_state(plan)]


def _rights(plan: dict[str, Any]) -> Iterator[str]:
    for address, planned in resources(plan):
        if planned.get("role") in _BASIC:
            yield f"{address}: {planned['role']} is a basic role"
        if {planned.get("member"), *(planned.get("members") or ())} & set(_PUBLIC):
            yield f"{address}: the public may"
        if _DEFAULT_ACCOUNT.search(str(planned)):
            yield f"{address}: a default account"
        if "_iam_binding" in address or "_iam_policy" in address:
            yield f"{address}: takes away rights that others gave"
    for address, planned in resources(plan, "google_cloudfunctions2_function"):
        if planned["service_config"][0]["ingress_settings"] != "ALLOW_INTERNAL_ONLY":
            yield f"{address}: can be reached from outside"


def _accounts(plan: dict[str, Any]) -> Iterator[str]:
    """An account that is left out is the default one, so it has to be written down."""
    calls = plan["configuration"]["root_module"]["module_calls"]
    for name, call in calls.items():
        for resource in call["module"].get("resources", ()):
            words = str(resource["expressions"])
            if resource["type"] == "google_cloudfunctions2_function" and (
                "'google_service_account.this.email'" not in words or "'var.platform.build_account'" not in words
            ):
                yield f"module.{name}: runs or is built as a default account"
            if resource["type"] == "google_cloud_run_v2_job" and "'google_service_account.this.email'" not in words:
                yield f"module.{name}: runs as a default account"


def _messages(plan: dict[str, Any]) -> Iterator[str]:
    subscriptions = dict(resources(plan, "google_pubsub_subscription"))
    for address, planned in subscriptions.items():
        if not planned["retry_policy"]:
            yield f"{address}: no retry policy"
        if _seconds(planned["message_retention_duration"]) < WEEK_S:
            yield f"{address}: keeps messages for less than a week"
        if [policy["ttl"] for policy in planned["expiration_policy"]] != [""]:
            yield f"{address}: expires"
        if not planned["name"].endswith("-dead"):
            if not planned["dead_letter_policy"]:
                yield f"{address}: no dead letters"
            if not planned["push_config"] or not planned["push_config"][0]["oidc_token"]:
                yield f"{address}: pushes without a token"
    names = {planned["name"] for planned in subscriptions.values()}
    for address, planned in resources(plan, "google_pubsub_topic"):
        if _seconds(planned["message_retention_duration"]) < WEEK_S:
            yield f"{address}: keeps messages for less than a week"
        if planned["name"].endswith("-dead") and planned["name"] not in names:
            yield f"{address}: dead letters without a subscription are lost"
    for address, planned in resources(plan, "google_cloud_scheduler_job"):
        if not planned["retry_config"] or not planned["http_target"][0]["oidc_token"]:
            yield f"{address}: not tried again, or without a token"


def _state(plan: dict[str, Any]) -> Iterator[str]:
    for address, planned in resources(plan, "google_storage_bucket"):
        if not planned["uniform_bucket_level_access"] or planned["public_access_prevention"] != "enforced":
            yield f"{address}: objects may have rights of their own, or be public"
        if planned["name"].endswith("-packages"):
            continue
        if planned["force_destroy"]:
            yield f"{address}: a destroy takes the objects"
        if [each["retention_duration_seconds"] >= WEEK_S for each in planned["soft_delete_policy"]] != [True]:
            yield f"{address}: what is deleted cannot be brought back for a week"
        if any(rule["action"][0]["type"] == "Delete" for rule in planned["lifecycle_rule"]):
            yield f"{address}: deletes by age"
    for address, planned in resources(plan, "google_secret_manager_secret"):
        if not planned["deletion_protection"]:
            yield f"{address}: not protected"


def _seconds(duration: str | None) -> int:
    return int((duration or "0s").removesuffix("s"))


@dataclass(frozen=True, slots=True)
class StorageRight:
    """One role of one deployable on one bucket, for the objects whose names begin and end so."""

    who: str
    role: str
    bucket: str
    prefix: str | None
    suffix: str

    def allows(self, verb: str, bucket: str, name: str) -> bool:
        """Whether it is a right to do that to the object; listing is a right on the bucket, under no condition."""
        if bucket != self.bucket or verb not in _VERBS[self.role]:
            return False
        if verb == "list":
            return self.prefix is None
        return name.startswith(self.prefix or "") and name.endswith(self.suffix)


def storage_rights(plan: dict[str, Any]) -> list[StorageRight]:
    """Give what the deployables may do in the lake and the quarantine."""
    return [
        _storage_right(address, planned)
        for address, planned in resources(plan, "google_storage_bucket_iam_member")
        if address.startswith("module.")
    ]


def _storage_right(address: str, planned: dict[str, Any]) -> StorageRight:
    bucket = planned["bucket"]
    prefix: str | None = None
    suffix = ""
    for condition in planned["condition"]:
        bounds = dict(_CONDITION.findall(condition["expression"]))
        assert re.sub(_CONDITION, "", condition["expression"]) in ("", " && "), condition["expression"]
        prefix = bounds["startsWith"].removeprefix(f"projects/_/buckets/{bucket}/objects/")
        suffix = bounds.get("endsWith", "")
    return StorageRight(who(address), planned["role"], bucket.removeprefix("acme-millrace-"), prefix, suffix)


def who(address: str) -> str:
    """Give the deployable that a resource of its module belongs to: `extract["commits"]`, `load`."""
    return re.sub(r"^module\.([^.\[]+(?:\[[^]]*\])?)\..*", r"\1", address)
