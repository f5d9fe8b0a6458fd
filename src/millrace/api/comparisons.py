"""The models of what is compared: periods, weeks, and pull requests with much and with little AI."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class WeeksNote(BaseModel):
    """The weeks of the range that are not comparable with the others."""

    first_unsettled: list[date] = Field(
        description="Weeks soon after the data began: slow pull requests of that time began before the data."
    )
    running: list[date] = Field(description="The week of today, and weeks that end after the newest extraction.")


class Between(BaseModel):
    """A range of days, both included."""

    model_config = ConfigDict(populate_by_name=True)

    from_: date = Field(alias="from")
    to: date


class SummaryMeasure(BaseModel):
    """One number of the range: how certain it is, and how it changed."""

    measure: Literal[
        "active_developers",
        "ai_line_share",
        "cost_per_merged_pr",
        "cost_usd",
        "median_cycle_time_hours",
        "merged_prs",
        "revert_rate",
        "session_count",
        "total_tokens",
        "user_count",
    ]
    unit: Literal["usd", "count", "hours", "share"]
    value: float | None = Field(description="Null where it is not known.")
    n: int = Field(description="How many pull requests, responses or sessions it is made of.")
    interval_low: float | None = Field(description="The 95% interval of an estimate; null for counts and sums.")
    interval_high: float | None
    previous_value: float | None = Field(description="Of the period before; null where the data does not cover it.")
    previous_n: int | None
    change: float | None = Field(description="The relative change; of a share the difference. Null where not known.")
    change_low: float | None = Field(description="The 95% interval of the change; null for counts and sums.")
    change_high: float | None
    verdict: Literal["higher", "lower", "same", "no_clear_change", "too_few", "not_known"] = Field(
        description="no_clear_change: it could be chance. too_few: under 20 pull requests in one of the periods. "
        "not_known: the data does not cover both periods alike."
    )


class SummaryCoverage(BaseModel):
    """How much of the cost is known and attributed, and of how many pull requests the AI lines are known."""

    cost_known_share: float | None = Field(description="Responses with a known cost / responses.")
    responses_without_cost: int = Field(description="Responses without one: the true cost is higher.")
    cost_with_repository_share: float | None = Field(description="Cost of projects with a repository / cost.")
    cost_with_developer_share: float | None = Field(description="Cost of users who are matched to a developer / cost.")
    ai_known_prs: int | None = Field(
        description="Merged pull requests whose AI lines are known; null without any data."
    )
    ai_matched_commits: int | None = Field(
        description="Commits of these pull requests whose AI lines are counted; null where none is of GitHub."
    )
    ai_matchable_commits: int | None = Field(
        description="Commits of GitHub whose AI lines could be known; null where there is none."
    )


class AcceptedShare(BaseModel):
    """How certain the accepted share of pull requests is."""

    accepted_share_low: float | None = Field(description="Its 95% interval (Wilson's); null of no pull request.")
    accepted_share_high: float | None
    has_too_few: bool = Field(
        description="Whether n_accepted_known is under 20, so that nothing can be said of the share."
    )


class AiEffect(BaseModel):
    """A difference between pull requests with much and with little AI, within the same developers and repositories."""

    measure: Literal["cycle_time_hours", "review_rounds", "revert_rate"]
    unit: Literal["ratio", "difference"] = Field(
        description="ratio: by which share it is more or less, of the geometric mean; difference: as it is."
    )
    effect: float | None = Field(description="Of those with much AI, against those with little; null of one person.")
    interval_low: float | None = Field(description="The 95% interval.")
    interval_high: float | None
    verdict: Literal["lower", "higher", "no_clear_difference", "too_few"] = Field(
        description="no_clear_difference: it could be chance. too_few: under 20 pull requests of "
        "either kind, or 3 people."
    )
    n_low: int = Field(description="Pull requests of the band low where it is known.")
    n_high: int = Field(description="Pull requests of the band high where it is known.")
    n_compared_low: int = Field(description="Those of a developer and repository that also has one of the other band.")
    n_compared_high: int
    people_compared: int = Field(description="Developers that these are of.")
    sentence: str


class AiEffectsOf(BaseModel):
    """What the effects are made of, and one sentence over all of them."""

    people: int = Field(description="Different known developers.")
    pull_requests_high: int
    pull_requests_low: int
    top_person: str | None = Field(description="The developer of most pull requests with much AI.")
    top_person_share: float | None = Field(description="The share of these in all with much AI.")
    size_median_low: float | None = Field(description="Median of total_loc with little AI.")
    size_median_high: float | None = Field(description="Median of total_loc with much AI.")
    summary: str
