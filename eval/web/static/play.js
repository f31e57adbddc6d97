// Playing: choosing an opponent, the game, and what helps while it goes on.

import { Board } from "./board.js";
import { OWNERS, colouredSentence, element, opponentOf, opponents, stepsToTell } from "./cards.js";
import { Chooser } from "./chooser.js";
import { Helps } from "./helps.js";
import { ask, connect, onPush } from "./socket.js";
import { choices, forgetGame, keepGame, onSettings, pastGames, present, settings } from "./store.js";

let current = null;

onPush("turn", (message) => current?.take(message));
onPush("undone", (message) => current?.undone(message));
onPush("busy", (message) => current?.delayed(message));
onPush("failed", (message) => current?.delayed(message));
onPush("reconnected", () => current?.resume());
onSettings(() => current?.settingsChanged());

export function playView(main, { name, argument, toast }) {
  current = new PlayView(main, toast);
  connect().then(() => (name === "cards" ? current.offerCards(argument) : current.start()));
  return current;
}

class PlayView {
  constructor(main, toast) {
    Object.assign(this, { main, toast, game: null, pending: [], playing: false });
  }

  leave() { if (current === this) current = null; }

  async start() {
    const id = present.get();
    if (id) {
      try {
        this.open(await ask("resume", { game: id }));
        return;
      } catch { present.set(null); }
    }
    this.setup();
  }

  async resume() {
    if (!this.game) return;
    try {
      this.open(await ask("resume", { game: this.game.game }));
    } catch (error) {
      present.set(null);
      this.toast(error.message);
      this.setup();
    }
  }

  // --- Choosing an opponent ---------------------------------------------------------------------

