"""Texts for the next step, for the place where they are read: a laptop, or a deployment on Google Cloud."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from millrace import config
from millrace.errors import MillraceError, Step


@dataclass(frozen=True, slots=True)
class Location:
    """Where a text is read. `data_dir` is that of a laptop; None is the default one, which commands do not name."""

    kind: Literal["laptop", "deployment"]
    data_dir: Path | None = None


LAPTOP = Location("laptop")
DEPLOYMENT = Location("deployment")

_START_RUN = "gcloud scheduler jobs run start-run --location=REGION"
_BUILD = "gcloud run jobs execute dbt-runner --region=REGION"
_OPERATIONS = "docs/operations.md"
_ROWS = f'see "Maps and prices" in {_OPERATIONS}'


# The text of each step for a laptop, and for a deployment. {data} is the option that names another data directory.
_TEXTS = {
    Step.BEGIN: ("type: millrace demo{data}, or for your own numbers: millrace collect{data}", f"type: {_START_RUN}"),
    Step.RUN: ("type: millrace run{data}", f"type: {_START_RUN}"),
    Step.FULL_REFRESH: (
        "set the clock, then type: millrace run{data} --full-refresh; what was dropped, drop again with its true time",
        f'see "A time that has not come" in {_OPERATIONS}',
    ),
    Step.FIX_THEN_RUN: (
        "fix that, then type: millrace run{data}",
        f'see "A run was given up" in {_OPERATIONS}, then type: {_START_RUN}',
    ),
    Step.END_RUN: (
        "type: millrace run{data}",
        f'type: gcloud scheduler jobs run sweep --location=REGION; see "No run was completed" in {_OPERATIONS}',
    ),
    Step.BUILD: ("type: millrace build{data}", f"type: {_BUILD}"),
    Step.RETRY_BUILD: (
        "type: millrace build{data}",
        f'see "A build failed" in {_OPERATIONS}, then type: {_BUILD} --args=--retry',
    ),
    Step.REBUILD: ("type: millrace build{data} --force", f"type: {_BUILD} --args=--full-refresh"),
    Step.CONNECT: (
        "type: millrace run{data} --source github --account ACCOUNT",
        f"set sources or source_url of Terraform, deploy, then type: {_START_RUN}",
    ),
    Step.COLLECT: (
        "type: millrace collect{data}",
        "on a machine with coding agents type: millrace collect --lake gs://BUCKET",
    ),
    Step.KEEP_COLLECTING: (
        "type: millrace collect{data} --watch, or once: millrace collect{data}",
        f"type: {_BUILD}",
    ),
    Step.COMPLETE_SOURCE: (
        'see "What each state means" in docs/connect-github.md, '
        "then type: millrace run{data} --source github --account ACCOUNT",
        f'see "A source is not complete" in {_OPERATIONS}',
    ),
    Step.SEE_QUARANTINE: ("type: millrace quarantine list{data}", f'see "An object was quarantined" in {_OPERATIONS}'),
    Step.ADD_PRICE: (
        "type: millrace doctor{data}, and paste its lines: millrace prices add{data} MODEL --input … --output …",
        f"put a file with their prices into gs://P-lake/drop/usage_prices/; {_ROWS}",
    ),
    Step.MAP_PROJECT: (
        "type: millrace map project{data} PROJECT OWNER/NAME",
        f"put a file with the project and its repository into gs://P-lake/drop/project_repositories/; {_ROWS}",
    ),
    Step.MAP_USER: (
        "type: millrace map user{data} USER DEVELOPER",
        f"put a file with the user and the developer into gs://P-lake/drop/user_developers/; {_ROWS}",
    ),
    Step.SEE_MAPS: ("type: millrace map list{data}", _ROWS),
    Step.SEE_PRICES: ("type: millrace prices list{data}", _ROWS),
    Step.INSTALL: 2 * ("install all libraries, from a checkout: pip install '.[local]'; to only send, give --lake",),
    Step.FIX_STORE: ("fix that, then type: millrace status{data}", f'see "The read API fails" in {_OPERATIONS}'),
    Step.WAIT: 2 * ("wait for it to end",),
    Step.REMOVE: (
        "remove that file of the lake, then type: millrace run{data}",
        f'see "A damaged object" in {_OPERATIONS}',
    ),
    Step.RESTORE: ("type: millrace rebuild{data}", f'see "The warehouse is gone" in {_OPERATIONS}'),
    Step.TRY_AGAIN: 2 * ("try again in a moment",),
}


def laptop(data_dir: Path | None = None) -> Location:
    """Return the place of a data directory; its commands name it unless it is the default one."""
    is_default = data_dir is None or data_dir.resolve() == Path(config.data_dir() or "data").resolve()
    return LAPTOP if is_default else Location("laptop", data_dir)


def remedy(step: Step, place: Location) -> str:
    """Return the next step for that place, worded to follow a fact and a semicolon."""
    of_laptop, of_deployment = _TEXTS[step]
    if place.kind == "deployment":
        return of_deployment
    return of_laptop.format(data="" if place.data_dir is None else f" --data-dir {shlex.quote(str(place.data_dir))}")


def with_remedy(error: object, place: Location) -> str:
    """Return the message of an error, with the next step if it has one."""
    step = error.step if isinstance(error, MillraceError) else None
    return str(error) if step is None else f"{error}; {remedy(step, place)}"
