"""Checks of the organisation's policies: those that refuse something that the apply makes."""

from collections.abc import Iterator
from dataclasses import dataclass

from terraform.checks.context import Context, each
from terraform.checks.findings import Finding, Group
from terraform.checks.google import objects, part, required
from terraform.checks.snowflake import Account

_CONTINENTS = ("africa", "asia", "australia", "europe", "me", "northamerica", "southamerica", "us")
_INGRESS = {
    "ALLOW_ALL": "all",
    "ALLOW_INTERNAL_AND_GCLB": "internal-and-cloud-load-balancing",
    "ALLOW_INTERNAL_ONLY": "internal",
}
_ENCRYPTED = ("artifactregistry", "pubsub", "run", "secretmanager", "storage")


@dataclass(frozen=True, slots=True)
class Policy:
    """The effective rules of one constraint. `allowed` None means that every value is allowed which is not denied."""

    name: str
    allowed: tuple[str, ...] | None
    denied: tuple[str, ...]
    denies_all: bool
    is_enforced: bool
    has_conditions: bool


def effective(context: Context, name: str) -> Policy:
    """Return the effective policy of a constraint; Refused or Unanswered without one."""
    path = f"v2/projects/{context.settings.project}/policies/{name}:getEffectivePolicy"
    rules = objects(required(context.google.get("orgpolicy", path), "spec", dict), "rules")
    values = [part(rule, "values", dict, {}) for rule in rules]
    allowed = [str(each) for value in values for each in part(value, "allowedValues", list, [])]
    denied = [str(each) for value in values for each in part(value, "deniedValues", list, [])]
    return Policy(
        name,
        tuple(allowed) or None,
        tuple(denied),
        denies_all=any(part(rule, "denyAll", bool, False) for rule in rules),
        is_enforced=any(part(rule, "enforce", bool, False) for rule in rules),
        has_conditions=any("condition" in rule for rule in rules),
    )


def check_policies(context: Context, group: Group) -> Iterator[Finding]:
    """Yield for each constraint whether it refuses something of the deployment."""

    def ask(name: str) -> Iterator[Finding]:
        policy = effective(context, name)
        if policy.has_conditions:
            yield group.unknown(f"{name} has conditions: read it", _describe(context, name))
        else:
            yield from _JUDGES[name](context, group, policy)

    yield from each(context, group, ask, {name: name for name in _JUDGES})


def _members(context: Context, group: Group, policy: Policy) -> Iterator[Finding]:
    if policy.allowed is None and not policy.denies_all:
        yield group.ok(f"{policy.name} allows every domain")
        return
    allowed = {each.removeprefix("is:") for each in policy.allowed or ()}
    account = context.snowflake.result()
    customers = account.customers if isinstance(account, Account) else ()
    absent = [each for each in customers if each not in allowed]
    if absent:
        yield group.missing(
            f"{policy.name} refuses Snowflake's Google account (customer {', '.join(absent)})",
            _allow(context, policy.name, *absent),
        )
    elif customers:
        yield group.ok(f"{policy.name} allows Snowflake's customer {', '.join(customers)}")
    else:
        yield group.unknown(
            f"{policy.name} allows {', '.join(sorted(allowed)) or 'no domain'} only; whether Snowflake's customer is "
            "one of them is known after a sign-in as ACCOUNTADMIN: select system$get_snowflake_platform_info()",
            _allow(context, policy.name, "SNOWFLAKE-CUSTOMER-ID"),
        )
    members = [member for name in ("api_readers", "collectors") for member in context.settings.texts(name)]
    if domains := sorted({member.rpartition("@")[2] for member in members if "@" in member}):
        yield group.unknown(
            f"{policy.name}: whether api_readers and collectors of {', '.join(domains)} are of an allowed customer",
            _describe(context, policy.name),
        )


def _locations(context: Context, group: Group, policy: Policy) -> Iterator[Finding]:
    region = context.settings.region
    named = {region, f"in:{region}-locations"}
    if policy.denies_all or named.intersection(policy.denied):
        yield group.missing(f"{policy.name} refuses {region}", _allow(context, policy.name, f"in:{region}-locations"))
    elif (policy.allowed is None or named.intersection(policy.allowed)) and not policy.denied:
        yield group.ok(f"{policy.name} allows {region}")
    else:
        groups = [each for each in (policy.allowed or ()) if each.startswith("in:") and not _is_plain(each)]
        unclear = [*groups, *policy.denied]
        continent = f"in:{region.partition('-')[0]}-locations"
        if continent in (policy.allowed or ()) and not policy.denied:
            yield group.ok(f"{policy.name} allows {region}, by {continent}")
        elif unclear:
            yield group.unknown(
                f"{policy.name}: whether {', '.join(unclear)} has {region}", _describe(context, policy.name)
            )
        else:
            yield group.missing(
                f"{policy.name} refuses {region}: it allows {', '.join(policy.allowed or ())}",
                _allow(context, policy.name, f"in:{region}-locations"),
            )


def _is_plain(value: str) -> bool:
    """Return whether a group of locations is one region or one continent, and so certainly clear."""
    name = value.removeprefix("in:").removesuffix("-locations")
    return name in _CONTINENTS or name[-1:].isdigit()


def _ingress(context: Context, group: Group, policy: Policy) -> Iterator[Finding]:
    needed = {"internal", _INGRESS.get(context.settings.text("api_ingress") or "", "internal")}
    allowed = None if policy.allowed is None else {each.removeprefix("is:") for each in policy.allowed}
    denied = {each.removeprefix("is:") for each in policy.denied}
    refused = sorted(needed if policy.denies_all else (needed & denied) | (needed - allowed if allowed else set()))
    if refused:
        yield group.missing(f"{policy.name} refuses {', '.join(refused)}", _allow(context, policy.name, *refused))
    else:
        yield group.ok(f"{policy.name} allows {', '.join(sorted(needed))}")


def _accounts(context: Context, group: Group, policy: Policy) -> Iterator[Finding]:
    if policy.is_enforced:
        yield group.missing(
            f"{policy.name} refuses the deployment's accounts",
            f"gcloud resource-manager org-policies disable-enforce {policy.name} --project={context.settings.project}",
        )
    else:
        yield group.ok(f"{policy.name} is not enforced")


def _encryption(context: Context, group: Group, policy: Policy) -> Iterator[Finding]:
    denied = {each.removeprefix("is:").removesuffix(".googleapis.com") for each in policy.denied}
    refused = sorted(denied.intersection(_ENCRYPTED))
    if (refused or policy.denies_all) and not context.settings.text("kms_key"):
        yield group.missing(
            f"{policy.name} refuses {', '.join(refused) or 'everything'} without a key of yours",
            "export TF_VAR_kms_key=projects/P/locations/L/keyRings/R/cryptoKeys/K",
        )
    else:
        yield group.ok(f"{policy.name} refuses nothing")


def _allow(context: Context, name: str, *values: str) -> str:
    texts = " ".join(values)
    return f"gcloud resource-manager org-policies allow {name} {texts} --project={context.settings.project}"


def _describe(context: Context, name: str) -> str:
    return f"gcloud org-policies describe {name} --project={context.settings.project} --effective"


_JUDGES = {
    "iam.allowedPolicyMemberDomains": _members,
    "gcp.resourceLocations": _locations,
    "run.allowedIngress": _ingress,
    "iam.disableServiceAccountCreation": _accounts,
    "gcp.restrictNonCmekServices": _encryption,
}
