// Choosing a move by pointing: a card of the hand first, then what the animal's choice means.
//
// What cannot be played is never offered: every option comes from the server's legal actions.

import { animalOf, element, moveWords } from "./cards.js";

// The next values that a card's actions differ in, each anchored at places of the queue.
function optionsOf(actions, chosen, queue) {
  const acts = chosen.length && typeof chosen[0] === "string" ? chosen[0] : actions[0].species;
  const fitting = actions.filter((action) => chosen.every((value, place) => action.params[place] === value));
  const depth = chosen.length;
  if (fitting.length === 1 && fitting[0].params.length === depth) return [{ done: fitting[0], places: [queue.length] }];
  const values = [...new Set(fitting.map((action) => action.params[depth]))];
  return values.map((value) => {
    const rest = fitting.filter((action) => action.params[depth] === value);
    const done = rest.length === 1 && rest[0].params.length === depth + 1 ? rest[0] : null;
    if (typeof value === "string") {
      const places = queue.flatMap(([, species], place) => (species === value ? [place] : []));
      return { value, done, places, label: `copy the ${value}` };
    }
    if (acts === "kangaroo") {
      return { value, done, places: [queue.length - value], label: value === 1 ? "jump over one" : "jump over two" };
    }
    return { value, done, places: [value], label: `send the ${queue[value][1]} away` };
  });
}

export class Chooser {
  // play(action) is called once with what was chosen.
  constructor(board, play) {
    Object.assign(this, { board, play });
    this.prompt = element("p", { class: "prompt" });
    this.clear();
  }

  get legal() { return this.board.shown?.legal ?? []; }

  clear() {
    this.species = null;
    this.chosen = [];
    this.options = [];
    this.focus = 0;
    this.mark();
  }

  pick(species) {
    const actions = this.legal.filter((action) => action.species === species);
    if (!actions.length) return;
    if (this.species === species && this.options.length === 1 && this.options[0].done) {
      this.take(this.options[0]);
      return;
    }
    this.species = species;
    this.chosen = [];
    this.refine();
  }

  refine() {
    const actions = this.legal.filter((action) => action.species === this.species);
    this.options = optionsOf(actions, this.chosen, this.board.shown.queue);
    this.focus = 0;
    this.mark();
  }

  take(option) {
    if (option.done) {
      const { done } = option;
      this.clear();
      this.play(done);
      return;
    }
    this.chosen = [...this.chosen, option.value];
    this.refine();
  }

  back() {
    if (this.chosen.length) {
      this.chosen = this.chosen.slice(0, -1);
      this.refine();
    } else this.clear();
  }

  // Arrow keys go from option to option; Enter takes it.
  move(by) {
    if (!this.options.length) return false;
    this.focus = (this.focus + by + this.options.length) % this.options.length;
    this.mark();
    return true;
  }

  confirm() {
    if (!this.options.length) return false;
    this.take(this.options[this.focus]);
    return true;
  }

  // Shows hand and queue as they are pointed at.
  mark() {
    const { board } = this;
    if (!board.shown) return;
    const own = board.strips.find((strip) => strip.owner === board.seat);
    for (const card of own.hand.querySelectorAll("[data-key]")) {
      const species = card.dataset.key.split("-")[1];
      const playable = this.legal.some((action) => action.species === species);
      card.disabled = !playable;
      card.classList.toggle("chosen", species === this.species);
      card.setAttribute("aria-pressed", String(species === this.species));
    }
    for (const old of board.queue.querySelectorAll(".target")) {
      if (old.classList.contains("spot")) old.remove();
      else {
        old.classList.remove("target", "focused");
        old.onclick = null;
        old.tabIndex = -1;
      }
    }
    board.root.classList.toggle("choosing", this.options.length > 0);
    this.options.forEach((option, number) => {
      for (const place of option.places) this.target(option, place, number);
    });
    this.prompt.replaceChildren(...this.words());
  }

  target(option, place, number) {
    const slot = this.board.queue.children[place];
    const isEnd = place >= this.board.shown.queue.length;
    let button = slot?.querySelector("button.card");
    const label = option.done && isEnd ? `play the ${moveWords(option.done, this.board.shown.queue)}` : option.label;
    if (!button || isEnd) {
      button = element("button", { type: "button", class: "spot" }, element("span", {}, "play"));
      slot.append(button);
      button.setAttribute("aria-label", label);
    } else button.setAttribute("aria-label", `${button.getAttribute("aria-label")}: ${label}`);
    button.classList.add("target");
    button.classList.toggle("focused", number === this.focus);
    button.tabIndex = 0;
    button.onclick = () => this.take(option);
  }

  words() {
    if (!this.legal.length) return [];
    if (!this.species) return ["Your turn: choose a card"];
    const animal = animalOf.get(this.species);
    const buttons = this.options.map((option, number) => element("button", {
      type: "button",
      class: `option${number === this.focus ? " focused" : ""}`,
      onclick: () => this.take(option),
    }, option.label ?? "play it"));
    return [element("span", { class: "rule-line" }, `${animal.name}: ${animal.rule}`), element("span", { class: "options" }, ...buttons)];
  }
}
