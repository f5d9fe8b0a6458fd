"""The steps of a verification in their order, and how they are run: each ends with its result, time and evidence."""

import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from tests.verify_snowflake import contract, locks, marts, session, values
from tests.verify_snowflake.place import Place, without_names

Say = Callable[[str], None]
_MOST_CHARACTERS = 600  # of an error


@dataclass(frozen=True, slots=True)
class Step:
    """One question to the account. `ask` yields evidence, and raises when the answer is not as expected."""

    name: str
    question: str
    ask: Callable[[Place], Iterator[str]]
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of a step; `error` is empty when it passed."""

    step: Step
    seconds: float
    evidence: tuple[str, ...]
    error: str

    @property
    def result(self) -> str:
        """Return the word of the report."""
        return "failed" if self.error else "passed"


STEPS = (
    Step("sign-in", "Who signs in, and which session parameters hold?", session.sign_in),
    Step("meta", "Is META as Terraform leaves it?", session.meta),
    Step("contract", "Does the contract suite of the warehouse pass?", contract.suite),
    Step("lists", "Do lists of Parquet arrive as they were?", values.lists),
    Step("zones", "Are instants exact, whatever the zone of a session?", values.zones),
    Step("build", "Do loads and a dbt build equal DuckDB's, cell by cell?", marts.build),
    Step("again", "Does a build with nothing new change nothing?", marts.again, needs=("build",)),
    Step("publication", "Are marts published, whole and by changed keys?", marts.publication, needs=("build",)),
    Step("api", "Do the routes of the read API answer as over DuckDB?", marts.api, needs=("build", "publication")),
    Step("locks", "Does a second transaction wait, and what frees the lock?", locks.turn),
    Step("figures", "How many statements were run, and how much was scanned?", session.figures),
)


def chosen(names: Collection[str]) -> list[Step]:
    """Return the named steps with those that they need, in order; all without a name."""
    wanted = set(names)
    for step in reversed(STEPS):
        wanted |= set(step.needs) if step.name in wanted else set()
    return [step for step in STEPS if not names or step.name in wanted]


def run(steps: Collection[Step], place: Place, say: Say) -> list[Outcome]:
    """Run the steps and return their outcomes; a step fails when one that it needs has failed."""
    outcomes: list[Outcome] = []
    for number, step in enumerate(steps, 1):
        say(f"{number}/{len(steps)} {step.name}: {step.question}")
        failed = [each.step.name for each in outcomes if each.error and each.step.name in step.needs]
        outcome = _ran(step, place, say) if not failed else Outcome(step, 0.0, (), f"{', '.join(failed)} failed")
        say(f"    {outcome.result} in {outcome.seconds:.1f} s{f': {outcome.error}' if outcome.error else ''}")
        outcomes.append(outcome)
    return outcomes


def _ran(step: Step, place: Place, say: Say) -> Outcome:
    began, evidence, error = time.monotonic(), list[str](), ""
    try:
        for line in step.ask(place):
            evidence.append(without_names(line, place.address))
            say(f"    {evidence[-1]}")
    except Exception as raised:  # noqa: BLE001 whatever ends a step is its outcome, and the next step is run
        said = " ".join(str(raised).split())[:_MOST_CHARACTERS]
        error = without_names(f"{type(raised).__name__}: {said}", place.address)
    return Outcome(step, time.monotonic() - began, tuple(evidence), error)
