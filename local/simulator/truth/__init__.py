"""The results of a correct pipeline: each mart of docs/metrics.md, computed in plain Python.

It shares no line with the dbt project, so that the two can be compared.
"""

from simulator.truth.marts import marts
from simulator.truth.measured import MeasuredPull, merged_pulls

__all__ = ["MeasuredPull", "marts", "merged_pulls"]
