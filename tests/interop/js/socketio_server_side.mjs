// What a server does with the sockets of npm socket.io-client: node socketio_server_side.mjs URL PLAN
import assert from "node:assert/strict";
import { io } from "socket.io-client";

import { PATIENCE_MS, within } from "./deadline.mjs";

const [url, plan = "upgrade"] = process.argv.slice(2);
const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };
const options = { transports: TRANSPORTS[plan], forceNew: true, reconnection: false };

const once = (socket, event) =>
  within(event, new Promise((resolve) => socket.once(event, (...args) => resolve(args))));

async function connect(namespace = "/", more = {}) {
  const socket = io(url + namespace, { ...options, ...more });
  const failed = new Promise((_, reject) => socket.once("connect_error", reject));
  await Promise.race([once(socket, "connect"), failed]);
  return socket;
}

// Thrown out, with and without last words: none is lost, and the client knows what has become of it.
for (const close of [true, false]) {
  for (const words of [0, 1, 3, 40]) {
    const socket = await connect();
    const heard = [];
    socket.on("word", (word) => heard.push(word));
    const end = once(socket, "disconnect");
    socket.emit("throw-out", words, close);
    assert.equal((await end)[0], "io server disconnect");
    assert.deepEqual(heard, Array.from({ length: words }, (_, n) => n));
    socket.disconnect();
  }
}

// Everybody is asked: two answer, one does not.
const sockets = [await connect(), await connect(), await connect()];
sockets.slice(0, 2).forEach((socket, n) =>
  socket.on("number", (what, answer) => {
    assert.equal(what, "of what?");
    answer(n + 1);
  }),
);
const answers = await sockets[0].timeout(PATIENCE_MS).emitWithAck("ask-all");
assert.deepEqual(
  answers,
  sockets.map((socket, n) => [socket.id, n < 2 ? n + 1 : null]),
);

// Refused by a middleware; a namespace of a pattern, and one of none.
await assert.rejects(connect("/", { auth: { token: "wrong" } }), (error) => {
  assert.equal(error.message, "wrong token");
  assert.deepEqual(error.data, { token: "wrong" });
  return true;
});
const room = await connect("/room-7");
room.disconnect();
await assert.rejects(connect("/hall-7"), { message: "Invalid namespace" });
sockets.forEach((socket) => socket.disconnect());
console.log(JSON.stringify({ scenario: "socketio_server_side", plan }));
