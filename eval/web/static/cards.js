// Cards as elements, and what is known about the animals and the opponents.

const facts = JSON.parse(document.getElementById("facts").textContent);
export const animals = facts.animals;
export const opponents = facts.opponents;
export const animalOf = new Map(animals.map((animal) => [animal.name, animal]));
export const opponentOf = new Map(opponents.map((opponent) => [opponent.key, opponent]));
export const OWNERS = ["Blue", "Orange"];
const RECURRING = new Set(["giraffe", "crocodile", "hippo"]);
const SVG = "http://www.w3.org/2000/svg";

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else if (name in made && typeof value !== "string") made[name] = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function picture(species) {
  return svg("svg", { class: "animal", "aria-hidden": "true", viewBox: "0 0 100 100" },
    svg("use", { href: `#animal-${species}` }));
}

export const keyOf = ([owner, species]) => `${owner}-${species}`;

function star() {
  return svg("svg", { viewBox: "-7 -7 14 14", class: "star", "aria-hidden": "true" },
    svg("path", { d: "M0-6 1.8-2 6-1.5 2.9 1.5 3.7 5.7 0 3.6-3.7 5.7-2.9 1.5-6-1.5-1.8-2Z" }));
}

function sign(species) {
  const recurs = RECURRING.has(species);
  if (!recurs && species !== "zebra") return null;
  const lines = recurs ? "M5.5-2.5A6 6 0 1 0 6 1.5M6.500-7V-2H1.500" : "M-5-6V6M0-6V6M5-6V6";
  const drawn = svg("svg", { viewBox: "-10 -10 20 20", class: "sign" }, svg("path", { d: lines }));
  drawn.append(svg("title"));
  drawn.firstChild.nextSibling.textContent = recurs ? "acts again every turn" : "protects those ahead";
  drawn.setAttribute("aria-hidden", "true");
  return drawn;
}

// How a screen reader names a card: "your lion, strength 12, 2 points".
export function cardLabel(owner, species, seat) {
  const animal = animalOf.get(species);
  const whose = seat === null || seat === undefined ? `${OWNERS[owner]}’s` : owner === seat ? "your" : "their";
  return `${whose} ${species}, strength ${animal.strength}, ${animal.points} points`;
}

// A card from the front. `tag` "button" makes it one that can be pressed.
export function cardElement(owner, species, { tag = "div", seat = null, label = null, rule = false } = {}) {
  const animal = animalOf.get(species);
  const text = label ?? cardLabel(owner, species, seat);
  const card = element(tag, {
    class: `card owner${owner}`,
    "data-key": keyOf([owner, species]),
    "aria-label": text,
    title: `${species[0].toUpperCase()}${species.slice(1)} · strength ${animal.strength} · ${animal.points} points\n${animal.rule}`,
    ...(tag === "button" ? { type: "button" } : { role: "img" }),
  });
  const stars = element("span", { class: "stars", "aria-hidden": "true" });
  for (let count = 0; count < animal.points; count += 1) stars.append(star());
  card.append(
    element("span", { class: "face", "aria-hidden": "true" },
      element("span", { class: "strength" }, String(animal.strength)),
      stars,
      picture(species),
      ...[sign(species)].filter(Boolean),
      element("span", { class: "name" }, species)),
  );
  if (rule) card.append(element("span", { class: "rule", "aria-hidden": "true" }, animal.rule));
  return card;
}

export function cardBack(owner, index) {
  const paw = svg("svg", { viewBox: "0 0 92 128", "aria-hidden": "true" });
  paw.append(svg("path", { d: "M46.500 54Q60 58 64 74 64 84 46.500 80 29 84 29 74 33 58 46.500 54Z" }));
  for (const [x, y] of [[30, 50], [40, 40], [53, 40], [63, 50]]) {
    paw.append(svg("ellipse", { cx: x, cy: y, rx: 5, ry: 7 }));
  }
  return element("div", { class: `card back owner${owner}`, "data-back": `${owner}-${index}`, role: "img", "aria-label": "a hidden card" }, paw);
}

// A sentence whose animals are told apart: "your crocodile eats their skunk".
export function sentence(text, cards, seat) {
  return text.replace(/\{(\d+)\}/g, (_, number) => {
    const [owner, species] = cards[Number(number)];
    if (seat === null || seat === undefined) return `${OWNERS[owner]}’s ${species}`;
    return `${owner === seat ? "your" : "their"} ${species}`;
  }).replace(/^./, (first) => first.toUpperCase());
}

// The same as elements, with the animals in their owners' colours.
export function colouredSentence(text, cards, seat) {
  const parts = text.split(/(\{\d+\})/);
  const made = element("span");
  parts.forEach((part, place) => {
    const match = /^\{(\d+)\}$/.exec(part);
    if (!match) { made.append(part); return; }
    const [owner, species] = cards[Number(match[1])];
    const whose = seat === null || seat === undefined ? `${OWNERS[owner]}’s` : owner === seat ? "your" : "their";
    const words = `${whose} ${species}`;
    const first = parts.slice(0, place).every((before) => before === "");
    made.append(element("b", { class: `of${owner}` }, first ? words[0].toUpperCase() + words.slice(1) : words));
  });
  return made;
}

// The steps of a turn that are worth a word: not the recurring actions that change nothing, unless a
// zebra stands in their way.
export function stepsToTell(turn) {
  return turn.steps.filter((step, number) => {
    if (step.kind !== "recur") return true;
    const before = turn.steps[number - 1].queue.map(keyOf).join();
    return before !== step.queue.map(keyOf).join() || step.text.includes("stands.");
  });
}

// A move in words for buttons: "parrot at the lion".
export function moveWords(action, queue) {
  let [acts, params] = [action.species, [...action.params]];
  let words = action.species;
  if (acts === "chameleon" && params.length) {
    acts = params.shift();
    words += ` as a ${acts}`;
  }
  if (acts === "kangaroo" && params.length) words += ` over ${params[0] === 1 ? "one" : "two"}`;
  else if (acts === "parrot" && params.length) words += queue.length === 0 ? ` at place ${params[0] + 1}` : ` at the ${queue[params[0]]?.[1] ?? ""}`;
  return words;
}

// The move that a text of the notation names, as far as words need it.
export function parseMove(text) {
  const [, species, copied, sign, number] = /^([a-z]+)(?:=([a-z]+))?(?:([+@])(\d))?$/.exec(text) ?? [];
  const params = copied ? [copied] : [];
  if (sign) params.push(sign === "@" ? Number(number) - 1 : Number(number));
  return { species, params };
}
