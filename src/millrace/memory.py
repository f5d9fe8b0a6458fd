"""The memory that a process must be allowed before it works on a warehouse."""

import sys

from millrace.errors import TransientError

_LEAST_ADDRESS_SPACE = 1 << 30  # a build with DuckDB takes 1.6 GB; with much less, threads die and are waited for


def require_address_space() -> None:
    """Raise TransientError when this process is limited to less address space than any build needs.

    Below that, Python itself may wait without end for a thread that died at its start
    (https://github.com/python/cpython/issues/140746), and libraries abort the process.
    """
    if sys.platform == "win32":
        return
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY and limit < _LEAST_ADDRESS_SPACE:
        raise TransientError(
            f"expected at least {_LEAST_ADDRESS_SPACE >> 20:,} MiB of address space, got {limit >> 20:,} MiB; "
            "raise the limit (ulimit -v unlimited), then run again"
        )
