// One of several clients of several languages that meet in a room: node socketio_meeting.mjs URL PLAN PARSER NAME COUNT
import assert from "node:assert/strict";
import { call, connect, open, within } from "./socketio_session.mjs";

const [url, plan, parser, name, countText] = process.argv.slice(2);
const count = Number(countText);
const present = new Set();
const hellos = new Map();
const byes = new Map();
const more = (counts, key) => counts.set(key, (counts.get(key) ?? 0) + 1);
let changed = () => {};
const until = (what, condition) =>
  within(what, new Promise((resolve) => {
    changed = () => condition() && resolve();
    changed();
  }));

const socket = open(url, plan, parser);
// Whoever comes asks the others to show themselves; who is heard by all has joined.
socket.on("room-msg", (kind, other, value) => {
  if (kind === "hello") {
    assert.deepEqual(value, { name: other, bytes: Buffer.from(other) });
    more(hellos, other);
  } else if (!present.has(other)) {
    present.add(other);
    if (other !== name) socket.emit("to-room", "meeting", "present", name);
  }
  changed();
});
socket.on("broadcast", (other, bytes) => {
  assert.deepEqual(bytes, Buffer.from([0, 1]));
  more(byes, other);
  changed();
});
await connect(socket);
await call(socket, "join", "meeting");
socket.emit("in-room", "meeting", "present", name);
await until("everybody is here", () => present.size === count);
socket.emit("in-room", "meeting", "hello", name, { name, bytes: Buffer.from(name) });
await until("everybody has spoken", () => hellos.size === count);
socket.emit("broadcast", name, Buffer.from([0, 1]));
await until("everybody has left", () => byes.size === count - 1);
assert.ok([...hellos.values(), ...byes.values()].every((times) => times === 1) && !byes.has(name));
// What is written at last is on its way before the process ends.
await call(socket, "count");
socket.disconnect();
console.log("ok");
