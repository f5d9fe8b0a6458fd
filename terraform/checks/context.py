"""What every check of the preflight is handed, and how checks run together."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from terraform.checks.findings import Finding, Group
from terraform.checks.google import Google, NotSignedIn, Refused, Unanswered
from terraform.checks.settings import Settings
from terraform.checks.snowflake import Account, NoAccount


@dataclass(frozen=True, slots=True)
class Context:
    """The settings, the environment, Google's APIs, and the sign-in to Snowflake, which begins at once."""

    settings: Settings
    surroundings: Mapping[str, str] = field(repr=False)
    google: Google
    email: str | None
    snowflake: "Future[Account | NoAccount]"

    @property
    def member(self) -> str:
        """Return the account as a member of a policy."""
        if self.email is None:
            return "user:YOU"
        return f"{'serviceAccount' if self.email.endswith('.gserviceaccount.com') else 'user'}:{self.email}"


T = TypeVar("T")
Check = Callable[[Context, Group], Iterable[Finding]]


def run(context: Context, checks: Sequence[tuple[str, Check]], pool: ThreadPoolExecutor) -> list[Finding]:
    """Return the findings of all checks, in the order of the checks; they run at the same time."""
    running = [pool.submit(_run, context, check, Group(name)) for name, check in checks]
    return [finding for each in running for finding in each.result()]


def _run(context: Context, check: Check, group: Group) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check(context, group))
    except (Refused, Unanswered, NotSignedIn) as error:
        found.append(unanswered(context.settings, group, error))
    return found


def each(
    context: Context, group: Group, check: Callable[[T], Iterable[Finding]], items: Mapping[str, T]
) -> Iterator[Finding]:
    """Yield the findings of a check for each of its items, by their names; all are asked about at the same time."""

    def asked(named: tuple[str, T]) -> list[Finding]:
        found: list[Finding] = []
        try:
            found.extend(check(named[1]))
        except (Refused, Unanswered, NotSignedIn) as error:
            found.append(unanswered(context.settings, group, error, named[0]))
        return found

    with ThreadPoolExecutor(max(1, len(items)), thread_name_prefix="ask") as pool:
        for findings in pool.map(asked, items.items()):
            yield from findings


def unanswered(settings: Settings, group: Group, error: Exception, what: str = "") -> Finding:
    """Return the finding for a question without an answer; for a disabled API with the command that enables it."""
    about = f"{what}: " if what else ""
    if isinstance(error, Refused) and error.is_disabled:
        name = f"{error.api}.googleapis.com"
        return group.unknown(
            f"{about}{name} is not enabled", f"gcloud services enable {name} --project={settings.project}"
        )
    return group.unknown(f"{about}{error}")
