// Review: a finished or loaded game, move by move, with what each move cost.

import { Board } from "./board.js";
import { OWNERS, element, moveWords, parseMove, stepsToTell } from "./cards.js";
import { winGraph } from "./graph.js";
import { actionTable, percent } from "./helps.js";
import { ask, connect, onPush } from "./socket.js";

const MISTAKES = ["inaccuracy", "mistake", "blunder"];
let current = null;
onPush("review", (message) => current?.progress(message));

export function reviewView(main, { argument, toast }) {
  current = new ReviewView(main, toast);
  connect().then(() => (argument ? current.load(argument) : current.loader()));
  return current;
}

class ReviewView {
  constructor(main, toast) {
    Object.assign(this, { main, toast, record: null, at: 0, moves: [], summary: null, request: null });
  }

  leave() {
    if (this.request !== null) ask("stop", { request: this.request }).catch(() => {});
    if (current === this) current = null;
  }

  loader(text = "", problem = "") {
    const area = element("textarea", { rows: 12, "aria-label": "A game in the notation, or a link", spellcheck: "false", placeholder: "Beasty Bar\nscoring: points\nhand 0: lion zebra skunk parrot\n…\n\n1. lion zebra\n2. parrot@1 kangaroo+1" });
    area.value = text;
    const file = element("input", { type: "file", accept: ".txt,text/plain", id: "file", class: "only-read" });
    file.addEventListener("change", async () => { if (file.files[0]) this.load(await file.files[0].text()); });
    const panel = element("section", { class: "panel loader" },
      element("h1", {}, "Review a game"),
      element("p", { class: "quiet" }, "Type or paste a game in the notation, paste a link, or open a file. Your own games are in the list on the page Play."),
      area,
      element("p", { class: "problem", role: "alert" }, problem),
      element("p", { class: "actions" },
        element("button", { class: "primary", onclick: () => this.load(area.value) }, "Review"),
        element("label", { class: "button", for: "file" }, "Open a file"), file));
    panel.addEventListener("dragover", (event) => event.preventDefault());
    panel.addEventListener("drop", async (event) => {
      event.preventDefault();
      const dropped = event.dataTransfer.files[0];
      this.load(dropped ? await dropped.text() : event.dataTransfer.getData("text"));
    });
    this.main.replaceChildren(panel);
  }

  async load(text) {
    try {
      this.record = await ask("read", { text: decodeURIComponent(text.includes("%") && !text.includes("\n") ? text.replace(/%2E/g, "%252E") : text) });
    } catch (error) {
      this.loader(text, error.message);
      return;
    }
    history.replaceState(null, "", `#game=${this.record.link}`);
    this.open();
    this.start();
  }

