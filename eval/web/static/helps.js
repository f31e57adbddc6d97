// Help while playing: the hint, the evaluation bar, and what the opponent may hold.

import { element, moveWords, parseMove, picture } from "./cards.js";
import { ask } from "./socket.js";
import { settings } from "./store.js";

export const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

export class Helps {
  constructor(view) {
    this.view = view;
    this.bar = element("div", { class: "evaluation", role: "img", hidden: true }, element("span", { class: "fill" }), element("output", {}));
    this.hintPanel = element("section", { class: "panel hint", hidden: true, "aria-live": "polite" });
    this.holdsPanel = element("section", { class: "panel holds", hidden: true });
    this.root = element("div", { class: "helps" }, this.hintPanel, this.holdsPanel);
    this.found = null;
    this.asked = null;
  }

  get isMine() {
    const { position, seat } = this.view.game;
    return position.toMove === seat && !position.over;
  }

  // The analysis of the position on the board, asked for once.
  async analysis() {
    const { game, position, revision } = this.view.game;
    const place = `${game}/${revision}/${position.turn}`;
    if (this.found?.place === place) return this.found.analysis;
    if (this.asked?.place !== place) this.asked = { place, promise: ask("hint", { game }) };
    const analysis = await this.asked.promise;
    this.found = { place, analysis };
    return analysis;
  }

  clear() {
    this.hintPanel.hidden = true;
    for (const card of this.view.board.root.querySelectorAll(".hinted")) card.classList.remove("hinted");
  }

  async refresh() {
    this.clear();
    const { over } = this.view.game.position;
    this.bar.hidden = !settings.bar || over;
    if (!settings.holds || over) this.holdsPanel.hidden = true;
    if (!this.isMine || !(settings.bar || settings.holds)) return;
    try {
      const analysis = await this.analysis();
      if (!this.isMine) return;
      if (settings.bar) this.showBar(analysis);
      if (settings.holds) this.showHolds(analysis);
    } catch { /* the next position is asked about anew */ }
  }

  showBar(analysis) {
    const share = analysis.win.mean;
    this.bar.hidden = false;
    this.bar.style.setProperty("--share", share);
    this.bar.className = `evaluation of${this.view.game.seat}`;
    this.bar.lastChild.textContent = percent(share);
    this.bar.setAttribute("aria-label", `You win with ${percent(share)}`);
    this.bar.title = `Your chance of winning, from what you can know: ${percent(share)}; expected margin ${analysis.margin.mean.toFixed(1)}`;
  }

  showHolds(analysis) {
    const hand = Object.entries(analysis.opponent.hand).sort((a, b) => b[1] - a[1]);
    const models = Object.entries(analysis.opponent.models).sort((a, b) => b[1] - a[1]).filter(([, share]) => share >= 0.01).slice(0, 3);
    this.holdsPanel.hidden = false;
    this.holdsPanel.replaceChildren(
      element("h2", {}, "What does it hold?"),
      element("ul", { class: "held" }, hand.map(([species, share]) => element("li", { title: `${species}: ${percent(share)}` },
        picture(species), element("span", { class: "only-read" }, `${species} `), element("span", {}, percent(share))))),
      element("p", { class: "quiet" }, "It plays like ", models.map(([model, share]) => `${model} (${percent(share)})`).join(", "), "."));
  }

  async hint() {
    if (!this.isMine) return;
    if (!this.hintPanel.hidden) { this.clear(); return; }
    this.hintPanel.hidden = false;
    this.hintPanel.replaceChildren(element("h2", {}, "Hint"), element("p", { class: "quiet" }, "thinking…"));
    try {
      const analysis = await this.analysis();
      if (!this.isMine) { this.clear(); return; }
      this.hintPanel.replaceChildren(element("h2", {}, "Hint"), actionTable(analysis, this.view.game.position.queue, {
        choose: (entry) => this.view.chooser.pick(parseMove(entry.action).species),
      }));
      const best = parseMove(analysis.best).species;
      this.view.board.root.querySelector(`.strip.own [data-key="${this.view.game.seat}-${best}"]`)?.classList.add("hinted");
    } catch (error) {
      this.hintPanel.replaceChildren(element("h2", {}, "Hint"), element("p", {}, error.message));
    }
  }
}

// All legal actions with their win probabilities, the best first.
export function actionTable(analysis, queue, { played = null, choose = null, line = false } = {}) {
  const rows = analysis.actions.flatMap((entry) => {
    const words = moveWords(parseMove(entry.action), queue);
    const error = entry.win.error ? ` ±${Math.max(1, Math.round(196 * entry.win.error))}` : entry.exact ? " exact" : "";
    const row = element("tr", { class: [entry.action === analysis.best ? "best" : "", entry.action === played ? "played" : ""].join(" ") },
      element("th", { scope: "row" }, picture(parseMove(entry.action).species), choose ? element("button", { type: "button", class: "plain", onclick: () => choose(entry) }, words) : element("span", {}, words)),
      element("td", { class: "number" }, percent(entry.win.mean), element("small", {}, error)),
      element("td", { class: "track" }, element("span", { class: "share" })),
      element("td", { class: "number quiet", title: "the network’s own probability of playing it" }, percent(entry.policy)));
    row.querySelector(".share").style.setProperty("--share", entry.win.mean);
    if (!line || !(entry.line?.length > 1)) return [row];
    const then = entry.line.slice(1).map((text) => moveWords(parseMove(text), [])).join(", ");
    return [row, element("tr", { class: `likely ${row.className}` }, element("td", { colSpan: 4 }, element("small", {}, `then ${then}`)))];
  });
  return element("table", { class: "actions-table" },
    element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "move"), element("th", { scope: "col", colSpan: 2 }, "wins"), element("th", { scope: "col" }, "instinct"))),
    element("tbody", {}, rows));
}
