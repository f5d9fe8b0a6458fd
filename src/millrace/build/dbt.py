"""Build the marts: one dbt build over the warehouse, in this process, with the result of each model and test."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from millrace import interrupts, log, memory
from millrace.build import parsed
from millrace.config import BuildConfig
from millrace.errors import ConfigError, Step, TerminalError, says_damage
from millrace.terminal import library_prints
from millrace.warehouse import GOOD_STATUSES, DbtTarget, Node as Node

_WHERE = re.compile(r"\w+ Error in \w+ \S+ \(.*\)$")


@dataclass(frozen=True, slots=True)
class Build:
    """The results of one dbt build; `artifacts` is the folder of dbt's own artifacts."""

    nodes: tuple[Node, ...]
    seconds: float
    artifacts: Path | None = None

    @property
    def is_good(self) -> bool:
        """Whether every model was built and every test passed."""
        return all(node.is_good for node in self.nodes)

    def count(self, *kinds: str) -> int:
        """Count the nodes of some kinds."""
        return sum(node.kind in kinds for node in self.nodes)


def build(
    config: BuildConfig,
    warehouse: DbtTarget,
    on_node: Callable[[Node, int], None] = lambda node, total: None,
    number: int = 0,
    retry_of: int | None = None,
    left_out: tuple[str, ...] = ("unit_test",),
) -> Build:
    """Run `dbt build`; `on_node` is called with each finished node and the number of nodes.

    `left_out` are the kinds of nodes to exclude. Unit tests check the models, which data does not change; they run
    where the models are changed (see tests/dbt).

    `retry_of` is the number of a failed build; only its failed and skipped nodes run again. Everything is built when
    the target directory does not hold that very build: it ran on another machine, or another build followed. The parse
    that an image ships is handed to dbt if it is of this project and this target, see `parsed`; otherwise dbt parses.
    Run one build at a time in a process: dbt keeps global state. Raises TerminalError when dbt cannot even start to
    build, TransientError when this process may not have the memory for it.
    """
    memory.require_address_space()
    from dbt.artifacts.schemas.run import RunExecutionResult
    from dbt.cli.main import dbtRunner  # takes seconds, and only a build needs it

    for name, value in warehouse.settings.items():
        os.environ[name] = value
    results_of = Path(config.target_dir, "results-of-build")  # the number of the build; absent while dbt runs
    is_retry = retry_of is not None and results_of.exists() and results_of.read_text() == str(retry_of)
    results_of.unlink(missing_ok=True)
    started = time.monotonic()
    arguments = ["--quiet", "--no-use-colors", "retry" if is_retry else "build"]
    if not is_retry:  # a retry excludes what the failed build excluded
        arguments += [part for kind in left_out for part in ("--exclude-resource-type", kind)]
    arguments += ["--project-dir", config.dbt_dir, "--profiles-dir", config.dbt_dir]
    arguments += ["--target", warehouse.name, "--target-path", config.target_dir, "--log-path", config.target_dir]
    manifest = parsed.handed(Path(config.dbt_dir), warehouse)
    with library_prints():  # dbt prints which test failed, with text from rows
        result = dbtRunner(manifest, [_listener(on_node)]).invoke(arguments)
    if interrupts.is_asked() or _is_interrupted(result.exception):  # dbt returns a result for Ctrl-C too
        raise KeyboardInterrupt
    if not isinstance(result.result, RunExecutionResult):
        raise TerminalError(
            f"dbt could not build: {_first_line(str(result.exception))}; see {config.target_dir}/dbt.log"
        )
    nodes = tuple(_node(each) for each in result.result.results)
    if damage := next((node.message for node in nodes if says_damage(node.message)), None):
        path = warehouse.settings.get("MILLRACE_DUCKDB_PATH", "")
        raise ConfigError(f"the warehouse {path} is damaged: {damage}", step=Step.RESTORE)
    results_of.write_text(str(number))
    finished = Build(nodes, time.monotonic() - started, Path(config.target_dir))
    log.info(
        "built",
        number=number,
        retry=is_retry,
        models=finished.count("model"),
        tests=finished.count("test", "unit_test"),
        good=finished.is_good,
    )
    return finished


def _is_interrupted(error: BaseException | None) -> bool:
    """Return whether an error is Ctrl-C, or was raised while Ctrl-C was handled: dbt closes its connections."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _listener(on_node: Callable[[Node, int], None]) -> Callable[[Any], None]:
    def listen(event: Any) -> None:
        if event.info.name in ("LogModelResult", "LogTestResult", "LogSeedResult"):
            data = event.data
            total = data.num_models if event.info.name == "LogTestResult" else data.total
            kind = data.node_info.resource_type
            on_node(Node(data.node_info.node_name, kind, data.status.lower(), data.execution_time, ""), total)

    return listen


def _node(result: Any) -> Node:
    is_good = str(result.status) in GOOD_STATUSES
    message = "" if is_good and str(result.status) != "skipped" else _first_line(str(result.message or ""))
    return Node(result.node.name, str(result.node.resource_type), str(result.status), result.execution_time, message)


def _first_line(text: str) -> str:
    """Return the first line with a reason: dbt begins with `Runtime Error in model x (its file)`, which tells none."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next((line for line in lines if not _WHERE.match(line)), (lines or ["no reason given"])[0])[:500]