  open() {
    const { record } = this;
    const names = record.players.map((name, seat) => name || OWNERS[seat]);
    if (names[0] === names[1]) names.splice(0, 2, ...OWNERS);
    this.names = names.map((name) => (name === "you" ? "You" : name));
    const own = record.players.indexOf("you");
    this.board = new Board({ viewer: own >= 0 ? own : 0, names: this.names, scoring: record.scoring });
    this.moves = record.turns.map(() => null);
    this.shares = record.positions.map((position) => (position.over ? (position.winner === null ? 0.5 : 1 - position.winner) : null));
    this.graph = element("div");
    this.why = element("section", { class: "panel", "aria-live": "polite" });
    this.list = element("ol", { class: "moves-list", "aria-label": "Moves" });
    this.bar = element("progress", { max: record.turns.length, value: 0, "aria-label": "Progress of the review" });
    this.facts = element("div");
    const text = element("textarea", { rows: 9, readonly: true, "aria-label": "The game in the notation" });
    text.value = record.text;
    const download = element("a", { class: "button", download: "beasty-bar-game.txt", href: URL.createObjectURL(new Blob([record.text], { type: "text/plain" })) }, "Save as a file");
    const share = element("button", { onclick: () => this.copy(`${location.origin}/#game=${record.link}`, "The link is copied.") }, "Copy the link");
    this.place = element("output", {});
    this.board.root.append(element("div", { class: "controls steps" },
      element("button", { onclick: () => this.go(0), "aria-label": "To the beginning" }, "«"),
      element("button", { onclick: () => this.go(this.at - 1), "aria-label": "One move back" }, "‹"),
      this.place,
      element("button", { onclick: () => this.go(this.at + 1), "aria-label": "One move on" }, "›"),
      element("button", { onclick: () => this.go(this.moves.length), "aria-label": "To the end" }, "»"),
      element("button", { class: "primary", onclick: () => this.nextMistake() }, "Next mistake")));
    this.main.replaceChildren(element("div", { class: "game-page" },
      element("div", { class: "stage" }, this.board.root),
      element("aside", { class: "review-side" },
        element("section", { class: "panel" }, element("h2", {}, this.names[0] === "You" ? "Your chance of winning" : `Chance that ${this.names[0]} wins`), this.graph, this.bar, this.facts),
        this.why,
        element("section", { class: "panel" }, element("h2", {}, "Moves"), this.list),
        element("details", { class: "panel" }, element("summary", {}, "The game as text, file and link"), text,
          element("p", { class: "actions" }, download, share, element("button", { onclick: () => { history.replaceState(null, "", "#review"); this.leave(); this.loader(record.text); current = this; } }, "Another game"))))));
    this.at = this.moves.length;
    this.go(0);
  }

  async start() {
    const request = ask("review", { text: this.record.link });
    this.request = request.id;
    try {
      this.summary = await request;
      for (const move of this.summary.moves) this.moves[move.turn - this.record.start] = move;
      this.bar.hidden = true;
      this.draw();
      this.showFacts();
    } catch (error) {
      if (!error.stopped) this.facts.replaceChildren(element("p", { class: "problem" }, error.message));
    } finally { this.request = null; }
  }

  progress(message) {
    if (message.request !== this.request) return;
    this.shares[message.turn - this.record.start] = message.turn % 2 === 0 ? message.win : 1 - message.win;
    this.bar.value += 1;
    this.draw();
  }

  go(at, gliding = true) {
    const from = this.at;
    this.at = Math.max(0, Math.min(this.moves.length, at));
    const position = this.record.positions[this.at];
    this.board.show({ ...position, legal: [] }, { glide: gliding && Math.abs(from - this.at) === 1 });
    const turn = this.at > 0 ? this.record.turns[this.at - 1] : null;
    if (turn) {
      const told = stepsToTell(turn).slice(1);
      this.board.said.replaceChildren();
      this.board.say(told[0].text, told[0].cards);
      for (const step of told.slice(1)) this.board.said.append(" ", sayStep(this.board, step));
    } else this.board.said.replaceChildren("The beginning.");
    this.place.textContent = `after ${this.record.start + this.at} of ${this.record.start + this.moves.length} turns`;
    this.draw();
  }

  draw() {
    const marks = Object.fromEntries(this.moves.flatMap((move, place) => (move ? [[place, move.verdict]] : [])));
    this.graph.replaceChildren(winGraph(this.shares, { at: this.at, marks, go: (at) => this.go(at, false), names: this.names }));
    this.list.replaceChildren(...this.record.turns.map((turn, place) => {
      const move = this.moves[place];
      const button = element("button", { type: "button", "aria-current": place === this.at - 1 ? "step" : null, onclick: () => this.go(place + 1, false) },
        element("span", { class: "n" }, String(turn.turn + 1)),
        element("span", { class: `of${turn.mover}` }, moveWords(turn.action, this.record.positions[place].queue)),
        element("span", { class: `loss class-${move?.verdict ?? ""}` }, move ? lossWords(move) : ""));
      return element("li", {}, button);
    }));
    // Not scrollIntoView, which would scroll the page too.
    const now = this.list.querySelector("[aria-current]");
    if (now) this.list.scrollTop = now.offsetTop - this.list.offsetTop - this.list.clientHeight / 2;
    this.showWhy();
  }

