"""The source that a command line names, and which of its options do not fit it."""

import shlex
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import click

from millrace.errors import ConfigError

if TYPE_CHECKING:
    from millrace.laptop.github import GitHubOptions
    from millrace.laptop.source import SourceOptions

_OF_ANY = ("source_name", "account", "source_url", "insecure_http")


def source_of(
    context: click.Context,
    name: str | None,
    account: str | None,
    repository: str | None,
    since: date | None,
    objects: str | None = None,
    **source: Any,
) -> "SourceOptions | GitHubOptions":
    """Return the source that the options name; UsageError for one that does not fit it."""
    if name == "github":
        if objects is not None:
            raise click.UsageError("--objects: GitHub is read as a whole; expected it with --source cursor-sim")
        return _github(context, account, repository, since, source)
    from millrace.laptop.source import SourceOptions

    if repository is not None:
        raise click.UsageError("--repository: cursor-sim is read as a whole; expected it with --source github")
    if account is not None and not source.get("source_url"):
        raise click.UsageError("--account: expected it with --source github, or with --source-url of a cursor-sim")
    named = _account(account) if account is not None else ""
    return SourceOptions(account=named, objects=_objects(objects) if objects is not None else (), **source)


def _github(
    context: click.Context, account: str | None, repository: str | None, since: date | None, source: dict[str, Any]
) -> "GitHubOptions":
    from millrace.laptop.github import DEFAULT_URL, GitHubOptions

    if account is None:
        raise click.UsageError("--source github: expected --account, the login of the organisation or user to read")
    given = click.core.ParameterSource.COMMANDLINE
    wrong = [each for each in source if each not in _OF_ANY and context.get_parameter_source(each) == given]
    if wrong:
        raise click.UsageError(f"{_option(context, wrong[0])}: it describes a simulated company, not --source github")
    days = (datetime.now(UTC).date() - since).days if since is not None else None
    if days is not None and days < 1:
        raise click.UsageError(f"--since: expected a day before today, got {since}")
    names = () if repository is None else _repositories(repository)
    url = source.get("source_url") or DEFAULT_URL
    first = {} if days is None else {"first_days": days}
    return GitHubOptions(_account(account), url, names, insecure_http=source.get("insecure_http", False), **first)


def _account(text: str) -> str:
    from millrace import addresses

    try:
        return addresses.account(text)
    except ConfigError as error:
        raise click.UsageError(str(error).replace("MILLRACE_ACCOUNT", "--account")) from error


def _repositories(text: str) -> tuple[str, ...]:
    from millrace import addresses

    try:
        names = addresses.repositories(text)
    except ConfigError as error:
        raise click.UsageError(str(error).replace("MILLRACE_REPOSITORIES", "--repository")) from error
    if not names:
        raise click.UsageError("--repository: expected names of repositories, like shop,web, got none")
    return names


def _objects(text: str) -> tuple[str, ...]:
    from millrace import addresses

    try:
        names = addresses.objects(text, "cursor-sim")
    except ConfigError as error:
        raise click.UsageError(str(error).replace("MILLRACE_OBJECTS", "--objects")) from error
    if not names:
        raise click.UsageError("--objects: expected commits or pull_requests, got none")
    return names


def _option(context: click.Context, name: str) -> str:
    return next(each.opts[0] for each in context.command.params if each.name == name)


def words(source: "SourceOptions | GitHubOptions") -> str:
    """Return the options that name a source, for a command to type."""
    from millrace.laptop.github import DEFAULT_URL, GitHubOptions

    given = [("--source", "github")] if isinstance(source, GitHubOptions) else []
    given += [("--account", source.account)] if source.account else []
    if source.source_url and source.source_url != DEFAULT_URL:
        given.append(("--source-url", source.source_url))
    if isinstance(source, GitHubOptions) and source.repositories:
        given.append(("--repository", ",".join(source.repositories)))
    return " ".join(f"{name} {shlex.quote(value)}" for name, value in given)