  setup() {
    this.game = null;
    const chosen = { opponent: "casual", seat: "any", scoring: "points", ...choices.get() };
    if (!opponentOf.has(chosen.opponent)) chosen.opponent = opponents[0].key;
    const form = element("form", { class: "setup panel" }, element("h1", {}, "New game"));
    const levels = opponents.filter((opponent) => opponent.group === "level");
    const others = opponents.filter((opponent) => opponent.group !== "level");
    const list = element("div", { class: "levels", role: "radiogroup", "aria-label": "Level" });
    for (const opponent of levels) {
      const id = `level-${opponent.key}`;
      list.append(element("input", { type: "radio", name: "opponent", value: opponent.key, id, checked: chosen.opponent === opponent.key }),
        element("label", { for: id }, element("b", {}, opponent.label), element("span", { class: "elo" }, opponent.elo === null ? "" : `${opponent.elo}`), element("small", {}, opponent.how)));
    }
    const select = element("select", { id: "other", "aria-label": "Another opponent" }, element("option", { value: "" }, "somebody else…"));
    const groups = { checkpoint: "Checkpoints", named: "The ten", agent: "Python agents" };
    for (const [group, label] of Object.entries(groups)) {
      const members = others.filter((opponent) => opponent.group === group);
      if (members.length) select.append(element("optgroup", { label }, members.map((opponent) => element("option", { value: opponent.key, selected: chosen.opponent === opponent.key }, `${opponent.label}${opponent.elo === null ? "" : ` (${opponent.elo})`} · ${opponent.how}`))));
    }
    select.addEventListener("change", () => { if (select.value) for (const input of list.querySelectorAll("input")) input.checked = false; });
    list.addEventListener("change", () => { select.value = ""; });
    const radios = (name, label, values) => element("fieldset", { class: "choice" }, element("legend", {}, label), values.flatMap(([value, words]) => [
      element("input", { type: "radio", name, value, id: `${name}-${value}`, checked: chosen[name] === value }), element("label", { for: `${name}-${value}` }, words)]));
    form.append(
      element("h2", {}, "Against"), list, select,
      radios("seat", "You are", [["0", "Blue, first"], ["1", "Orange, second"], ["any", "either"]]),
      radios("scoring", "Counted are", [["points", "points"], ["animals", "animals"]]),
      element("p", { class: "actions" }, element("button", { class: "primary", type: "submit" }, "Play")));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const data = new FormData(form);
      const opponent = select.value || data.get("opponent");
      const request = { opponent, seat: data.get("seat"), scoring: data.get("scoring") };
      choices.set(request);
      this.begin("new", { ...request, seat: request.seat === "any" ? null : Number(request.seat) });
    });
    this.main.replaceChildren(element("div", { class: "setup-page" }, form, this.past()));
    form.querySelector("input:checked")?.focus({ preventScroll: true });
  }

  past() {
    const games = pastGames();
    const panel = element("section", { class: "panel past" }, element("h2", {}, "Your games"));
    if (!games.length) {
      panel.append(element("p", { class: "quiet" }, "Games that you finish are listed here, in this browser alone."));
      return panel;
    }
    panel.append(element("ul", {}, games.map((game) => element("li", {},
      element("a", { href: `#game=${game.link}` },
        element("span", { class: `result ${game.result}` }, game.result),
        element("span", {}, `${game.score} against ${game.opponent}`),
        element("time", { datetime: game.date }, new Date(game.date).toLocaleDateString())),
      element("button", { class: "icon", type: "button", "aria-label": "Forget this game", onclick: (event) => { forgetGame(game.id); event.target.closest("li").remove(); } }, "×")))));
    return panel;
  }

  offerCards(cards) {
    const panel = element("section", { class: "panel setup" },
      element("h1", {}, "Cards from a friend"),
      element("p", {}, "You get the same cards, against the same opponent, from the same seat. Play them blind and compare."),
      element("p", { class: "actions" },
        element("button", { class: "primary", onclick: () => { history.replaceState(null, "", "#play"); this.begin("cards", { cards }); } }, "Play these cards"),
        element("a", { class: "button", href: "#play" }, "Not now")));
    this.main.replaceChildren(panel);
  }

  async begin(what, fields) {
    try {
      this.open(await ask(what, fields));
    } catch (error) { this.toast(error.message); }
  }

  // --- The game -----------------------------------------------------------------------------------

  open(game) {
    this.game = game;
    this.pending = [];
    this.playing = false;
    present.set(game.game);
    const names = [...OWNERS];
    names[game.seat] = "You";
    names[1 - game.seat] = game.opponent.label;
    this.board = new Board({ viewer: game.seat, seat: game.seat, names, scoring: game.scoring, onCard: (species) => this.chooser.pick(species) });
    this.chooser = new Chooser(this.board, (action) => this.play(action));
    this.helps = new Helps(this);
    this.log = element("ol", { class: "log", "aria-label": "What has happened" });
    this.controls = element("div", { class: "controls" });
    this.side = element("aside", { class: "side" },
      this.helps.root,
      element("section", { class: "panel moves" }, element("h2", {}, "What has happened"), this.log));
    this.board.root.append(this.chooser.prompt, this.controls);
    this.main.replaceChildren(element("div", { class: "game-page" }, element("div", { class: "stage" }, this.helps.bar, this.board.root), this.side));
    for (const turn of game.turns) this.tell(turn);
    this.settle();
  }

  // Shows the game as it stands, once nothing glides any more.
  settle() {
    const { game } = this;
    this.board.show(game.position);
    this.chooser.clear();
    this.showControls();
    this.helps.refresh();
    if (game.position.over) this.finish();
    else if (game.position.toMove !== game.seat) this.board.said.replaceChildren(`${game.opponent.label} is thinking…`);
    else if (!game.turns?.length && !this.log.children.length) this.board.said.replaceChildren("You begin.");
  }

  showControls() {
    const { game } = this;
    const mine = game.position.toMove === game.seat && !game.position.over;
    this.controls.replaceChildren(
      ...(settings.hint ? [element("button", { disabled: !mine, onclick: () => this.helps.hint() }, "Hint")] : []),
      ...(settings.undo ? [element("button", { disabled: !game.canUndo, onclick: () => this.undo() }, "Undo")] : []),
      element("button", { onclick: () => this.newGame() }, "New game"));
  }

  tell(turn) {
    const seat = this.game.seat;
    const entry = element("li", { class: `of${turn.mover}` });
    const told = stepsToTell(turn).slice(1);
    entry.append(...told.flatMap((step) => [colouredSentence(step.text, step.cards, seat), " "]));
    this.log.append(entry);
    this.log.scrollTop = this.log.scrollHeight;
  }

  async play(action) {
    const { game, turn } = { game: this.game.game, turn: this.game.position.turn };
    this.game.position = { ...this.game.position, legal: [] };
    this.board.shown = { ...this.board.shown, legal: [] };
    this.chooser.clear();
    this.helps.clear();
    try {
      await ask("play", { game, turn, action: action.id });
    } catch (error) {
      this.toast(error.message);
      this.resume();
    }
  }

  async undo() {
    try {
      await ask("undo", { game: this.game.game });
    } catch (error) { this.toast(error.message); }
  }

  newGame() {
    present.set(null);
    this.setup();
  }

  take(message) {
    if (message.game !== this.game?.game) return;
    this.pending.push(message);
    this.playPending();
  }

  async playPending() {
    if (this.playing) return;
    this.playing = true;
    const game = this.game.game;
    while (this.pending.length && this.game?.game === game) {
      const { turn, view } = this.pending.shift();
      this.chooser.clear();
      await this.board.playTurn(turn, { ...view.position, legal: [] });
      if (this.game?.game !== game) return;
      this.game = { ...this.game, ...view, turns: null };
      this.tell(turn);
    }
    this.playing = false;
    const said = [...this.board.said.childNodes];
    this.settle();
    if (this.game.position.toMove === this.game.seat || this.game.position.over) this.board.said.replaceChildren(...said);
  }

  undone({ game, view }) {
    if (game !== this.game?.game) return;
    this.pending = [];
    this.game = { ...this.game, ...view };
    while (this.log.children.length > view.moves.length) this.log.lastChild.remove();
    this.board.said.replaceChildren("Taken back.");
    this.settle();
  }

  delayed({ game, error }) {
    if (game !== this.game?.game) return;
    this.toast(error);
    clearTimeout(this.retry);
    this.retry = setTimeout(() => this.resume(), 3000);
  }

  settingsChanged() {
    if (!this.game || this.playing) return;
    this.settle();
  }

  finish() {
    const { game } = this;
    const { winner, scores } = game.position;
    const result = winner === null ? "draw" : winner === game.seat ? "win" : "loss";
    const score = `${scores[game.seat]} to ${scores[1 - game.seat]}`;
    keepGame({ id: game.game, date: new Date().toISOString(), opponent: game.opponent.label, result, score, link: game.link });
    const words = { win: "You win", draw: "A draw", loss: `${game.opponent.label} wins` }[result];
    this.controls.replaceChildren(element("div", { class: `over ${result}`, role: "status" },
      element("strong", {}, `${words}, ${score}`),
      element("a", { class: "button primary", href: `#game=${game.link}` }, "Review"),
      element("button", { onclick: () => this.begin("exchange", { game: game.game }) }, "Same cards, other seat"),
      element("button", { onclick: () => this.share() }, "Send the cards to a friend"),
      element("button", { onclick: () => this.newGame() }, "New game")));
    this.controls.querySelector(".primary").focus({ preventScroll: true });
  }

  async share() {
    const link = `${location.origin}/#cards=${this.game.cards}`;
    try {
      await navigator.clipboard.writeText(link);
      this.toast("The link is copied. Whoever opens it plays these cards, unseen.");
    } catch { prompt("The link to these cards:", link); }
  }

  // --- Keys ---------------------------------------------------------------------------------------

  key(event) {
    const focused = document.activeElement;
    if (!this.game) return false;
    const key = event.key.toLowerCase();
    if (key === "n") this.newGame();
    else if (key === "r" && this.game.position.over) location.hash = `game=${this.game.link}`;
    else if (key === "h" && settings.hint) this.helps.hint();
    else if (key === "u" && settings.undo && this.game.canUndo) this.undo();
    else if (key === " " && this.playing) this.board.skip?.();
    else if (/^[1-4]$/.test(key)) {
      const species = this.board.shown.hands[this.game.seat][Number(key) - 1];
      if (species && !this.playing) this.chooser.pick(species);
    } else if (key === "arrowleft" || key === "arrowright") return this.chooser.move(key === "arrowleft" ? -1 : 1);
    else if (key === "escape") this.chooser.back();
    else if (key === "enter" && !["BUTTON", "A"].includes(focused?.tagName)) return this.chooser.confirm();
    else if (key === "enter" && focused?.closest(".board .hand, .board .queue") && this.chooser.options.length && !focused.classList.contains("target")) return this.chooser.confirm();
    else return false;
    return true;
  }
}
