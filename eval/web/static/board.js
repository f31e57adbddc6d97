// The board: two hands, the queue between gate and exit, the bar and THAT'S IT.
//
// A card keeps its identity (owner and species), so whatever changes, each card glides from where
// it was to where it is.

import { OWNERS, animalOf, cardBack, cardElement, colouredSentence, element, keyOf, sentence, stepsToTell, svg } from "./cards.js";
import { settings, stepTime } from "./store.js";

const PLACES = 5;
const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

function pileScore(cards, owner, scoring) {
  const own = cards.filter(([other]) => other === owner);
  return scoring === "animals" ? own.length : own.reduce((sum, [, species]) => sum + animalOf.get(species).points, 0);
}

function starIcon() {
  return svg("svg", { viewBox: "-7 -7 14 14", class: "star", "aria-hidden": "true" },
    svg("path", { d: "M0-6 1.8-2 6-1.5 2.9 1.5 3.7 5.7 0 3.6-3.7 5.7-2.9 1.5-6-1.5-1.8-2Z" }));
}

export class Board {
  // viewer: the seat at the bottom; names: by seat; seat: whose words are "your", or null.
  constructor({ viewer = 0, seat = null, names = OWNERS, scoring = "points", onCard = null }) {
    Object.assign(this, { viewer, seat, names, scoring, onCard });
    this.root = element("section", { class: "board", "aria-label": "The board" });
    this.said = element("p", { class: "said", "aria-hidden": "true" });
    this.live = element("p", { class: "only-read", "aria-live": "polite" });
    this.strips = [1 - viewer, viewer].map((owner, place) => this.strip(owner, place === 1));
    this.queue = element("ol", { class: "queue", "aria-label": "The queue, from the gate" });
    this.bar = element("div", { class: "pile-cards" });
    this.thatsIt = element("div", { class: "pile-cards" });
    this.barTitle = element("h2", {}, "Bar");
    this.thatsItTitle = element("h2", {}, "That’s it");
    this.table = element("div", { class: "table" },
      element("section", { class: "pile bar", "aria-label": "The bar" }, this.barTitle, this.bar),
      element("div", { class: "line" },
        element("div", { class: "door gate", title: "Heaven’s Gate: with five in the queue the front two get in" }, element("span", { class: "long" }, "Heaven's gate"), element("span", { class: "short" }, "Gate")),
        this.queue,
        element("div", { class: "door exit", title: "The exit: with five in the queue the last is thrown out" }, element("span", {}, "Exit"))),
      element("section", { class: "pile thats-it", "aria-label": "That’s it" }, this.thatsItTitle, this.thatsIt));
    this.root.append(this.strips[0].root, this.table, this.said, this.strips[1].root, this.live);
    this.shown = null;
    this.skip = null;
  }

  strip(owner, isOwn) {
    const hand = element("div", { class: "hand", role: "group", "aria-label": isOwn && this.seat !== null ? "Your hand" : `Hand of ${this.names[owner]}` });
    const score = element("output", { class: "score", "aria-label": `Score of ${this.names[owner]}` });
    const deck = element("span", { class: "deck" });
    const mark = element("span", { class: "to-move", "aria-hidden": "true" });
    const root = element("section", { class: `strip ${isOwn ? "own" : "other"} of${owner}`, "aria-label": this.names[owner] },
      element("header", {}, mark, element("strong", { class: "who" }, this.names[owner]), score, deck),
      hand);
    return { owner, root, hand, score, deck, mark };
  }

  // Shows a position at once or gliding; see `position_json` of the server.
  show(position, { glide = false, arriving = null, marked = [] } = {}) {
    const before = glide && stepTime() > 0 ? this.places() : null;
    this.shown = position;
    this.queue.replaceChildren(...Array.from({ length: PLACES }, (_, place) => {
      const card = position.queue[place];
      const slot = element("li", { class: card ? "slot" : "slot empty", "data-place": place });
      if (card) {
        const made = cardElement(...card, { tag: "button", seat: this.seat, label: null });
        made.tabIndex = -1;
        if (marked.includes(keyOf(card))) made.classList.add("marked");
        slot.append(made);
      } else slot.append(element("span", { class: "only-read" }, "empty place"));
      return slot;
    }));
    for (const [pile, cards] of [[this.bar, position.bar], [this.thatsIt, position.thatsIt]]) {
      pile.replaceChildren(...cards.map((card) => cardElement(...card, { seat: this.seat })));
      pile.classList.toggle("many", cards.length > 6);
    }
    this.barTitle.textContent = position.bar.length ? `Bar · ${position.bar.length}` : "Bar";
    this.thatsItTitle.textContent = position.thatsIt.length ? `That’s it · ${position.thatsIt.length}` : "That’s it";
    for (const strip of this.strips) this.showStrip(strip, position);
    this.root.classList.toggle("ended", position.over);
    if (before) this.glide(before, arriving);
  }

