// Watching: two agents play, move by move or flowing, and a hundred games in the background.

import { Board } from "./board.js";
import { OWNERS, element, opponents } from "./cards.js";
import { winGraph } from "./graph.js";
import { percent } from "./helps.js";
import { ask, connect, onPush } from "./socket.js";
import { stepTime } from "./store.js";

let current = null;
onPush("match", (message) => current?.matchStands(message));

export function watchView(main, { toast }) {
  current = new WatchView(main, toast);
  connect().then(() => current.open());
  return current;
}

function picker(label, chosen) {
  const groups = { level: "Levels", checkpoint: "Checkpoints", named: "The ten", agent: "Python agents" };
  const select = element("select", {}, Object.entries(groups).map(([group, words]) => {
    const members = opponents.filter((opponent) => opponent.group === group);
    return members.length ? element("optgroup", { label: words }, members.map((opponent) => element("option", { value: opponent.key, selected: opponent.key === chosen }, `${opponent.label}${opponent.elo === null ? "" : ` (${opponent.elo})`}`))) : null;
  }));
  return [select, element("label", {}, label, select)];
}

class WatchView {
  constructor(main, toast) {
    Object.assign(this, { main, toast, game: null, flowing: false, busy: false, shares: [], request: null });
  }

  leave() {
    this.flowing = false;
    this.stopMatch();
    if (current === this) current = null;
  }

  open() {
    const [first, firstLabel] = picker("Blue, first", opponents.some((one) => one.key === "champion") ? "champion" : opponents[0].key);
    const [second, secondLabel] = picker("Orange, second", "distilled_outcome");
    this.players = () => [first.value, second.value];
    const scoring = element("select", {}, element("option", { value: "points" }, "points"), element("option", { value: "animals" }, "animals"));
    this.scoring = () => scoring.value;
    this.flowButton = element("button", { onclick: () => this.flow() }, "Flow");
    this.stage = element("div", { class: "stage" });
    this.graph = element("div");
    this.table = element("div", { "aria-live": "polite" });
    this.matchButton = element("button", { onclick: () => this.match() }, "Play a hundred games");
    this.main.replaceChildren(
      element("section", { class: "watch-setup" }, firstLabel, secondLabel, element("label", {}, "Counted are", scoring),
        element("button", { class: "primary", onclick: () => this.begin() }, "New game")),
      element("div", { class: "game-page" }, this.stage,
        element("aside", { class: "side" },
          element("section", { class: "panel" }, element("h2", {}, "Who wins? By what the mover can know"), this.graph),
          element("section", { class: "panel" }, element("h2", {}, "A hundred games"),
            element("p", { class: "quiet" }, "In the background, every deal from both seats."), this.matchButton, this.table))));
    this.begin();
  }

  async begin() {
    this.flowing = false;
    this.flowButton.textContent = "Flow";
    try {
      this.game = await ask("watch", { players: this.players(), scoring: this.scoring() });
    } catch (error) { this.toast(error.message); return; }
    const names = this.game.players.map((name, seat) => `${name} (${OWNERS[seat]})`);
    this.board = new Board({ viewer: 0, names, scoring: this.game.scoring });
    this.board.root.append(element("div", { class: "controls" },
      element("button", { class: "primary", onclick: () => this.step() }, "Next move"),
      this.flowButton,
      element("button", { onclick: () => { location.hash = `game=${this.game.link}`; } }, "Review")));
    this.stage.replaceChildren(this.board.root);
    this.board.show({ ...this.game.position, legal: [] });
    this.board.said.replaceChildren(`${this.game.players[0]} against ${this.game.players[1]}`);
    this.shares = [null];
    this.judge();
  }

