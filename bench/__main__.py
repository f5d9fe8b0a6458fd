"""Print every figure; `python -m bench NAME …` prints some.

`worst` prints a line for each worst input: its size (and unpacked), the peak memory above that of a trivial input of
the same kind, the ratio of both, seconds, and the verdict of the product.
"""

import sys
from collections.abc import Callable, Iterable

from bench import (
    counters,
    crowd,
    deliveries,
    extract,
    github,
    history,
    load,
    reading,
    report,
    start,
    usage,
    whole,
    worst,
)
from bench.measuring import Figure

FIGURES: dict[str, Callable[[], Figure | Iterable[Figure | worst.Cost | counters.Line]]] = {
    "start": start.start,
    "download": extract.against_download,
    "limiter": extract.against_limiter,
    "deliveries": deliveries.deliveries,
    "memory": extract.memory,
    "load": load.large_object,
    "check": load.small_file,
    "history": history.loads,
    "build": whole.build,
    "github": github.github,
    "run": whole.default_run,
    "large": whole.large_run,
    "report": report.report,
    "usage": usage.history,
    "watch": usage.watching,
    "api": reading.routes,
    "crowd": crowd.crowd,
    "counters": counters.counters,
    "worst": worst.worst,
}


def main(names: list[str]) -> int:
    """Print the named figures, or all of them."""
    if unknown := set(names) - FIGURES.keys():
        print(f"no figure {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}", file=sys.stderr)  # noqa: T201
        return 2
    for name in names or FIGURES:
        figures = FIGURES[name]()
        for figure in [figures] if isinstance(figures, Figure) else figures:
            figure.show()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
