// What the numbers mean: sentences of docs/metrics.md, word for word (tests/page/test_definitions.py compares them).
// A key is the id of a panel or of a tile; `says` are sentences or cells of the section `at`.

export const DEFINITIONS = {
  "spent": {
    "at": "cost-of-usage",
    "says": [
      "The cost_usd of several events is the sum of the known ones, and n_cost is the number of responses with a known cost.",
      "If it is less than assistant_message_count, the true cost is higher."
    ]
  },
  "per-pr": {
    "at": "martai_spend_by_repo_week",
    "says": ["cost_usd / merged_prs", "A developer's spend in a week is not the cost of the pull requests in that row: a week's work may be merged in the next."]
  },
  "merged": {
    "at": "rules-that-hold-everywhere",
    "says": ["A pull request is merged when merged_at <= as_of: a source may report a merge in the future, which does not count yet."]
  },
  "cycle-time": {
    "at": "martvelocity",
    "says": [
      "from the first commit to the merge",
      "median and 90th percentile of the cycle time, over n_cycle_time_hours pull requests",
      "They are negative if the two events happened in the other order."
    ]
  },
  "reverted": {
    "at": "martquality",
    "says": ["reverted ones, those with a known value, and the first divided by the second", "Rates are over the pull requests for which the source has yes or no."]
  },
  "reverts": {
    "at": "martquality",
    "says": ["reverted ones, those with a known value, and the first divided by the second", "Rates are over the pull requests for which the source has yes or no."]
  },
  "cost-by-day": {
    "at": "cost-of-usage",
    "says": ["For a response it is the first of these that is known, and cost_source contains which:", "A prompt costs 0, and has no source."]
  },
  "where": {
    "at": "whose-usage-it-is",
    "says": [
      "Both are NULL if unknown, and nothing is guessed: the repository is that of the project in project_repositories, the developer that of the user in user_developers.",
      "A response without any known count of tokens has no price."
    ]
  },
  "went-into": {
    "at": "martai_spend_by_repo_week",
    "says": ["ai_lines_added / lines_added, so large pull requests weigh more; above 1 if the source credits AI with more lines than were added", "from the first commit to the merge"]
  },
  "cost-per-pr": {
    "at": "martai_spend_by_repo_week",
    "says": ["cost_usd / merged_prs", "Each number that relates usage to pull requests has its coverage beside it."]
  },
  "rows": {
    "at": "martusage_session",
    "says": [
      "the model of most responses; of several the first in the alphabet",
      "Merged pull requests only.",
      "merged_at − first_commit_at",
      "changes_requested_count + 1 when reviewed, else 0"
    ]
  },
  "ai-impact": {
    "at": "martai_impact",
    "says": ["low [0, 0.3), medium [0.3, 0.6), high [0.6, 1], from the seed ai_ratio_bands.csv; unknown when the ratio is"]
  },
  "review-load": {
    "at": "martreview_costs",
    "says": ["review_count × (0.25 + total_loc / 100 / 12): a quarter of an hour for each review, and 1,200 lines an hour"]
  },
  "coverage": {
    "at": "whose-usage-it-is",
    "says": ["Each number that relates usage to pull requests has its coverage beside it."]
  },
  "unpriced": {
    "at": "cost-of-usage",
    "says": ["The key of a price is the model, the speed (if the log has none: standard), the region, the day and the length of the prompt."]
  }
};
