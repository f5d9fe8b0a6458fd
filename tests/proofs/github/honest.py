"""The smallest honest proof: one repository, everything awkward about its data, and others who work meanwhile."""

from collections import Counter
from dataclasses import replace

from tests.proofs.github.account import END, Account
from tests.proofs.github.comparing import differences

from simulator.github import Company, Knobs, generate

PULLS = 300
ODD = Knobs(
    ghost_author=True,
    bot_author=True,
    deleted_fork=True,
    dismissed_review=True,
    pending_review=True,
    long_reviews=31,
    long_commits=260,
    force_push=True,
    squash_merges=True,
)
BUSY = replace(ODD, touched_between_pages=3, opened_between_pages=1, pushed_between_pages=1)


def company() -> Company:
    """Return the company: one repository of 300 pull requests."""
    return generate(1, PULLS, seed=21, end=END)


def read_while_others_work(account: Account, of: Company) -> list[str]:
    """Read everything and then what changed, while others work; then once more in peace. Return what is wrong."""
    wrong = []
    for knobs, scopes in ((BUSY, ("full", "changes")), (ODD, ("changes",))):
        with account.reading(of, knobs):
            for scope in scopes:
                account.run(scope)
                wrong += [f"{scope}: {each}" for each in not_proven(account)]
    return wrong + differences(account, of) + account.failures + account.sent.problems()


def not_proven(account: Account) -> list[str]:
    """Return the repositories whose different pull requests are not as many as the source reports."""
    pulls = account.rows("github_pull_requests")
    wrong = []
    for (what, window), row in account.windows().items():
        held = {each["number"] for each in pulls if str(each["repo_id"]) == window}
        if what == "pull_requests" and not (
            row["state"] == "known" and len(held) == row["row_count"] == row["source_total"]
        ):
            counts = f"{row['row_count']} of {row['source_total']}, and {len(held)} are here"
            wrong.append(f"{row['state']} with {counts}: {row['reason']}")
    return wrong


# Of 14 undisturbed requests, with pages of 100: 502 for the repositories, an expired token at the second page of pull
# requests, a part of the last page of the long list, a secondary limit at the first page of commits. Where a page is
# halved at another place, the pages after it are smaller, and there are more of them.
DISTURBED = replace(
    ODD,
    bad_gateways=(4,),
    partial_at=(9,),
    token_expires_at=11,
    secondary_at=(16,),
    renamed_between_pages=(("shop", "store"),),
)
NAMES = {"github_repos": ("full_name",), "github_pull_requests": ("repo_name",)}
"""The names of a repository in a row: those under which it was read."""


def read_disturbed(account: Account, of: Company, knobs: Knobs = DISTURBED) -> tuple[int, list[str]]:
    """Read everything once as an App, through a fault of each kind; return the requests, and what is wrong."""
    with account.reading(of, knobs, is_app=True) as github:
        account.run("full")
        statuses = Counter(each.status for each in github.log.requests)
    wrong = differences(account, of, NAMES) + not_proven(account) + account.failures + account.sent.problems()
    names = {row[name] for table, (name,) in NAMES.items() for row in account.rows(table)}
    if names != {"acme/shop", "acme/store"}:
        wrong.append(f"expected rows of before and after the rename, got those of {names}")
    if {401, 403, 502} - statuses.keys():
        wrong.append(f"expected an expired token, a limit and a 502, got {statuses}")
    return statuses.total(), wrong