  showWhy() {
    const move = this.moves[this.at - 1];
    const turn = this.record.turns[this.at - 1];
    this.why.hidden = !move?.analysis;
    if (!move?.analysis) return;
    const { queue } = this.record.positions[this.at - 1];
    const name = this.names[move.seat];
    const words = moveWords(turn.action, queue);
    const verdict = ["best", "forced"].includes(move.verdict)
      ? move.verdict === "forced" ? `${name} had only one move, ${words}.` : `${name} played the best move, ${words}.`
      : `${name} played ${words}, a ${{ good: "good move", inaccuracy: "slight inaccuracy" }[move.class] ?? move.verdict}: ${percent(Math.max(0, move.loss.mean))} less than ${moveWords(parseMove(move.analysis.best), queue)}.`;
    this.why.replaceChildren(element("h2", {}, `Why? Turn ${turn.turn + 1}`), element("p", {}, verdict), actionTable(move.analysis, queue, { played: turn.action.text, line: true }));
  }

  showFacts() {
    const { summary, names } = this;
    if (!summary.players) return;
    const rows = [
      ["accuracy", (player) => (player.accuracy === null ? "–" : `${Math.round(player.accuracy)} %`)],
      ["inaccuracies", (player) => player.verdicts.inaccuracy ?? 0],
      ["mistakes", (player) => player.verdicts.mistake ?? 0],
      ["blunders", (player) => player.verdicts.blunder ?? 0],
      ["skill", (player) => signed(player.skill)],
      ["luck", (player) => signed(player.luck)],
    ];
    this.facts.replaceChildren(element("table", { class: "facts-table" },
      element("thead", {}, element("tr", {}, element("th", {}), names.map((name, seat) => element("th", { scope: "col", class: `of${seat}` }, name)))),
      element("tbody", {}, rows.map(([label, value]) => element("tr", {}, element("th", { scope: "row" }, label), [0, 1].map((seat) => { const player = summary.players.find((one) => one.seat === seat); return element("td", {}, player ? String(value(player)) : "–"); }))))));
  }

  nextMistake() {
    const order = [...this.moves.keys()].map((place) => (this.at + place) % Math.max(1, this.moves.length));
    const found = order.find((place) => MISTAKES.includes(this.moves[place]?.verdict) && place + 1 !== this.at);
    if (found === undefined) this.toast(this.request === null ? "There is no mistake." : "The review is still going on.");
    else this.go(found + 1, false);
  }

  async copy(text, done) {
    try {
      await navigator.clipboard.writeText(text);
      this.toast(done);
    } catch { prompt("", text); }
  }

  key(event) {
    if (!this.record) return false;
    const key = event.key.toLowerCase();
    if (key === "arrowleft") this.go(this.at - 1);
    else if (key === "arrowright") this.go(this.at + 1);
    else if (key === "home") this.go(0, false);
    else if (key === "end") this.go(this.moves.length, false);
    else if (key === "m") this.nextMistake();
    else return false;
    return true;
  }
}

function sayStep(board, step) {
  const keep = [...board.said.childNodes];
  board.say(step.text, step.cards);
  const made = board.said.firstChild;
  board.said.replaceChildren(...keep);
  return made;
}

const signed = (share) => `${share >= 0 ? "+" : "−"}${percent(Math.abs(share))}`;

function lossWords(move) {
  if (move.verdict === "forced") return "only move";
  if (move.verdict === "best") return "best";
  const sign = { inaccuracy: "?!", mistake: "?", blunder: "??" }[move.verdict] ?? "";
  return `−${percent(Math.max(0, move.loss.mean))} ${sign}`;
}
