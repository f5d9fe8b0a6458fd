"""The rules for every plan, as findings that name the resource, and the rights of each deployable, read from it."""

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
    "millraceBucketLooker": {"list"},
    "millraceObjectLister": {"list"},
}
_ADMINISTRATORS = ("ACCOUNTADMIN", "ORGADMIN", "SECURITYADMIN", "SYSADMIN", "USERADMIN")
_RAW = re.compile(r"gcs://acme-millrace-(\w+-)?lake/raw/")
_CONDITION = re.compile(r'resource\.name\.(startsWith|endsWith|extract)\("([^"]*)"\)(?: != "")?')


def resources(plan: dict[str, Any], *kinds: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield address and planned values of every resource of some kinds (none: of all)."""
    for change in plan["resource_changes"]:
        if change["mode"] == "managed" and (not kinds or change["type"] in kinds):
            yield change["address"], change["change"]["after"]


def containers(plan: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield address and only container of each service and of the job."""
    for address, planned in resources(plan, "google_cloud_run_v2_service"):
        yield address, planned["template"][0]["containers"][0]
    for address, planned in resources(plan, "google_cloud_run_v2_job"):
        yield address, planned["template"][0]["template"][0]["containers"][0]


def findings(plan: dict[str, Any]) -> list[str]:
    """Return the findings in a plan."""
    google = [*_rights(plan), *_accounts(plan), *_services(plan), *_messages(plan), *_state(plan)]
    return [*google, *_snowflake_rights(plan), *_snowflake_users(plan), *_snowflake_objects(plan)]


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
    for address, planned in resources(plan, "google_cloud_run_v2_service"):
        if planned["ingress"] != "INGRESS_TRAFFIC_INTERNAL_ONLY":
            yield f"{address}: can be reached from outside"


def _accounts(plan: dict[str, Any]) -> Iterator[str]:
    """Without an account a resource runs as the default one, so every account has to be written down."""
    calls = plan["configuration"]["root_module"]["module_calls"]
    for name, call in calls.items():
        for resource in call["module"].get("resources", ()):
            words = str(resource["expressions"])
            is_run = resource["type"] in ("google_cloud_run_v2_service", "google_cloud_run_v2_job")
            if is_run and "'google_service_account.this.email'" not in words:
                yield f"module.{name}: runs as a default account"


def _services(plan: dict[str, Any]) -> Iterator[str]:
    """Each image is named by its digest where the plan knows it, and each service says whether it works."""
    for address, container in containers(plan):
        image = container.get("image")
        if image is not None and not re.search(r"@sha256:[0-9a-f]{64}$", image):
            yield f"{address}: its image may be moved"
        probes = [*container.get("startup_probe", ()), *container.get("liveness_probe", ())]
        if "_service." in address and [probe["http_get"][0]["path"] for probe in probes] != ["/health", "/health"]:
            yield f"{address}: nothing looks whether it works"


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
        deleted = [rule["condition"][0] for rule in planned["lifecycle_rule"] if rule["action"][0]["type"] == "Delete"]
        if any(condition["matches_prefix"] != ["build/artifacts/"] for condition in deleted):
            yield f"{address}: deletes data by age"
    for address, planned in resources(plan, "google_secret_manager_secret"):
        if not planned["deletion_protection"]:
            yield f"{address}: not protected"


def _snowflake_rights(plan: dict[str, Any]) -> Iterator[str]:
    for address, planned in resources(plan):
        kind = address.rpartition(".snowflake_")[2].partition(".")[0]
        grantees = {planned.get("account_role_name"), planned.get("parent_role_name")} if "grant_" in kind else set()
        if "PUBLIC" in grantees:
            yield f"{address}: everybody may"
        if kind.startswith("grant_ownership"):
            yield f"{address}: gives a thing away"
        if kind.startswith("grant_privileges"):
            if planned["all_privileges"] or {"ALL", "ALL PRIVILEGES", "OWNERSHIP"} & set(planned["privileges"]):
                yield f"{address}: every right at once"
            if planned["on_account"] or planned["with_grant_option"]:
                yield f"{address}: a right on the account, or to pass on"
        if kind == "grant_account_role" and planned["user_name"] and planned["role_name"] in _ADMINISTRATORS:
            yield f"{address}: a service administers the account"
        if kind == "execute" and re.search(
            r"\b(GRANT|PASSWORD)\b", f"{planned.get('execute')} {planned.get('revert')}"
        ):
            yield f"{address}: grants, or knows a password"


def _snowflake_users(plan: dict[str, Any]) -> Iterator[str]:
    for address, _ in resources(plan, "snowflake_legacy_service_user", "snowflake_user"):
        yield f"{address}: is not TYPE=SERVICE, and may have a password"
    changes = {address for address, _ in resources(plan, "snowflake_execute")}
    for address, planned in resources(plan, "snowflake_service_user"):
        deployment, _, user = planned["name"].rpartition("_")
        role = f"{deployment}_{({'API': 'READER', 'SWEEPER': 'LOADER'}).get(user, user)}"
        if planned["default_role"] != role or planned["default_secondary_roles_option"] != "NONE":
            yield f"{address}: acts by another role than its own"
        identity = address.replace("snowflake_service_user.this", "snowflake_execute.identity")
        if (identity in changes) == bool(planned["rsa_public_key"]):
            yield f"{address}: signs in by its identity or by a key, by one of them"
        if address.replace("snowflake_service_user.this", "snowflake_execute.short_sessions") not in changes:
            yield f"{address}: keeps a session that nobody uses"


def _snowflake_objects(plan: dict[str, Any]) -> Iterator[str]:
    for address, planned in resources(plan, "snowflake_storage_integration"):
        if [bool(_RAW.fullmatch(each)) for each in planned["storage_allowed_locations"]] != [True]:
            yield f"{address}: reads more than raw/"
    for address, planned in resources(plan, "snowflake_stage"):
        if planned["credentials"] or (planned["url"] and not planned["storage_integration"]):
            yield f"{address}: reads with credentials of its own"
    for address, planned in resources(plan, "snowflake_schema"):
        if planned["with_managed_access"] != "true":
            yield f"{address}: who owns a table in it may grant it to everybody"
    monitors = {
        planned["name"]
        for _, planned in resources(plan, "snowflake_resource_monitor")
        if planned["credit_quota"] and planned["suspend_trigger"] and planned["suspend_immediate_trigger"]
    }
    for address, planned in resources(plan, "snowflake_warehouse"):
        if planned["auto_suspend"] != 60 or not planned["initially_suspended"]:
            yield f"{address}: does not sleep after a minute"
        if planned["resource_monitor"] not in monitors:
            yield f"{address}: nothing limits its credits"


def _seconds(duration: str | None) -> int:
    return int((duration or "0s").removesuffix("s"))


@dataclass(frozen=True, slots=True)
class StorageRight:
    """One role of one deployable on one bucket, for objects whose names begin and end so, with a text between.

    The text is searched after at least one character behind the prefix, as IAM's `extract` does.
    """

    who: str
    role: str
    bucket: str
    prefix: str | None
    middle: str
    suffix: str

    def allows(self, verb: str, bucket: str, name: str) -> bool:
        """Return whether it allows the verb on the object; listing is a right on the bucket, without a condition."""
        if bucket != self.bucket or verb not in _VERBS[self.role]:
            return False
        if verb == "list":
            return self.prefix is None
        prefix = self.prefix or ""
        has_middle = not self.middle or name.find(self.middle, len(prefix)) > len(prefix)
        return name.startswith(prefix) and has_middle and name.endswith(self.suffix)


def storage_rights(plan: dict[str, Any]) -> list[StorageRight]:
    """Return the rights of the deployables in the lake and the quarantine."""
    return [
        _storage_right(address, planned)
        for address, planned in resources(plan, "google_storage_bucket_iam_member")
        if ".google_storage_bucket_iam_member.this[" in address
    ]


def _storage_right(address: str, planned: dict[str, Any]) -> StorageRight:
    bucket = planned["bucket"]
    prefix: str | None = None
    middle = suffix = ""
    for condition in planned["condition"]:
        bounds = dict(_CONDITION.findall(condition["expression"]))
        assert re.sub(_CONDITION, "", condition["expression"]) in ("", " && ", " &&  && "), condition["expression"]
        prefix = bounds["startsWith"].removeprefix(f"projects/_/buckets/{bucket}/objects/")
        beginning, _, middle = bounds.get("extract", "").partition("{any}")
        assert beginning in ("", bounds["startsWith"]), condition["expression"]
        suffix = bounds.get("endsWith", "")
    role = re.sub(r"^projects/.*(?=millrace[A-Z])", "", planned["role"])
    return StorageRight(who(address), role, bucket.rpartition("-")[2], prefix, middle, suffix)


def who(address: str) -> str:
    """Return the deployable that a resource of its module belongs to: `extract["commits"]`, `load`."""
    return re.sub(r"^module\.([^.\[]+(?:\[[^]]*\])?)\..*", r"\1", address).removesuffix("[0]")
