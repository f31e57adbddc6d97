// The position editor: cards are put where they lie, and the position is analysed.

import { Board } from "./board.js";
import { OWNERS, animals, cardElement, element, keyOf } from "./cards.js";
import { actionTable, percent } from "./helps.js";
import { ask, connect } from "./socket.js";

const PLACES = [
  ["hand0", "Blue’s hand", 4], ["hand1", "Orange’s hand", 4],
  ["queue", "Queue, from the gate", 4], ["bar", "Bar", 24], ["thatsIt", "That’s it", 24],
];
const ALL = [0, 1].flatMap((owner) => animals.map((animal) => [owner, animal.name]));

export function editorView(main, { argument, toast }) {
  const view = new EditorView(main, toast);
  connect().then(() => view.open(argument));
  return view;
}

class EditorView {
  constructor(main, toast) {
    Object.assign(this, { main, toast, active: "hand0", asked: 0 });
    this.where = new Map();
    this.order = Object.fromEntries(PLACES.map(([name]) => [name, []]));
  }

  async open(link) {
    this.places = element("div", { class: "places" });
    this.rest = element("div", { class: "place" });
    this.text = element("textarea", { rows: 9, "aria-label": "The position in the notation", spellcheck: "false" });
    this.problem = element("p", { class: "problem", role: "alert" });
    this.answer = element("div", { "aria-live": "polite" });
    this.preview = element("div");
    this.scoring = element("select", { "aria-label": "Counted are" }, element("option", {}, "points"), element("option", {}, "animals"));
    this.scoring.addEventListener("change", () => this.changed());
    this.main.replaceChildren(element("div", { class: "editor-page" },
      element("div", { class: "places" },
        element("section", { class: "panel" },
          element("h1", {}, "Set up a position"),
          element("p", { class: "quiet" }, "Choose a place, then the cards that lie there, in order. A card that is put nowhere is in a deck or in a hand that is not known. The turn follows from the cards played: Blue began."),
          this.places),
        this.rest),
      element("aside", { class: "review-side" },
        element("section", { class: "panel" },
          element("h2", {}, "Analysis"), this.problem, this.answer,
          element("p", { class: "actions" },
            element("button", { class: "primary", onclick: () => this.analyse() }, "Analyse"),
            element("button", { onclick: () => this.clear() }, "Clear"), this.scoring)),
        element("section", { class: "panel" }, element("h2", {}, "As text"), this.text,
          element("p", { class: "actions" },
            element("button", { onclick: () => this.take(this.text.value) }, "Take the text"),
            element("button", { onclick: () => this.copy() }, "Copy the link"))))));
    if (link) await this.take(link);
    else this.draw();
  }

  // Reads a position from the notation or a link; of a game, the position after its last move.
  async take(text) {
    let record;
    try {
      record = await ask("read", { text });
    } catch (error) {
      this.problem.textContent = error.message;
      return;
    }
    const position = record.positions[record.positions.length - 1];
    this.clear(false);
    this.scoring.value = record.scoring;
    const lying = {
      hand0: position.hands[0].filter(Boolean).map((species) => [0, species]),
      hand1: position.hands[1].filter(Boolean).map((species) => [1, species]),
      queue: position.queue, bar: position.bar, thatsIt: position.thatsIt,
    };
    for (const [place, cards] of Object.entries(lying)) for (const card of cards) this.put(card, place);
    this.problem.textContent = "";
    this.draw();
  }

  clear(drawn = true) {
    this.where.clear();
    for (const name of Object.keys(this.order)) this.order[name] = [];
    this.answer.replaceChildren();
    this.problem.textContent = "";
    if (drawn) this.draw();
  }

  put(card, place) {
    this.where.set(keyOf(card), place);
    this.order[place].push(card);
  }

  remove(card) {
    const place = this.where.get(keyOf(card));
    this.where.delete(keyOf(card));
    this.order[place] = this.order[place].filter((other) => keyOf(other) !== keyOf(card));
  }

