"""Agents that open pull requests or help with them, and other bots, by their signs.

A list of its own: it has what the simulated companies have, and is compared with the seed of the dbt project by way of
the marts.
"""

import re

from simulator.github.model import Account, Commit, PullRequest

_LOGINS = {
    "copilot-swe-agent": "copilot",
    "devin-ai-integration": "devin",
    "openhands-agent": "openhands",
}
_BRANCHES = {"copilot/": "copilot", "cursor/": "cursor", "claude/": "claude", "codex/": "codex", "devin/1": "devin"}
_EMAILS = {"noreply@anthropic.com": "claude", "cursoragent@cursor.com": "cursor"}
_ADDRESS = re.compile(r"<([^<>]+)>\s*$")
_CO_AUTHOR = re.compile(r"^Co-authored-by:\s*(.+?)\s*$", re.MULTILINE | re.IGNORECASE)


def is_bot(account: Account | None) -> bool:
    """Return whether an account is no person: by its kind, or by its login."""
    return account is not None and (
        account.typename == "Bot" or account.login.lower().endswith("[bot]") or _plain(account.login) in _LOGINS
    )


def opened_by(pull: PullRequest) -> str | None:
    """Return the agent that opened a pull request: by author, else by branch, else as the author of every commit."""
    if pull.author and _plain(pull.author.login) in _LOGINS:
        return _LOGINS[_plain(pull.author.login)]
    for prefix, agent in _BRANCHES.items():
        if pull.head_ref.startswith(prefix):
            return agent
    agents = [_EMAILS.get(commit.author_email.lower()) for commit in pull.commits]
    return agents[0] if agents and all(agents) else None


def assisted(commit: Commit) -> str | None:
    """Return the agent that a trailer of the commit names, of several the first in the alphabet."""
    addresses = (_ADDRESS.search(text) for text in _CO_AUTHOR.findall(commit.message))
    agents = [_EMAILS.get(found[1].lower()) for found in addresses if found]
    return min(filter(None, agents), default=None)


def _plain(login: str) -> str:
    return login.lower().removesuffix("[bot]")
