// What the numbers mean: sentences of docs/metrics.md, word for word (tests/page/test_definitions.py compares them).
// A key is the id of a panel or of a tile; `says` are sentences of its section “In plain words”, `at` is the one with the exact definition.

export const DEFINITIONS = {
  "spent": {
    "at": "cost-of-usage",
    "says": [
      "What the tokens of the coding agents cost: at the list price of their model, else what the agent itself reports.",
      "With ≥ before it, some responses have no known price, and the true cost is higher."
    ]
  },
  "per-pr": {
    "at": "martai_spend_by_repo_week",
    "says": [
      "What agents cost in the repositories of these pull requests, divided by their number, both of the same days.",
      "The work on a pull request is often paid for days before it is merged, so a short range says little."
    ]
  },
  "merged": {
    "at": "rules-that-hold-everywhere",
    "says": [
      "Pull requests that were merged on these days, in any repository that the source reports."
    ]
  },
  "median": {
    "at": "martvelocity",
    "says": [
      "Half of the merged pull requests took less time than this from the first commit to the merge, and half took longer.",
      "Pull requests without a known first commit are left out."
    ]
  },
  "reverted": {
    "at": "martquality",
    "says": [
      "The share of merged pull requests that were taken back later, of those where the source says yes or no.",
      "In brackets is what chance alone could make of it: the true share is in this interval 95 times of 100."
    ]
  },
  "cost-by-day": {
    "at": "cost-of-usage",
    "says": [
      "What the responses of each day cost, by model or by provider.",
      "A response without a known price is not in its bar."
    ]
  },
  "where": {
    "at": "whose-usage-it-is",
    "says": [
      "The same cost by person, repository, model or session.",
      "A person or a repository is shown only where a map or an equal e-mail address names it; nothing is guessed."
    ]
  },
  "went-into": {
    "at": "martai_spend_by_repo_week",
    "says": [
      "For each repository what agents cost, and what was merged on the same days.",
      "AI lines is the share of the added lines that AI wrote, and Cycle is the median time from the first commit to the merge.",
      "With ≥ before a share, the AI lines of some pull requests are unknown; a commit is matched when Cursor's reports have it."
    ]
  },
  "ai-impact": {
    "at": "much-and-little-ai",
    "says": [
      "Whether pull requests with much AI (60% and more of the added lines) differ from those with little (under 30%) of the same developer in the same repository.",
      "It is a comparison, not an experiment: people choose what they use AI for."
    ]
  },
  "agent-prs": {
    "at": "martagent_pull_requests",
    "says": [
      "Of the pull requests that were opened in these weeks and are merged or closed, the share that was merged.",
      "An agent is known by a sign that it leaves, such as its login or the beginning of its branch.",
      "What a person wrote with an agent's help is a person's."
    ]
  },
  "cycle-time": {
    "at": "martvelocity",
    "says": [
      "From the first commit to the merge: half of the pull requests of a week took less than the median, and nine of ten less than the 90th percentile."
    ]
  },
  "reverts": {
    "at": "martquality",
    "says": [
      "The share of a week's merged pull requests that were taken back later.",
      "The line through each dot is its 95% interval: few pull requests make it long."
    ]
  },
  "review-load": {
    "at": "martreview_costs",
    "says": [
      "How much reviewing the pull requests of a week took, up to their merge.",
      "The hours are an estimate: a quarter of an hour for each review, and 1,200 lines an hour."
    ]
  },
  "cost-per-pr": {
    "at": "martai_spend_by_repo_week",
    "says": [
      "What agents cost in a week in repositories with known cost, divided by the pull requests that were merged there in that week.",
      "A week in which little of the cost has a repository means little."
    ]
  },
  "rows": {
    "at": "martusage_session",
    "says": [
      "The single rows behind the sums: a session is one conversation with an agent, and its model is the one of most responses.",
      "A pull request is listed once it is merged."
    ]
  },
  "unpriced": {
    "at": "cost-of-usage",
    "says": [
      "Models that were used and have no price for their speed, region, day or length of prompt, so that their cost is unknown."
    ]
  }
};
