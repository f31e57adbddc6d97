// The graph of the chances of winning over a game.

import { OWNERS, svg } from "./cards.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM] = [340, 130, 30, 16];
const COLOURS = { blunder: "var(--red)", mistake: "#e0842a", inaccuracy: "var(--gold)" };

// shares: Blue's chance before each turn and after the last, null where it is not known.
// marks: {turn: class}. go(turn) is called for a click.
export function winGraph(shares, { at = 0, marks = {}, go = null, names = OWNERS } = {}) {
  const last = Math.max(1, shares.length - 1);
  const x = (turn) => LEFT + ((WIDTH - LEFT - 6) * turn) / last;
  const y = (share) => 4 + (HEIGHT - BOTTOM - 8) * (1 - share);
  const known = shares.map((share, turn) => [turn, share]).filter(([, share]) => share !== null);
  const graph = svg("svg", { class: "graph", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  graph.append(svg("title"));
  const now = shares[at];
  graph.firstChild.textContent = `Chances of winning. Now: ${names[0]} ${now === null || now === undefined ? "unknown" : `${Math.round(100 * now)} %`}`;
  if (known.length > 1) {
    const points = known.map(([turn, share]) => `${x(turn).toFixed(1)} ${y(share).toFixed(1)}`);
    const [first, end] = [x(known[0][0]), x(known[known.length - 1][0])];
    graph.append(
      svg("path", { class: "area1", d: `M${first} ${y(1)}L${points.join("L")}L${end} ${y(1)}Z` }),
      svg("path", { class: "area0", d: `M${first} ${y(0)}L${points.join("L")}L${end} ${y(0)}Z` }),
      svg("path", { class: "curve", d: `M${points.join("L")}` }));
  }
  graph.append(svg("line", { class: "half", x1: LEFT, x2: WIDTH - 6, y1: y(0.5), y2: y(0.5) }));
  for (const [share, words] of [[1, "100"], [0.5, "50"], [0, "0"]]) {
    const label = svg("text", { x: LEFT - 4, y: y(share) + 4, "text-anchor": "end" });
    label.textContent = words;
    graph.append(label);
  }
  graph.append(svg("line", { class: "now", x1: x(at), x2: x(at), y1: 2, y2: HEIGHT - BOTTOM }));
  for (const [turn, share] of known) {
    const kind = marks[turn];
    if (!COLOURS[kind]) continue;
    graph.append(svg("circle", { class: "dot", cx: x(turn), cy: y(share), r: 4.5, fill: COLOURS[kind] }));
  }
  for (let turn = 0; turn <= last; turn += 4) {
    const label = svg("text", { x: x(turn), y: HEIGHT - 3, "text-anchor": "middle" });
    label.textContent = String(turn);
    graph.append(label);
  }
  if (go) {
    graph.addEventListener("click", (event) => {
      const box = graph.getBoundingClientRect();
      const place = ((event.clientX - box.left) / box.width) * WIDTH;
      go(Math.max(0, Math.min(shares.length - 1, Math.round(((place - LEFT) / (WIDTH - LEFT - 6)) * last))));
    });
  }
  return graph;
}
