// The connection: requests with answers, and news. It comes back by itself after a break.

import { player } from "./store.js";

const waiting = new Map();
const handlers = new Map();
const stateListeners = new Set();
let socket = null;
let lastId = 0;
let tries = 0;
let opened = null;

export class Refusal extends Error {
  constructor(answer) {
    super(answer.error);
    this.busy = Boolean(answer.busy);
    this.stopped = Boolean(answer.stopped);
  }
}

function setState(state) {
  for (const listener of stateListeners) listener(state);
}

export function onState(listener) { stateListeners.add(listener); }
export function onPush(kind, handler) { handlers.set(kind, handler); }

export function connect() {
  opened ??= new Promise((resolve) => open(resolve));
  return opened;
}

function open(resolve) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/socket`);
  socket.addEventListener("open", async () => {
    const answer = await send({ do: "hello", player: player.get() });
    player.set(answer.player);
    const again = tries > 0;
    tries = 0;
    setState("open");
    resolve?.();
    if (again) handlers.get("reconnected")?.();
  });
  socket.addEventListener("message", (event) => take(JSON.parse(event.data)));
  socket.addEventListener("close", (event) => {
    for (const { reject } of waiting.values()) reject(new Refusal({ error: "the connection broke off" }));
    waiting.clear();
    tries += 1;
    setState(event.code === 1013 ? "busy" : "lost");
    const delay = Math.min(8000, 300 * 2 ** Math.min(tries, 5)) * (0.7 + 0.6 * Math.random());
    setTimeout(() => open(resolve), delay);
  });
}

function take(message) {
  if (message.push) {
    handlers.get(message.push)?.(message);
    return;
  }
  const request = waiting.get(message.id);
  if (!request) return;
  waiting.delete(message.id);
  if ("error" in message) request.reject(new Refusal(message));
  else request.resolve(message.result);
}

function send(request) {
  const id = ++lastId;
  const answer = new Promise((resolve, reject) => {
    if (socket?.readyState !== WebSocket.OPEN) {
      reject(new Refusal({ error: "there is no connection to the server just now" }));
      return;
    }
    waiting.set(id, { resolve, reject });
    socket.send(JSON.stringify({ id, ...request }));
  });
  answer.id = id;
  return answer;
}

// Asks the server; the promise has the request's `id`.
export function ask(what, fields = {}) { return send({ do: what, ...fields }); }
