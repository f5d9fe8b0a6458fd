// The line below the tiles that answers "faster, or buggier?": the verdict of the AI panel, or what to connect.

import { address, getShared } from "./answers.js";
import { has, stepElement, steps } from "./connected.js";
import { h } from "./dom.js";

export class Verdict {
  constructor(filters) {
    this.filters = filters;
    this.text = h("p", { class: "answer-text" });
    this.element = document.getElementById("verdict");
    this.element.append(h("h2", {}, "Faster or buggier with AI?"), this.text);
  }

  async refresh(signal) {
    try {
      const answer = await getShared(address("/api/ai-impact", "delivery", this.filters()), signal);
      if (signal.aborted) return;
      this.answer = answer;
      this.redraw();
    } catch {
      if (!signal.aborted) this.refuse(); // the panel below shows the failure
    }
  }

  /** Draw the last answer again: a status arrived. */
  redraw() {
    if (!this.answer) return;
    if (!has.pull_requests()) return this.text.replaceChildren("Not known without pull requests. Connect a source: ", stepElement(steps.pull_requests()));
    const nothing = this.answer.rows.length ? "–" : "No pull request was merged in these weeks.";
    const summary = this.answer.effects_of?.summary ?? nothing;
    this.text.replaceChildren(summary, " ", h("a", { href: "#ai-impact" }, "How this is computed"));
  }

  /** Nothing can be said. */
  refuse() {
    this.answer = null;
    this.text.replaceChildren("–");
  }
}
