"""Two runs of an account of a simulated GitHub into a lake.

By the second, a repository has another name, one is disabled, and pull requests have new reviews.
"""

from datetime import datetime

from tests.extract.github.reading import source_of

from millrace import runs
from millrace.bus.events import TaskEvent
from millrace.bus.in_process import LocalBus
from millrace.extract import task
from millrace.extract.task import Extractor
from millrace.lake.local import LocalLake
from millrace.runs import Origin, RunRequest
from simulator.github import Company, Knobs, generate, served

_ACCOUNT = "acme"
_PULLS = 12
_FIRST = Knobs(
    ghost_author=True,
    bot_author=True,
    deleted_fork=True,
    dismissed_review=True,
    pending_review=True,
    force_push=True,
    squash_merges=True,
)
_LATER = Knobs(renamed=(("shop", "store"),), touched_between_pages=1)


def company_at(end: datetime, seed: int) -> Company:
    """Return a company of three repositories at the instant of its first run."""
    return generate(3, _PULLS, seed=seed, people=4, days=60, end=f"{end:%Y-%m-%dT%H:%M:%SZ}", account=_ACCOUNT)


def extract_account(lake: LocalLake, company: Company, name: str, at: datetime) -> None:
    """Run all tasks of a run that reads everything, each after its parent; the company changes with it."""
    company.repositories[2].is_disabled = name != "first"
    with served(company, _FIRST if name == "first" else _LATER) as github:
        extractor = Extractor(lake, LocalBus(), source_of(github), _ACCOUNT, lambda: at)
        plan = runs.start(lake, extractor.bus, RunRequest(at, scope="full"), Origin("github", _ACCOUNT))
        while waiting := runs.tasks_of(lake, plan).waiting:
            for task_id in waiting:
                task.extract(extractor, TaskEvent.of(plan.run_id, task_id))
