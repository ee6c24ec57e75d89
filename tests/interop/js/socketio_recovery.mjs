// npm socket.io-client loses its engine, comes back, and has missed nothing: node socketio_recovery.mjs URL PLAN
import assert from "node:assert/strict";
import { io } from "socket.io-client";

import { PATIENCE_MS, within } from "./deadline.mjs";

const [url, plan = "upgrade"] = process.argv.slice(2);
const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };
const options = {
  transports: TRANSPORTS[plan],
  forceNew: true,
  // Away for as long as a server that is slow needs to see it.
  reconnectionDelay: 1000,
  reconnectionDelayMax: 1000,
};

const once = (socket, event) =>
  within(event, new Promise((resolve) => socket.once(event, (...args) => resolve(args))));
const call = (socket, ...args) => socket.timeout(PATIENCE_MS).emitWithAck(...args);

const socket = io(url, options);
const witness = io(url, options);
await Promise.all([once(socket, "connect"), once(witness, "connect")]);
assert.equal(socket.recovered, false);
const id = socket.id;
const who = () => within("who", new Promise((resolve) => socket.emit("who", (...args) => resolve(args))));
await call(socket, "join", "room");
await call(socket, "join", "other");
assert.deepEqual(await who(), [false, id, ["room", "other"]]);
const said = once(socket, "said");
witness.emit("say", "room");
const [first, offset] = await said;
assert.equal(first, 1);
assert.equal(typeof offset, "string");

const seen = [];
socket.on("missed", (n, text) => seen.push([n, text]));
for (let round = 1; round <= 3; round += 1) {
  seen.length = 0;
  const own = once(socket, "own");
  const away = call(witness, "say-when-away", id, "room", 50);
  const connected = once(socket, "connect");
  const gone = once(socket, "disconnect");
  socket.io.engine.close();
  await gone;
  assert.equal(await away, true);
  await connected;
  assert.equal(socket.recovered, true);
  assert.equal(socket.id, id);
  await own;
  assert.deepEqual(seen, Array.from({ length: 50 }, (_, n) => [n, "text"]));
  assert.deepEqual(await who(), [true, id, ["room", "other"]]);
}

// Whoever leaves by itself is somebody new when it comes back.
socket.disconnect();
const again = once(socket, "connect");
socket.connect();
await again;
assert.equal(socket.recovered, false);
assert.notEqual(socket.id, id);
assert.deepEqual(await who(), [false, socket.id, []]);
socket.disconnect();
witness.disconnect();
console.log(JSON.stringify({ scenario: "socketio_recovery", plan, missed: 50, rounds: 3 }));
