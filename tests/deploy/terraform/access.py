"""Who may do what, as the rows of the table in docs/access.md, and the alerts with their texts, read from a plan."""

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from tests.deploy.terraform.rules import StorageRight, containers, resources, storage_rights, who

_MAY = {
    "millraceBucketLooker": "look at, list names",
    "roles/storage.objectCreator": "create",
    "roles/storage.objectViewer": "read",
    "roles/storage.objectUser": "read, create, replace",
    "millraceObjectLister": "list names",
}
_OTHERS = {
    "google_secret_manager_secret_iam_member.reads": ("{who}", "read", "secret `{secret_id}`"),
    "google_cloud_run_v2_service_iam_member.caller": ("call-{who}", "call", "function `{who}`"),
    "google_cloud_run_v2_service_iam_member.invokers": ("{who} readers", "call", "function `{who}`"),
    "google_cloud_run_v2_service_iam_member.proxy": ("Identity-Aware Proxy", "call", "function `{who}`"),
    "google_iap_web_cloud_run_service_iam_member.invokers": ("{who} readers", "sign in to", "proxy of `{who}`"),
    "google_cloud_run_v2_job_iam_member.load_starts_builds": ("load", "start, look at", "job `{name}`"),
    "google_cloud_run_v2_job_iam_member.sweep_starts_builds": ("sweep", "start, look at", "job `{name}`"),
    "google_storage_bucket_iam_member.build_reads": ("build-images", "read", "packages"),
    "google_artifact_registry_repository_iam_member.build_writes": ("build-images", "read, push", "images"),
    "google_kms_crypto_key_iam_member.agent": ("Google's services", "encrypt with", "the key `kms_key`"),
    "google_kms_crypto_key_iam_member.storage": ("Google's services", "encrypt with", "the key `kms_key`"),
    "google_project_iam_member.build_logs": ("build-images", "write", "logs"),
    "google_service_account_iam_member.pubsub_signs": ("Pub/Sub", "sign as", "call-{who}"),
    "google_pubsub_subscription_iam_member.dead_letters": ("Pub/Sub", "take off", "subscriptions of `{who}`"),
    "google_pubsub_topic_iam_member.dead_letters": ("Pub/Sub", "publish to", "dead letters"),
    "google_pubsub_topic_iam_member.storage_publishes": ("Cloud Storage", "publish to", "topic `object-events`"),
}


def rows(plan: dict[str, Any]) -> set[str]:
    """Return the rows of the table."""
    found = {_row(right.who, _MAY[right.role], _objects(right), right.who) for right in storage_rights(plan)}
    for address, planned in resources(plan):
        kind = re.sub(r"\[[^]]*\]", "", address)
        kind = ".".join(kind.split(".")[-2:])
        if not re.search(r"_iam_(member|binding|policy)\.", kind) or kind == "google_storage_bucket_iam_member.this":
            continue
        if kind == "google_pubsub_topic_iam_member.publishes":
            topic = re.findall(r'\["([^"]*)"\]', address)[-1]
            found.add(_row(who(address), "publish to", f"topic `{topic}`", who(address)))
            continue
        name, may, what = (text.format(**planned, who=_named(who(address))) for text in _OTHERS[kind])
        what = re.sub(r"source-key-[a-z0-9-]+", "source-key-<source>", what)
        found.add(f"| {name} | {may} | {what} |")
    return found | _in_snowflake(plan)


def _in_snowflake(plan: dict[str, Any]) -> set[str]:
    """Return one row for all things of a kind for which a role has the same rights."""
    things: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for _, planned in resources(plan, "snowflake_grant_privileges_to_account_role"):
        kind, name = _thing(planned)
        things[planned["account_role_name"], ", ".join(sorted(planned["privileges"])), kind].add(name)
    for _, planned in resources(plan, "snowflake_grant_account_role"):
        grantee = planned["parent_role_name"] or f"user {planned['user_name']}"
        things[grantee, "act by", "role"].add(planned["role_name"])
    for deployable, address in warehouses(plan):
        user = re.search(r"[?&]user=(\w+)", address)
        things[deployable, "sign in as", "user"].add(user[1] if user else address)
    return {
        f"| {who} | {may} | {kind} {', '.join(f'`{name}`' for name in sorted(names))} |"
        for (who, may, kind), names in things.items()
    }


def warehouses(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each deployable that has a warehouse, with the setting that names it."""
    for address, container in containers(plan):
        for setting in container["env"]:
            if setting["name"] == "MILLRACE_WAREHOUSE":
                yield who(address).replace("_", "-"), setting["value"]


def alerts(plan: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return severity, title and text of each alert, by title."""
    policies = [planned for _, planned in resources(plan, "google_monitoring_alert_policy")]
    return sorted(
        ((each["severity"], each["display_name"], each["documentation"][0]["content"]) for each in policies),
        key=lambda alert: alert[1],
    )


def _thing(grant: dict[str, Any]) -> tuple[str, str]:
    """Return kind and name of the object of a right, without the database: there is only one."""
    for on in grant["on_account_object"]:
        return on["object_type"].lower(), on["object_name"]
    for on in grant["on_schema"]:
        return "schema", _within(on["schema_name"])
    on = grant["on_schema_object"][0]
    for all_of in on["all"]:
        return f"every {_one_of(all_of)} of", _within(all_of["in_schema"])
    for future in on["future"]:
        return f"every future {_one_of(future)} of", _within(future["in_schema"])
    return on["object_type"].lower(), _within(on["object_name"])


def _one_of(kind: dict[str, Any]) -> str:
    return str(kind["object_type_plural"]).lower().removesuffix("s")


def _within(name: str) -> str:
    return name.replace('"', "").removeprefix("MILLRACE.")


def _objects(right: StorageRight) -> str:
    if right.prefix is None:
        return f"{right.bucket}: everything"
    middle = f"…{right.middle}" if right.middle else ""
    is_open = right.suffix or (middle or right.prefix).endswith("/")
    return f"{right.bucket}: `{right.prefix}{middle}{'…' if is_open else ''}{right.suffix}`"


def _row(name: str, may: str, what: str, deployable: str) -> str:
    what = re.sub(r"Z-[a-z0-9-]+/", "Z-<account>/", what)
    table = re.search(r'"(\w+)"', deployable)
    if deployable.startswith("source_"):
        what = re.sub(r"state/[a-z0-9-]+/", "state/<account>/", what)
        what = re.sub(r"raw/\w+/", "raw/<fed table>/" if may == "create" else "raw/<parent>/", what)
        endpoint = re.search(r'/(\w+)"', deployable)
        what = re.sub(rf"(?<=/){endpoint[1]}(?=\W|__)", "<endpoint>", what) if endpoint else what
    elif table:
        what = re.sub(rf"(/){table[1]}([./])", r"\1<table>\2", what)
        what = re.sub(r"(raw/)(?!<)\w+/", r"\1<parent>/", what)
    return f"| {_named(name)} | {may} | {what} |"


def _named(deployable: str) -> str:
    if deployable == "snowflake":
        return "Snowflake"
    if deployable.startswith("collectors["):
        return "collectors"
    deployable = re.sub(r'^source_extract\["[^"]*"\]', "gh-<source>-<endpoint>", deployable)
    deployable = re.sub(r'^source_start\["[^"]*"\]', "gh-<source>-start", deployable)
    return re.sub(r'\["\w+"\]', "-<table>", deployable).replace("_", "-")
