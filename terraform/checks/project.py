"""Checks of the project: its existence, its billing, its APIs, and the rights of the account that applies."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from terraform.checks.context import Context, each
from terraform.checks.findings import Finding, Group
from terraform.checks.google import Refused, objects, part
from terraform.checks.settings import Settings

_RIGHTS = Path(__file__).with_name("permissions.txt")
_MOST_NAMES = 20  # of services in one request


@dataclass(frozen=True, slots=True)
class Right:
    """A permission that an apply needs, and the role that has it."""

    permission: str
    role: str
    where: str
    types: tuple[str, ...]


def rights() -> list[Right]:
    """Return the lines of permissions.txt."""
    lines = [line.split() for line in _RIGHTS.read_text().splitlines() if line and not line.startswith("#")]
    return [Right(permission, role, where, tuple(types)) for permission, role, where, *types in lines]


def resource_types(settings: Settings) -> set[str]:
    """Return the types of the resources in the Terraform code."""
    return {name for text in settings.sources() for name in re.findall(r'^resource "(\w+)"', text, re.MULTILINE)}


def check_project(context: Context, group: Group) -> Iterator[Finding]:
    """Yield whether the project exists and has billing."""
    questions = {"the project": _exists, "billing": _has_billing}
    yield from each(context, group, lambda ask: [ask(context, group)], questions)


def _exists(context: Context, group: Group) -> Finding:
    project = context.settings.project
    try:
        state = part(context.google.get("cloudresourcemanager", f"v3/projects/{project}"), "state", str, "")
    except Refused as error:
        if error.is_disabled or error.status not in (403, 404):
            raise
        # The API does not distinguish a missing project from one that the caller may not see.
        return group.missing(
            f"{project} does not exist, or this account may not see it", f"gcloud projects create {project}"
        )
    if state == "ACTIVE":
        return group.ok(f"{project} exists")
    return group.missing(f"{project} is {state or 'in no known state'}", f"gcloud projects undelete {project}")


def _has_billing(context: Context, group: Group) -> Finding:
    project, account = context.settings.project, context.settings.text("billing_account") or "ACCOUNT"
    if part(context.google.get("cloudbilling", f"v1/projects/{project}/billingInfo"), "billingEnabled", bool, False):
        return group.ok("billing is enabled")
    return group.missing(
        "billing is not enabled", f"gcloud billing projects link {project} --billing-account={account}"
    )


def services(settings: Settings) -> list[str]:
    """Return the APIs that the Terraform code names, without those that these settings do not need."""
    named = {name for text in settings.sources() for name in re.findall(r'"([a-z]+)\.googleapis\.com"', text)}
    return sorted(f"{name}.googleapis.com" for name in named - _unneeded(settings))


def _unneeded(settings: Settings) -> set[str]:
    """Return the services that these settings make nothing of."""
    is_needed = {
        "artifactregistry": settings.builds_images,
        "billingbudgets": settings.text("billing_account") is not None,
        "cloudbuild": settings.builds_images,
        "iap": bool(settings.values.get("api_iap")),
    }
    return {name for name, needed in is_needed.items() if not needed}


def check_services(context: Context, group: Group) -> Iterator[Finding]:
    """Yield whether the APIs are enabled; the apply enables them itself where the account may."""
    project, needed = context.settings.project, services(context.settings)
    enabled: set[str] = set()
    for first in range(0, len(needed), _MOST_NAMES):
        names = [f"projects/{project}/services/{name}" for name in needed[first : first + _MOST_NAMES]]
        answer = context.google.get("serviceusage", f"v1/projects/{project}/services:batchGet", names=names)
        for service in objects(answer, "services"):
            if part(service, "state", str, "") == "ENABLED":
                enabled.add(part(service, "name", str, "").rpartition("/")[2])
    if here := [name for name in needed if name in enabled]:
        yield group.ok(f"enabled: {_short(here)}")
    if absent := [name for name in needed if name not in enabled]:
        may = _granted(context, ["serviceusage.services.enable"])
        who = "the apply enables them" if may else "this account may not enable them"
        yield group.missing(
            f"not enabled: {_short(absent)} ({who})", f"gcloud services enable {' '.join(absent)} --project={project}"
        )


def _short(names: Sequence[str]) -> str:
    return ", ".join(name.removesuffix(".googleapis.com") for name in names)


def check_rights(context: Context, group: Group) -> Iterator[Finding]:
    """Yield for each service whether the account has the permissions that the resources of the code need."""
    settings, used = context.settings, resource_types(context.settings)
    needed = [
        right
        for right in rights()
        if used.intersection(right.types) and right.permission.partition(".")[0] not in _unneeded(settings)
    ]
    places = {"project": f"projects/{settings.project}", "billing": None, "key": settings.text("kms_key")}
    if account := settings.text("billing_account"):
        places["billing"] = f"billingAccounts/{account.removeprefix('billingAccounts/')}"

    def ask(role_and_where: tuple[str, str]) -> Iterator[Finding]:
        role, where = role_and_where
        place = places[where]
        if place is None:
            return  # the settings make no such resource
        wanted = [right.permission for right in needed if (right.role, right.where) == role_and_where]
        if lacking := sorted(set(wanted) - _granted(context, wanted, place)):
            yield group.missing(f"{', '.join(lacking)} on {place}", _grant(context, role, where, place))
        else:
            yield group.ok(f"{role} on {place}: {len(wanted)} permission{'s' * (len(wanted) > 1)}")

    roles = {right.role: (right.role, right.where) for right in sorted(needed, key=lambda right: right.role)}
    yield from each(context, group, ask, roles)


def _granted(context: Context, permissions: Sequence[str], place: str | None = None) -> set[str]:
    place = place or f"projects/{context.settings.project}"
    api, version = {"projects": ("cloudresourcemanager", "v3"), "billingAccounts": ("cloudbilling", "v1")}[
        place.partition("/")[0]
    ]
    if "/cryptoKeys/" in place:
        api, version = "cloudkms", "v1"
    answer = context.google.post(api, f"{version}/{place}:testIamPermissions", {"permissions": list(permissions)})
    return {name for name in part(answer, "permissions", list, []) if isinstance(name, str)}


def _grant(context: Context, role: str, where: str, place: str) -> str:
    binding = f"--member={context.member} --role={role}"
    if where == "billing":
        return f"gcloud billing accounts add-iam-policy-binding {place.partition('/')[2]} {binding}"
    if where == "key":
        return f"gcloud kms keys add-iam-policy-binding {place} {binding}"
    return f"gcloud projects add-iam-policy-binding {context.settings.project} {binding}"
