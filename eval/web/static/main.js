// The page's frame: which view is shown, the dialogs, the keyboard.

import { animals, cardElement, element } from "./cards.js";
import { connect, onState } from "./socket.js";
import { changeSetting, settings } from "./store.js";
import { editorView } from "./editor.js";
import { playView } from "./play.js";
import { reviewView } from "./review.js";
import { watchView } from "./watch.js";

const VIEWS = { play: playView, review: reviewView, watch: watchView, editor: editorView };
const main = document.getElementById("main");
let shown = null;

export function toast(text) {
  const made = element("p", { class: "toast" }, text);
  document.getElementById("toasts").append(made);
  setTimeout(() => made.remove(), 6000);
}

function route() {
  const fragment = location.hash.slice(1);
  const [name, argument] = fragment.includes("=") ? [fragment.split("=")[0], fragment.slice(fragment.indexOf("=") + 1)] : [fragment, null];
  const page = { game: "review", cards: "play", position: "editor" }[name] ?? (VIEWS[name] ? name : "play");
  shown?.leave?.();
  main.replaceChildren();
  document.body.dataset.page = page;
  for (const link of document.querySelectorAll(".top nav a")) {
    if (link.hash === `#${page}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${{ play: "Play", review: "Review", watch: "Watch", editor: "Editor" }[page]} · Beasty Bar`;
  shown = VIEWS[page](main, { name, argument, toast });
}

// --- Dialogs --------------------------------------------------------------------------------------

function dialog(title, ...content) {
  const box = element("dialog", { class: "dialog", "aria-label": title },
    element("form", { method: "dialog" },
      element("header", {}, element("h2", {}, title), element("button", { class: "icon", "aria-label": "Close" }, "×")),
      ...content));
  box.addEventListener("close", () => box.remove());
  box.addEventListener("click", (event) => { if (event.target === box) box.close(); });
  document.body.append(box);
  box.showModal();
}

function choiceRow(name, label, values) {
  const row = element("fieldset", { class: "choice" }, element("legend", {}, label));
  for (const [value, words] of values) {
    const input = element("input", { type: "radio", name, value, id: `${name}-${value}`, checked: settings[name] === value });
    input.addEventListener("change", () => changeSetting(name, value));
    row.append(input, element("label", { for: `${name}-${value}` }, words));
  }
  return row;
}

function toggleRow(name, label, hint) {
  const input = element("input", { type: "checkbox", id: `setting-${name}`, checked: settings[name] });
  input.addEventListener("change", () => changeSetting(name, input.checked));
  return element("p", { class: "toggle" }, input, element("label", { for: `setting-${name}` }, label, element("small", {}, hint)));
}

function openSettings() {
  dialog("Settings",
    choiceRow("theme", "Colours", [["auto", "as the system"], ["light", "light"], ["dark", "dark"]]),
    choiceRow("speed", "Animals move", [["slow", "slowly"], ["normal", "normally"], ["fast", "fast"], ["off", "at once"]]),
    element("h3", {}, "Help while playing"),
    toggleRow("hint", "Hint", "a button that shows what the champion would play, and why"),
    toggleRow("undo", "Undo", "takes your last move back"),
    toggleRow("bar", "Evaluation bar", "your chance of winning, from what you can know"),
    toggleRow("holds", "What does it hold?", "the cards the opponent may have, and whom it plays like"),
    toggleRow("rules", "Rules on the cards", "what each animal of your hand does"));
}

const KEYS = [
  ["1 2 3 4", "choose a card; the same again plays it"],
  ["← →", "go through what you can choose; through the moves of a review"],
  ["Enter", "play, or take what is marked"],
  ["Esc", "take a choice back"],
  ["H", "hint"],
  ["U", "undo"],
  ["N", "new game"],
  ["R", "review of the finished game"],
  ["M", "next mistake, in a review"],
  ["Space", "next move, when watching; skip an animation"],
  ["?", "this page"],
];

function openHelp() {
  dialog("Keys and rules",
    element("table", { class: "keys" }, element("tbody", {}, KEYS.map(([keys, what]) => element("tr", {}, element("th", { scope: "row" }, ...keys.split(" ").flatMap((key) => [element("kbd", {}, key), " "])), element("td", {}, what))))),
    element("h3", {}, "A turn"),
    element("p", {}, "Play an animal at the end of the queue; it does what it does. Then the hippos, crocodiles and giraffes in the queue act again, from the gate to the end. With five animals the gate opens: the front two get into the bar, the last is thrown out. Then you draw. All twelve animals of each player are played; whoever has more points in the bar wins."),
    element("h3", {}, "The animals"),
    element("ul", { class: "rules" }, [...animals].reverse().map((animal) => element("li", {}, cardElement(0, animal.name, {}), element("p", {}, element("b", {}, animal.name), " ", animal.rule)))));
}

document.getElementById("open-settings").addEventListener("click", openSettings);
document.getElementById("open-help").addEventListener("click", openHelp);

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.("input, textarea, select")) return;
  if (event.key === "?") openHelp();
  else if (!shown?.key?.(event)) return;
  event.preventDefault();
});

onState((state) => {
  const label = document.getElementById("link-state");
  label.textContent = { open: "", lost: "reconnecting…", busy: "busy: many are playing; trying again…" }[state];
  label.dataset.state = state;
});

window.addEventListener("hashchange", route);
connect();
route();
