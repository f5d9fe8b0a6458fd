"""Checks of places: the region of everything, its quotas, and the buckets."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from terraform.checks.context import Context, each
from terraform.checks.findings import Finding, Group
from terraform.checks.google import Refused, objects, part, required
from terraform.checks.settings import Settings
from terraform.checks.snowflake import Account
from terraform.checks.sources import accounts

_BUCKET = 'resource "google_storage_bucket" "'
_BUCKET_NAME = re.compile(r'"(\$\{var\.project(?:_id|\.id)\}-[^"/]+)"')


@dataclass(frozen=True, slots=True)
class Quota:
    """A limit per project and region, with the least that a deployment needs of it and the reason."""

    service: str
    metric: str
    least: int
    why: str
    per_source: int = 0  # as much more for each source with an account: three functions, and the one that starts them

    def of(self, sources: int) -> "Quota":
        """Return the quota of a deployment with this many sources with an account."""
        if not self.per_source * sources:
            return self
        return replace(self, least=self.least + self.per_source * sources, why=f"{self.why}; and {sources} sources")


# Of Cloud Run: eight services and the job at one instance each; the job has 4 GiB and two vCPU.
QUOTAS = (
    Quota("run", "run.googleapis.com/cpu_allocation", 10_000, "ten vCPU, in thousandths", 4_000),
    Quota("run", "run.googleapis.com/mem_allocation", 20 << 30, "20 GiB, in bytes", 7 << 30),
    Quota("cloudbuild", "cloudbuild.googleapis.com/concurrent_public_pool_build_cpus", 1, "one build"),
)


def check_region(context: Context, group: Group) -> Iterator[Finding]:
    """Yield whether the region has Cloud Run, Cloud Build and the Snowflake account."""
    apis = [("run", "v1"), ("cloudbuild", "v2")][: 1 + context.settings.builds_images]
    asked = {f"locations of {api}": (api, version) for api, version in apis}
    yield from each(context, group, lambda of: [_location(context, group, *of)], asked)
    account, region = context.snowflake.result(), context.settings.region
    if not isinstance(account, Account):
        yield group.unknown(f"whether Snowflake's account is in {region}: there is no sign-in")
    elif account.google_region == region:
        yield group.ok(f"Snowflake's account is in {region}")
    elif account.google_region is None:
        yield group.missing(
            f"Snowflake's account is in {account.region or 'no known region'}, not at Google Cloud: traffic is paid",
            "use an account in a region of docs/before-you-deploy.md",
        )
    else:
        yield group.missing(
            f"Snowflake's account is in {account.google_region}, everything else in {region}: traffic is paid",
            f"export TF_VAR_region={account.google_region}",
        )


def _location(context: Context, group: Group, api: str, version: str) -> Finding:
    region, name = context.settings.region, {"run": "Cloud Run", "cloudbuild": "Cloud Build"}[api]
    found: list[str] = []
    token = ""
    while True:
        query = {"pageToken": token} if token else {}
        answer = context.google.get(api, f"{version}/projects/{context.settings.project}/locations", **query)
        found += [part(each, "locationId", str, "") for each in objects(answer, "locations")]
        token = part(answer, "nextPageToken", str, "")
        if not token:
            break
    if region in found:
        return group.ok(f"{name} is in {region}")
    near = [each for each in sorted(found) if each.partition("-")[0] == region.partition("-")[0]] or sorted(found)
    return group.missing(f"{name} is not in {region}, but in {', '.join(near[:8])}", "export TF_VAR_region=…")


def check_quotas(context: Context, group: Group) -> Iterator[Finding]:
    """Yield whether the limits of the region suffice for a deployment."""

    def ask(service: str) -> list[Finding]:
        limits = _limits(context, f"{service}.googleapis.com")
        sources = len(accounts(context.settings))
        return [_quota(context, group, quota.of(sources), limits) for quota in QUOTAS if quota.service == service]

    services = ["run", "cloudbuild"][: 1 + context.settings.builds_images]
    yield from each(context, group, ask, {f"quotas of {service}": service for service in services})


def _quota(context: Context, group: Group, quota: Quota, limits: dict[str, list[int]]) -> Finding:
    found = limits.get(quota.metric, [])
    region = context.settings.region
    if not found:
        return group.unknown(f"{quota.metric}: Google's answer has no limit for {region}")
    if min(found) >= quota.least:
        return group.ok(f"{quota.metric} in {region}: {min(found):,} suffices for {quota.why}")
    return group.missing(
        f"{quota.metric} in {region}: {min(found):,}, expected at least {quota.least:,} ({quota.why})",
        f"gcloud alpha services quota update --service={quota.service}.googleapis.com "
        f"--consumer=projects/{context.settings.project} --metric={quota.metric} --unit=1/{{project}}/{{region}} "
        f"--dimensions=region={region} --value={quota.least}",
    )


def _limits(context: Context, service: str) -> dict[str, list[int]]:
    """Return the limits of a service per region, by metric; the limit of one region wins over that of all."""
    limits: dict[str, list[int]] = {}
    token = ""
    while True:
        path = f"v1beta1/projects/{context.settings.project}/services/{service}/consumerQuotaMetrics"
        answer = context.google.get("serviceusage", path, view="FULL", **({"pageToken": token} if token else {}))
        for metric in objects(answer, "metrics"):
            for limit in objects(metric, "consumerQuotaLimits"):
                if "{region}" in part(limit, "unit", str, ""):
                    found = _effective(limit, context.settings.region)
                    limits.setdefault(part(metric, "metric", str, ""), []).extend(found)
        token = part(answer, "nextPageToken", str, "")
        if not token:
            return limits


def _effective(limit: dict[str, object], region: str) -> list[int]:
    by_region: dict[str, list[int]] = {}
    for bucket in objects(limit, "quotaBuckets"):
        text = part(bucket, "effectiveLimit", str, "")
        if re.fullmatch(r"-?\d+", text):
            value = int(text) if int(text) >= 0 else 1 << 62  # -1: no limit
            of_region = part(part(bucket, "dimensions", dict, {}), "region", str, "")
            by_region.setdefault(of_region, []).append(value)
    return by_region.get(region) or by_region.get("", [])


def check_buckets(context: Context, group: Group) -> Iterator[Finding]:
    """Yield whether the bucket of the state exists with versions, and whether the names of the others are free."""
    settings = context.settings
    state = state_bucket(settings)
    if state is None:
        yield group.ok("the state is in a file of terraform/: terraform/backend.tf names no bucket")
    elif "${" in state:
        yield group.unknown(f"the state's bucket: {state} in terraform/backend.tf is no literal name")
    else:
        yield from each(
            context, group, lambda name: _state(context, group, name), {f"{state}, the state's bucket": state}
        )
    yield from each(
        context, group, lambda name: [_bucket(context, group, name)], {name: name for name in bucket_names(settings)}
    )


def _bucket(context: Context, group: Group, name: str) -> Finding:
    if "${" in name:
        return group.unknown(f"the name {name}: it depends on more than variables")
    try:
        number = required(context.google.get("storage", f"b/{name}"), "projectNumber", str)
    except Refused as error:
        if error.status == 404:
            return group.ok(f"{name}: the name is free")
        if error.status != 403 or error.is_disabled:
            raise
        return group.missing(
            f"{name}: the bucket exists, and this account may not see it: another project may have the name",
            "export TF_VAR_project_id=…",
        )
    project = context.google.get("cloudresourcemanager", f"v3/projects/{context.settings.project}")
    if number == required(project, "name", str).removeprefix("projects/"):
        return group.ok(f"{name}: the bucket is in {context.settings.project}")
    return group.missing(f"{name}: another project has a bucket of this name", "export TF_VAR_project_id=…")


def _state(context: Context, group: Group, name: str) -> Iterator[Finding]:
    made = f"gcloud storage buckets create gs://{name} --project={context.settings.project} "
    made += f"--location={context.settings.region} --uniform-bucket-level-access --public-access-prevention"
    versioned = f"gcloud storage buckets update gs://{name} --versioning"
    try:
        found = context.google.get("storage", f"b/{name}")
    except Refused as error:
        if error.status != 404:
            raise
        yield group.missing(f"{name}, the state's bucket, does not exist", f"{made} && {versioned}")
        return
    if part(part(found, "versioning", dict, {}), "enabled", bool, False):
        yield group.ok(f"{name}, the state's bucket, keeps old versions")
    else:
        yield group.missing(f"{name}, the state's bucket, keeps no old versions", versioned)


def state_bucket(settings: Settings) -> str | None:
    """Return the bucket that terraform/backend.tf names; None where the state is in a file."""
    path = settings.folder / "backend.tf"
    found = re.search(r'^\s*bucket\s*=\s*"([^"]+)"', path.read_text() if path.is_file() else "", re.MULTILINE)
    return found[1] if found else None


def bucket_names(settings: Settings) -> list[str]:
    """Return the names of the buckets that the Terraform code makes; `${…}` is left in a name that is not known."""
    known = {"${var.project_id}": settings.project, "${var.project.id}": settings.project}
    known |= {"${var.prefix}": settings.prefix, "${local.prefix}": settings.prefix}
    found = {name for text in settings.sources() if _BUCKET in text for name in _BUCKET_NAME.findall(text)}
    for variable, value in known.items():
        found = {name.replace(variable, value) for name in found}
    return sorted(name for name in found if settings.builds_images or not name.endswith("packages"))
