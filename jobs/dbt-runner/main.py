"""Build the marts through all requested changes, unless another process does; `--retry` retries only a failed build.
`--full-refresh` builds everything once, the incremental marts from the beginning.

`--check` builds nothing and checks the settings; the image uses it as its health check.
Exit codes: 0 built, nothing to do, or another process builds · 1 a model or a test failed · 2 dbt was not started.
"""

import sys

from millrace import config, log, wiring
from millrace.build import job
from millrace.errors import MillraceError


def run(arguments: tuple[str, ...] = ()) -> int:
    """Build; return the exit code of the job."""
    log.start(config.project())
    try:
        builder = wiring.builder_of(config.BuildConfig.from_env())
        if "--check" in arguments:
            return 0
        outcome = job.run(builder, retry="--retry" in arguments, full_refresh="--full-refresh" in arguments)
        return 1 if outcome.state == "failed" else 0
    except MillraceError as error:
        log.error("failed", kind=type(error).__name__, error=str(error))
        return 2


if __name__ == "__main__":
    sys.exit(run(tuple(sys.argv[1:])))
