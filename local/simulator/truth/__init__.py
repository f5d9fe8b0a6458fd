"""What a correct pipeline must arrive at: each mart of docs/metrics.md, computed in plain Python.

It shares no line with the dbt project, so that the two can be held against each other.
"""

from simulator.truth.marts import marts
from simulator.truth.measured import MeasuredPull, merged_pulls

__all__ = ["MeasuredPull", "marts", "merged_pulls"]
