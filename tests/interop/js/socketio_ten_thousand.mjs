// 10,000 events each way in order, which begin before the upgrade and end after it: node socketio_ten_thousand.mjs URL PLAN
// PARSER
import assert from "node:assert/strict";
import { connect, open, settled, within } from "./socketio_session.mjs";

const [url, plan, parser] = process.argv.slice(2);
const COUNT = 10_000;
const socket = open(url, plan, parser);
const heard = { n: [], "message-back": [] };
let beforeUpgrade = 0;
const complete = new Promise((resolve) => {
  for (const event of Object.keys(heard)) {
    socket.on(event, (n) => {
      heard[event].push(n);
      if (socket.io.engine.transport.name === "polling") beforeUpgrade += 1;
      if (heard.n.length + heard["message-back"].length === 2 * COUNT) resolve();
    });
  }
});
// At once, while the client still polls; the second half when the upgrade is through, or under way.
socket.once("connect", () => {
  socket.emit("burst", COUNT);
  for (let n = 0; n < COUNT / 2; n += 1) socket.emit("message", n);
});
await connect(socket);
await within("the transport", settled(socket, plan));
for (let n = COUNT / 2; n < COUNT; n += 1) socket.emit("message", n);
await within("10,000 each way", complete);
const wanted = Array.from({ length: COUNT }, (_, n) => n);
assert.deepEqual(heard.n, wanted);
assert.deepEqual(heard["message-back"], wanted);
assert.equal(socket.io.engine.transport.name, plan === "polling" ? "polling" : "websocket");
socket.disconnect();
console.log(`ok, ${beforeUpgrade} of ${2 * COUNT} heard over polling`);
