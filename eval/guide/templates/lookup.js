"use strict";
// Shows what was found about the opening hand that is chosen.
const lookup = document.getElementById("lookup");
if (lookup) {
  const kinds = JSON.parse(document.getElementById("hands").textContent);
  const found = document.getElementById("found");
  const boxes = [...lookup.querySelectorAll("input")];
  const cell = (row, text, name) => {
    const made = document.createElement(name);
    made.textContent = text;
    row.append(made);
  };
  const table = (kind, cards) => {
    const made = document.createElement("table");
    const head = made.createTHead().insertRow();
    [`Against ${kind.opponent}`, "wins, %", "behind, points"].forEach((t) => cell(head, t, "th"));
    for (const [animal, win, reach, behind, behindReach] of cards) {
      const row = made.insertRow();
      cell(row, animal, "td");
      cell(row, `${win.toFixed(1)} ± ${reach.toFixed(1)}`, "td");
      cell(row, behind ? `${behind.toFixed(1)} ± ${behindReach.toFixed(1)}` : "best", "td");
    }
    const frame = document.createElement("div");
    frame.className = "scrolling";
    frame.append(made);
    return frame;
  };
  const show = () => {
    const chosen = boxes.filter((box) => box.checked).map((box) => box.value).sort();
    boxes.forEach((box) => { box.disabled = chosen.length === 4 && !box.checked; });
    const key = chosen.join(" ");
    const tables = kinds.filter((kind) => kind.hands[key]).map((kind) => table(kind, kind.hands[key]));
    found.replaceChildren(...tables);
  };
  boxes.forEach((box) => box.addEventListener("change", show));
  show();
}
