"""Checks of the sources of GitHub: what each secret may see, by a few requests that only read."""

import json
import time
from collections.abc import Iterator

from terraform.checks.context import Context, each
from terraform.checks.findings import Finding, Group
from terraform.checks.google import Unanswered
from terraform.checks.sources import Account, accounts

from millrace.errors import ConfigError, MillraceError, RequestRejected, SourceUnavailable
from millrace.extract.sources.github.source import Probe

_RIGHTS = {"pull requests": "Pull requests", "commits": "Contents"}  # as the page of a token names them
_LONGEST_WAIT_S = 5.0


def check_sources(context: Context, group: Group) -> Iterator[Finding]:
    """Yield for each source whether its secret is accepted, its owner exists, and which rights are missing."""
    yield from each(
        context, group, lambda source: _check(group, source), {each.key: each for each in accounts(context.settings)}
    )


def _retry(seconds: float) -> None:
    """Wait before another attempt at a short question."""
    time.sleep(min(seconds, 0.5))


def _limit(seconds: float) -> None:
    """Raise Unanswered where the source demands a wait that is longer than a short question takes."""
    if seconds > _LONGEST_WAIT_S:
        raise Unanswered(f"over its rate limit for {seconds:.0f} s; try again then")
    time.sleep(seconds)


def _check(group: Group, source: Account) -> Iterator[Finding]:
    name = f"{source.key} ({source.account} at {source.url})"
    if source.secret is None:
        yield group.unknown(f"{name}: TF_VAR_source_keys has no secret of it", _export(source))
        return
    try:
        found = source.asked(_retry, _limit).probe()
    except (ConfigError, RequestRejected) as error:
        yield group.missing(f"{name}: {_named(source, error)}", _export(source))
    except SourceUnavailable as error:
        yield group.missing(f"{name}: {_named(source, error)}", f"let this machine reach {source.url}")
    except MillraceError as error:
        yield group.unknown(f"{name}: {_named(source, error)}")
    else:
        yield from _of(group, source, name, found)


def _of(group: Group, source: Account, name: str, found: Probe) -> Iterator[Finding]:
    seen = {full.partition("/")[2].lower() for full in found.repositories}
    text = f"{name}: {found.kind} of {found.login or 'the App'}, sees {len(seen)} repositories"
    if found.hidden:
        text += f"; there may be more: {found.hidden}"
    if found.cost:
        text += f"; a first load takes about {found.cost.requests:,} requests, {_time(found.cost.seconds)}"
    yield group.ok(text)
    for refused in found.refused:
        what = next((right for begin, right in _RIGHTS.items() if refused.startswith(begin)), "")
        yield group.missing(f"{name}: may not read {refused}", f"give it the repository permission {what}: read-only")
    if unseen := sorted(each for each in source.repositories if each.lower() not in seen):
        yield group.missing(
            f"{name}: cannot see {', '.join(unseen)} of its repositories",
            "let the token or App see them, or remove them from sources",
        )


def _time(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{max(1, round(seconds / 60))} min"


def _export(source: Account) -> str:
    return f"export TF_VAR_source_keys='{json.dumps({source.key: '…'}, ensure_ascii=False)}'"


def _named(source: Account, error: Exception) -> str:
    """Return a message with the variables that Terraform reads in place of the functions' settings."""
    text = str(error)
    for setting, variable in {
        "MILLRACE_SOURCE_KEY": "TF_VAR_source_keys",
        "MILLRACE_GITHUB_APP_KEY": "TF_VAR_source_keys",
        "MILLRACE_GITHUB_APP_ID": f"sources.{source.key}.app_id",
        "MILLRACE_SOURCE_URL": f"sources.{source.key}.url",
        "MILLRACE_ACCOUNT": f"sources.{source.key}.owner",
    }.items():
        text = text.replace(setting, variable)
    return text
