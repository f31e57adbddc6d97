// What this browser keeps: settings, its secret, the games that it has played.

const DEFAULTS = {
  theme: "auto",
  speed: "normal",
  undo: true,
  hint: true,
  bar: false,
  holds: false,
  rules: true,
};
const MOST_GAMES = 200;

function read(key, fallback) {
  try {
    const value = JSON.parse(localStorage.getItem(`beasty.${key}`));
    return value ?? fallback;
  } catch {
    return fallback;
  }
}

function write(key, value) {
  try {
    localStorage.setItem(`beasty.${key}`, JSON.stringify(value));
  } catch { /* full or forbidden: the page works without */ }
}

export const settings = { ...DEFAULTS, ...read("settings", {}) };

const listeners = new Set();
export function onSettings(listener) { listeners.add(listener); }
export function changeSetting(name, value) {
  settings[name] = value;
  write("settings", settings);
  if (name === "theme") window.setTheme(value);
  for (const listener of listeners) listener(name);
}

export const player = { get: () => read("player", null), set: (value) => write("player", value) };
export const present = { get: () => read("game", null), set: (value) => write("game", value) };
export const choices = { get: () => read("choices", {}), set: (value) => write("choices", value) };

export function pastGames() { return read("games", []); }
export function keepGame(game) {
  const others = pastGames().filter((other) => other.id !== game.id);
  write("games", [game, ...others].slice(0, MOST_GAMES));
}
export function forgetGame(id) { write("games", pastGames().filter((game) => game.id !== id)); }

const reduced = matchMedia("(prefers-reduced-motion: reduce)");
const STEP_MS = { slow: 1500, normal: 850, fast: 380, off: 0 };
export function stepTime() { return reduced.matches ? STEP_MS.off : STEP_MS[settings.speed] ?? 850; }
