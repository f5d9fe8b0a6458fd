"""GitHub as the source of a run on this machine: one account, read with the token of the environment."""

from dataclasses import dataclass

from millrace import addresses, config
from millrace.errors import ConfigError, MillraceError, RequestRejected
from millrace.extract.sources.github.credentials import edition_of
from millrace.extract.sources.github.source import GitHubSource, Probe
from millrace.laptop.kinds import GITHUB, Binding, Kind, github_at

DEFAULT_URL = "https://github.com"
_TO_SET_ONE = (
    "GITHUB_TOKEN is not set, nor GH_TOKEN; make a token that may read, type: export GITHUB_TOKEN=…, then again this "
    "command; docs/connect-github.md has the rights by name"
)


def token() -> str:
    """Return the token of GitHub in the environment of a laptop: GITHUB_TOKEN, else GH_TOKEN; "" without one."""
    return config.source_key("", "GITHUB_TOKEN") or config.source_key("", "GH_TOKEN")


@dataclass(frozen=True, slots=True)
class GitHubOptions:
    """An account of GitHub to read, at the server of `source_url`: those of its `repositories` (none: all).

    The first run reads what was active in the last `first_days`, and then the rest.
    """

    account: str
    source_url: str = DEFAULT_URL
    repositories: tuple[str, ...] = ()
    first_days: int = 90
    insecure_http: bool = False

    @property
    def url(self) -> str:
        """The address of the server's API; ConfigError when it is none, or the token may not be sent there."""
        return edition_of(addresses.source_url(self.source_url, self._may_be_insecure)).base_url

    @property
    def binding(self) -> Binding:
        """What a data directory is bound to."""
        return Binding(github_at(self.url), self.account, GITHUB)

    @property
    def kind(self) -> Kind:
        """What its rows are: real ones."""
        return "real"

    @property
    def has_agent_logs(self) -> bool:
        """Whether it has logs of coding agents to collect: it has none."""
        return False

    @property
    def _may_be_insecure(self) -> bool:
        return self.insecure_http or config.may_be_insecure()

    def settings(self) -> dict[str, str]:
        """Return the settings of the functions; ConfigError without a token."""
        key = token()
        if not key:
            raise ConfigError(_TO_SET_ONE)
        return self.settings_with(addresses.source_url(self.source_url, self._may_be_insecure), key)

    def settings_with(self, url: str, key: str) -> dict[str, str]:
        """Return the settings of the functions for a server and its key."""
        return {
            "MILLRACE_SOURCE": "github",
            "MILLRACE_ACCOUNT": self.account,
            "MILLRACE_SOURCE_URL": url,
            "MILLRACE_SOURCE_KEY": key,
            "MILLRACE_GITHUB_APP_ID": "",
            "MILLRACE_GITHUB_APP_KEY": "",
            "MILLRACE_REPOSITORIES": ",".join(self.repositories),
            "MILLRACE_OBJECTS": "",
            "MILLRACE_FIRST_DAYS": str(self.first_days),
            "MILLRACE_INSECURE_HTTP": "1" if self._may_be_insecure else "",
        }


def probe(source: GitHubSource, options: GitHubOptions) -> Probe:
    """Return what the token may see; ConfigError when it is refused, or an account or a repository does not exist."""
    try:
        found = source.probe(options.repositories)
    except RequestRejected as error:
        raise ConfigError(refusal(error)) from error
    if found.unknown:
        names = ", ".join(map(repr, found.unknown))
        raise ConfigError(
            f"--repository: {options.account} has no repository {names} that this token may see; correct the name, or "
            "give the token a right to it"
        )
    return found


def refusal(error: MillraceError) -> str:
    """Return why GitHub refused a request, with the next step in the words of the command line."""
    return str(error).replace("set MILLRACE_SOURCE_KEY to a valid one", "set GITHUB_TOKEN to one that may read")