  changed() {
    this.answer.replaceChildren();
    this.problem.textContent = "";
    this.draw();
  }

  add(card) {
    const [, label, most] = PLACES.find(([name]) => name === this.active);
    if (this.order[this.active].length >= most) { this.toast(`${label} holds at most ${most}.`); return; }
    if (this.active.startsWith("hand") && Number(this.active[4]) !== card[0]) {
      this.toast(`A card of ${OWNERS[card[0]]} cannot be in ${label}.`);
      return;
    }
    this.put(card, this.active);
    this.changed();
  }

  draw() {
    this.places.replaceChildren(...PLACES.map(([name, label]) => {
      const cards = this.order[name];
      const head = element("button", { type: "button", "aria-pressed": String(this.active === name), onclick: () => { this.active = name; this.draw(); } }, label, element("span", { class: "count" }, ` ${cards.length}`));
      const list = element("div", { class: "place-cards" }, cards.map((card) => {
        const made = cardElement(...card, { tag: "button", label: `take the ${card[1]} of ${OWNERS[card[0]]} out of ${label}` });
        made.addEventListener("click", () => { this.remove(card); this.changed(); });
        return made;
      }));
      return element("div", { class: `place${this.active === name ? " active" : ""}`, "data-place": name }, head, list);
    }));
    const label = PLACES.find(([name]) => name === this.active)[1];
    const free = ALL.filter((card) => !this.where.has(keyOf(card)) && (!this.active.startsWith("hand") || card[0] === Number(this.active[4])));
    this.rest.replaceChildren(element("b", {}, `Put into: ${label}`), element("div", { class: "place-cards" }, free.map((card) => {
      const made = cardElement(...card, { tag: "button", label: `put the ${card[1]} of ${OWNERS[card[0]]} into ${label}` });
      made.addEventListener("click", () => this.add(card));
      return made;
    })));
    this.text.value = this.notation();
  }

  notation() {
    const { order } = this;
    const cards = (place) => order[place].map(([owner, species]) => `${species}(${owner})`).join(" ");
    const lines = ["Beasty Bar", `scoring: ${this.scoring.value}`];
    for (const seat of [0, 1]) if (order[`hand${seat}`].length) lines.push(`hand ${seat}: ${order[`hand${seat}`].map(([, species]) => species).join(" ")}`);
    for (const [place, key] of [["queue", "queue"], ["bar", "bar"], ["thatsIt", "thats it"]]) if (order[place].length) lines.push(`${key}: ${cards(place)}`);
    return `${lines.join("\n")}\n`;
  }

  async analyse() {
    const number = ++this.asked;
    this.problem.textContent = "";
    this.answer.replaceChildren(element("p", { class: "quiet" }, "thinking…"));
    try {
      const record = await ask("read", { text: this.text.value });
      const position = record.positions[record.positions.length - 1];
      history.replaceState(null, "", `#position=${record.link}`);
      const analysis = await ask("analyse", { text: this.text.value, turn: position.turn, samples: 1000 });
      if (number !== this.asked) return;
      this.answer.replaceChildren(
        element("p", {}, element("b", { class: `of${analysis.seat}` }, OWNERS[analysis.seat]), ` is to move at turn ${position.turn + 1} and wins ${percent(analysis.win.mean)}, margin ${analysis.margin.mean.toFixed(1)}.`),
        actionTable(analysis, position.queue, { line: true }));
      const board = new Board({ viewer: position.toMove, scoring: record.scoring });
      board.show({ ...position, legal: [] });
      this.rest.after(this.preview);
      this.preview.replaceChildren(board.root);
    } catch (error) {
      if (number !== this.asked) return;
      this.answer.replaceChildren();
      this.problem.textContent = error.message;
    }
  }

  async copy() {
    try {
      const record = await ask("read", { text: this.text.value });
      await navigator.clipboard.writeText(`${location.origin}/#position=${record.link}`);
      this.toast("The link is copied.");
    } catch (error) { this.toast(error.message); }
  }

  key() { return false; }
}