  showStrip({ owner, hand, score, deck, root, mark }, position) {
    const cards = position.hands[owner];
    const isOwn = this.seat === owner;
    hand.replaceChildren(...cards.map((species, place) => {
      if (species === null) return cardBack(owner, place);
      const tag = isOwn && this.onCard ? "button" : "div";
      const card = cardElement(owner, species, { tag, seat: this.seat, rule: isOwn && settings.rules });
      if (tag === "button") {
        // Until the chooser offers it: nothing can be played while cards glide.
        card.disabled = true;
        card.addEventListener("click", () => this.onCard(species));
        card.prepend(element("kbd", { "aria-hidden": "true" }, String(place + 1)));
      }
      return card;
    }));
    if (!cards.length) hand.append(element("span", { class: "nothing" }, "no cards left"));
    const points = pileScore(position.bar, owner, this.scoring);
    const other = pileScore(position.bar, 1 - owner, this.scoring);
    score.replaceChildren(...(this.scoring === "animals" ? [] : [starIcon()]), String(points));
    score.title = this.scoring === "animals" ? `${points} animals in the bar` : `${points} points in the bar`;
    root.classList.toggle("leads", points > other);
    deck.textContent = position.decks[owner] ? `deck ${position.decks[owner]}` : "deck empty";
    const moves = position.toMove === owner && !position.over;
    root.classList.toggle("moves", moves);
    mark.title = moves ? "to move" : "";
  }

  places() {
    const found = new Map();
    for (const card of this.root.querySelectorAll("[data-key]")) found.set(card.dataset.key, card.getBoundingClientRect());
    const backs = this.root.querySelectorAll(".strip.other [data-back]");
    if (backs.length) found.set("back", backs[backs.length - 1].getBoundingClientRect());
    return found;
  }

  glide(before, arriving) {
    const duration = Math.min(520, stepTime() * 0.6);
    for (const card of this.root.querySelectorAll("[data-key]")) {
      const from = before.get(card.dataset.key) ?? (card.dataset.key === arriving ? before.get("back") : null);
      const to = card.getBoundingClientRect();
      if (!from) {
        if (before.size) card.animate([{ opacity: 0, transform: "translateY(14px)" }, { opacity: 1, transform: "none" }], { duration, easing: "ease-out" });
        continue;
      }
      const [dx, dy, scale] = [from.left - to.left, from.top - to.top, from.width / to.width];
      if (Math.abs(dx) + Math.abs(dy) < 1 && Math.abs(scale - 1) < 0.02) continue;
      card.style.zIndex = 5;
      card.animate([
        { transform: `translate(${dx}px, ${dy}px) scale(${scale})`, transformOrigin: "0 0" },
        { transform: "none", transformOrigin: "0 0" },
      ], { duration, easing: "cubic-bezier(.3,.9,.35,1)" }).finished.then(() => { card.style.zIndex = ""; }, () => {});
    }
  }

  say(text, cards = []) {
    this.said.replaceChildren(colouredSentence(text, cards, this.seat));
    this.live.textContent = sentence(text, cards, this.seat);
  }

  // Plays a turn step by step, then shows the position after it. `told` gets each sentence.
  async playTurn(turn, after, told = null) {
    const time = stepTime();
    const hands = this.shown.hands.map((hand) => [...hand]);
    const { species } = turn.action;
    const held = hands[turn.mover];
    const place = held.indexOf(species) >= 0 ? held.indexOf(species) : held.length - 1;
    held.splice(place, 1);
    let [bar, thatsIt] = [this.shown.bar, this.shown.thatsIt];
    for (const [number, step] of stepsToTell(turn).entries()) {
      bar = [...bar, ...step.toBar];
      thatsIt = [...thatsIt, ...step.toThatsIt];
      told?.(step);
      if (time === 0) continue;
      const acting = step.card ? [keyOf(step.card)] : [...step.toBar, ...step.toThatsIt].map(keyOf);
      this.root.classList.toggle("gate-opens", step.kind === "gate");
      this.show(
        { ...this.shown, queue: step.queue, bar, thatsIt, hands, legal: [] },
        { glide: true, marked: acting, arriving: number === 0 ? keyOf(step.card) : null },
      );
      this.say(step.text, step.cards);
      await Promise.race([wait(number === 0 ? time * 0.7 : time), new Promise((resolve) => { this.skip = resolve; })]);
    }
    this.root.classList.remove("gate-opens");
    if (time === 0) {
      const last = stepsToTell(turn).slice(1);
      this.said.replaceChildren(...last.flatMap((step) => [colouredSentence(step.text, step.cards, this.seat), " "]));
      this.live.textContent = last.map((step) => sentence(step.text, step.cards, this.seat)).join(" ");
    }
    this.show(after, { glide: true });
  }
}
