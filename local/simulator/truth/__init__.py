"""The results of a correct pipeline: each mart of docs/metrics.md, computed in plain Python.

It shares no line with the dbt project, so that the two can be compared.
"""

from simulator.truth.implausible import implausible_values
from simulator.truth.marts import marts
from simulator.truth.measured import MeasuredPull, merged_pulls

__all__ = ["MeasuredPull", "implausible_values", "marts", "merged_pulls"]
