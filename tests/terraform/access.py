"""Who may do what, as the rows of the table in docs/access.md: read from a plan, one row for all tables."""

import re
from typing import Any

from tests.terraform.rules import resources, storage_rights, who

_MAY = {
    "roles/storage.objectCreator": "create",
    "roles/storage.objectViewer": "read",
    "roles/storage.objectUser": "read, create, replace",
    "projects/acme-millrace/roles/millraceObjectLister": "list names",
}
_OTHERS = {
    "google_secret_manager_secret_iam_member.reads": ("{who}", "read", "secret `{secret_id}`"),
    "google_cloud_run_v2_service_iam_member.caller": ("call-{who}", "call", "function `{who}`"),
    "google_cloud_run_v2_job_iam_member.load_starts_builds": ("load", "start, look at", "job `{name}`"),
    "google_storage_bucket_iam_member.build_reads": ("build-images", "read", "packages"),
    "google_artifact_registry_repository_iam_member.build_writes": ("build-images", "read, push", "images"),
    "google_project_iam_member.build_reads_copies": ("build-images", "read", "the platform's copies of packages"),
    "google_project_iam_member.build_logs": ("build-images", "write", "logs"),
    "google_service_account_iam_member.pubsub_signs": ("Pub/Sub", "sign as", "call-{who}"),
    "google_pubsub_subscription_iam_member.dead_letters": ("Pub/Sub", "take off", "subscriptions of `{who}`"),
    "google_pubsub_topic_iam_member.dead_letters": ("Pub/Sub", "publish to", "dead letters"),
    "google_pubsub_topic_iam_member.storage_publishes": ("Cloud Storage", "publish to", "topic `object-events`"),
}


def rows(plan: dict[str, Any]) -> set[str]:
    """Give the rows of the table."""
    found = {
        _row(right.who, _MAY[right.role], _objects(right.bucket, right.prefix, right.suffix), right.who)
        for right in storage_rights(plan)
    }
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
        found.add(f"| {name} | {may} | {what} |")
    return found


def _objects(bucket: str, prefix: str | None, suffix: str) -> str:
    if prefix is None:
        return f"{bucket}: everything"
    return f"{bucket}: `{prefix}{'…' if suffix or prefix.endswith('/') else ''}{suffix}`"


def _row(name: str, may: str, what: str, deployable: str) -> str:
    table = re.search(r'"(\w+)"', deployable)
    if table:
        what = re.sub(rf"(/){table[1]}([./])", r"\1<table>\2", what)
        what = re.sub(r"(raw/)(?!<)\w+/", r"\1<parent>/", what)
    return f"| {_named(name)} | {may} | {what} |"


def _named(deployable: str) -> str:
    return re.sub(r'\["\w+"\]', "-<table>", deployable).replace("_", "-")
