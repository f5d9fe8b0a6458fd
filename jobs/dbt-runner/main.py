"""Build the marts through all that was requested, unless somebody else does; `--retry` only mends a failed build.
`--full-refresh` builds everything once, the incremental marts from nothing.

`--check` builds nothing and says whether the settings are in order, which is what the image asks about its health.
Exit codes: 0 built, nothing to do, or somebody else builds · 1 a model or a test failed · 2 dbt was not started.
"""

import sys

from millrace import config, log, wiring
from millrace.build import job
from millrace.errors import MillraceError


def run(arguments: tuple[str, ...] = ()) -> int:
    """Build; gives the exit code of the job."""
    log.start(config.project())
    try:
        builder = wiring.builder_of(config.BuildConfig.from_env())
        if "--check" in arguments:
            return 0
        outcome = job.run(builder, retry="--retry" in arguments, anew="--full-refresh" in arguments)
        return 1 if outcome.state == "failed" else 0
    except MillraceError as error:
        log.error("failed", kind=type(error).__name__, error=str(error))
        return 2


if __name__ == "__main__":
    sys.exit(run(tuple(sys.argv[1:])))
