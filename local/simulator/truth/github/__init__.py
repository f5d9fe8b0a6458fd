"""The marts of simulated accounts of GitHub, computed from their companies and from Cursor's rows of commits.

Like the truth of cursor-sim it shares no line with the dbt project, and reads nothing of the package.
"""

from simulator.truth.github.accounts import Account
from simulator.truth.github.ai_lines import AILines
from simulator.truth.github.implausible import implausible_values
from simulator.truth.github.measured import GitHubPull, merged_pulls, pulls

__all__ = ["AILines", "Account", "GitHubPull", "implausible_values", "merged_pulls", "pulls"]