  async step() {
    if (this.busy || !this.game || this.game.position.over) return false;
    this.busy = true;
    const { watch } = this.game;
    try {
      const next = await ask("next", { watch });
      if (this.game.watch !== watch) return false;
      await this.board.playTurn(next.turn, { ...next.position, legal: [] });
      if (this.game.watch !== watch) return false;
      this.game = { ...this.game, ...next };
      this.shares.push(null);
      this.judge();
      if (next.position.over) this.over();
      return !next.position.over;
    } catch (error) {
      this.toast(error.message);
      return false;
    } finally { this.busy = false; }
  }

  async judge() {
    const { watch, link, position } = this.game;
    const turn = position.turn;
    if (position.over) {
      this.shares[turn] = position.winner === null ? 0.5 : 1 - position.winner;
      this.draw();
      return;
    }
    try {
      const analysis = await ask("analyse", { text: link, turn, samples: 100 });
      if (this.game.watch !== watch) return;
      this.shares[turn] = position.toMove === 0 ? analysis.win.mean : 1 - analysis.win.mean;
      this.draw();
    } catch { /* another scoring, or busy: the graph has a gap */ }
  }

  draw() {
    const now = this.shares[this.shares.length - 1];
    const words = now === null ? "" : `${this.game.players[0]} ${percent(now)}, ${this.game.players[1]} ${percent(1 - now)}`;
    const padded = [...this.shares, ...Array(Math.max(0, 25 - this.shares.length)).fill(null)];
    this.graph.replaceChildren(winGraph(padded, { at: this.shares.length - 1, names: this.game.players }), element("p", {}, words));
  }

  over() {
    const { winner, scores } = this.game.position;
    this.board.said.replaceChildren(winner === null ? `A draw, ${scores.join(" to ")}` : `${this.game.players[winner]} (${OWNERS[winner]}) wins, ${scores[winner]} to ${scores[1 - winner]}`);
  }

  async flow() {
    this.flowing = !this.flowing;
    this.flowButton.textContent = this.flowing ? "Pause" : "Flow";
    while (this.flowing && await this.step()) await new Promise((resolve) => setTimeout(resolve, Math.max(120, stepTime() / 2)));
    this.flowing = false;
    this.flowButton.textContent = "Flow";
  }

  async match() {
    if (this.request !== null) { this.stopMatch(); return; }
    const [one, two] = this.players();
    const request = ask("match", { players: [one, two], games: 100, scoring: this.scoring() });
    this.request = request.id;
    this.matchButton.textContent = "Stop";
    this.matchNames = [one, two].map((key) => opponents.find((opponent) => opponent.key === key).label);
    try {
      this.showMatch(await request);
    } catch (error) { if (!error.stopped) this.toast(error.message); }
    this.request = null;
    this.matchButton.textContent = "Play a hundred games";
  }

  stopMatch() {
    if (this.request !== null) ask("stop", { request: this.request }).catch(() => {});
  }

  matchStands(message) { if (message.request === this.request) this.showMatch(message); }

  showMatch({ games, wins, draws, losses, margin }) {
    const row = (label, ...cells) => element("tr", {}, element("th", { scope: "row" }, label), cells.map((cell) => element("td", {}, String(cell))));
    this.table.replaceChildren(
      element("progress", { max: 100, value: games, "aria-label": "games played" }),
      element("table", { class: "facts-table" },
        element("thead", {}, element("tr", {}, ["", "wins", "draws", "losses", "margin"].map((words) => element("th", { scope: "col" }, words)))),
        element("tbody", {},
          row(this.matchNames[0], wins, draws, losses, (margin >= 0 ? "+" : "−") + Math.abs(margin).toFixed(1)),
          row(this.matchNames[1], losses, draws, wins, (margin <= 0 ? "+" : "−") + Math.abs(margin).toFixed(1)))),
      element("p", { class: "quiet" }, `${games} games`));
  }

  key(event) {
    if (event.key === " " && !event.target.closest("button")) {
      if (this.busy) this.board.skip?.();
      else this.step();
      return true;
    }
    if (event.key === "ArrowRight") { this.step(); return true; }
    if (event.key.toLowerCase() === "n") { this.begin(); return true; }
    return false;
  }
}
