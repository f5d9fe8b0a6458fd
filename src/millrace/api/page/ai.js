// How much is known of what AI wrote: an unknown part is said beside each share, and is never a zero.

import * as f from "./format.js";

const isKnown = (value) => value !== null && value !== undefined;

/** The share of AI in the added lines of a row: "≥ 12%" where the AI lines of some pull requests are unknown, "–" where all are. */
export function aiShare(row, merged = row.merged_prs) {
  const text = f.rate(row.ai_line_share);
  return isKnown(row.ai_line_share) && row.ai_known_prs < merged ? f.atLeast(text) : text;
}

/** "160 of 200 commits on GitHub matched (80%)"; null where no commit is of GitHub. */
export function commitsMatched({ ai_matched_commits: matched, ai_matchable_commits: all }) {
  if (!isKnown(all)) return null;
  if (!isKnown(matched)) return `not known how many of ${f.counted(all, "commit")} on GitHub are matched`;
  return `${f.whole(matched)} of ${f.counted(all, "commit")} on GitHub matched${all ? ` (${f.rate(matched / all)})` : ""}`;
}

/** "AI lines known for 12 of 40 pull requests, 160 of 200 commits on GitHub matched (80%)"; null where nothing was merged. */
export function aiKnown(row, merged = row.merged_prs) {
  if (!merged || !isKnown(row.ai_known_prs)) return null;
  return [`AI lines known for ${f.whole(row.ai_known_prs)} of ${f.counted(merged, "pull request")}`, commitsMatched(row)].filter(Boolean).join(", ");
}
