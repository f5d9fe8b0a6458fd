// The single sessions and merged pull requests behind the numbers, a page at a time.

import { address, get } from "./answers.js";
import { h, scrolling, table } from "./dom.js";
import * as f from "./format.js";
import { withModels } from "./models.js";
import { choice, Panel } from "./panel.js";
import { nameButton, repositoryCell } from "./where.js";

const SIZE = 20;
const orUnknown = (value, drawn) => (value === null || value === undefined ? f.UNKNOWN : drawn(value));

const LISTS = {
  sessions: {
    title: "Sessions", route: "/api/sessions", kind: "usage", needs: "usage",
    columns: (page) => [
      { name: "Began, UTC", of: (row) => f.plainInstant(row.first_at) },
      { name: "Person", of: (row) => orUnknown(row.person, (name) => nameButton(page, "person", name)) },
      { name: "Repository", of: (row) => orUnknown(row.repo_name, (name) => nameButton(page, "repo", name)) },
      { name: "Project", of: (row) => f.name(row.project) },
      { name: "Agent", of: (row) => f.name(row.agent) },
      { name: "Model", of: (row) => h("span", { title: row.primary_model === row.model ? null : `in the log: ${row.primary_model}` }, f.name(row.model)) },
      { name: "Cost", number: true, of: (row) => f.cost(row) },
      { name: "Tokens", number: true, of: (row) => f.whole(row.total_tokens) },
      { name: "Prompts", number: true, of: (row) => f.whole(row.user_message_count) },
      { name: "Session", of: (row) => h("span", { class: "id", title: row.session_id }, f.name(row.session_id)) },
    ],
  },
  "pull-requests": {
    title: "Merged pull requests", route: "/api/pull-requests", kind: "usage", needs: "pull_requests",
    columns: (page) => [
      { name: "Merged, UTC", of: (row) => f.plainInstant(row.merged_at) },
      { name: "Repository", of: (row) => repositoryCell(page, row.repo_name) },
      { name: "PR", number: true, of: (row) => `#${row.number}` },
      { name: "Developer", of: (row) => orUnknown(row.developer, (name) => nameButton(page, "person", name)) },
      { name: "Cycle time", number: true, of: (row) => f.hours(row.cycle_time_hours) },
      { name: "Lines", number: true, of: (row) => f.whole(row.total_loc) },
      { name: "AI share", number: true, of: (row) => f.rate(row.ai_ratio) },
      { name: "Review rounds", number: true, of: (row) => f.whole(row.review_rounds) },
      { name: "Comments", number: true, of: (row) => f.whole(row.comment_count) },
      { name: "Reverted", of: (row) => orUnknown(row.is_reverted, (is) => (is ? "yes" : "no")) },
      { name: "Bug fix", of: (row) => orUnknown(row.is_bug_fix, (is) => (is ? "yes" : "no")) },
    ],
  },
};

/** The panel of single rows: a list in the address, and a page that every change of the filters takes back to the first. */
export function rowsPanel(page) {
  const list = () => LISTS[page.part("list")];
  const url = (extra = {}) => address(list().route, list().kind, page.filters(), extra);
  let offset = 0;

  function turn(by) {
    offset += by;
    panel.turned = true;
    panel.refresh(panel.signal, true);
  }

  function pager({ total_count: total, rows }) {
    const step = (text, by, isEnd) => h("button", { type: "button", disabled: isEnd, onclick: () => turn(by) }, text);
    return h("div", { class: "pager" }, step("‹ Previous", -SIZE, offset === 0),
      h("p", { role: "status" }, `${f.whole(offset + 1)}\u2013${f.whole(offset + rows.length)} of ${f.whole(total)}`), step("Next ›", SIZE, offset + rows.length >= total));
  }

  const panel = new Panel({
    id: "rows", title: "Sessions and pull requests", isWide: true, url,
    get needs() {
      return list().needs;
    },
    controls: choice("list", "Rows of", [["sessions", "Sessions"], ["pull-requests", "Pull requests"]], page.part("list"), (value) => {
      page.setPart("list", value);
      panel.refresh(panel.signal);
    }),
    load: (signal) => {
      if (!panel.turned) offset = 0;
      panel.turned = false;
      const answer = get(url({ limit: SIZE, offset }), signal);
      return list() === LISTS.sessions ? withModels(answer, page.filters(), signal) : answer;
    },
    draw: (answer) => answer.rows.length === 0 ? null
      : { content: [scrolling(list().title, table(list().title, list().columns(page), answer.rows)), pager(answer)] },
  });
  return panel;
}
