// Messages as large as they may be: node socketio_limit.mjs URL PLAN PARSER LIMIT
import assert from "node:assert/strict";
import { call, connect, once, open, settled, within } from "./socketio_session.mjs";

const [url, plan, parser, limitText] = process.argv.slice(2);
const limit = Number(limitText);
const fresh = async () => {
  const socket = open(url, plan, parser);
  await connect(socket);
  await within("the transport", settled(socket, plan));
  return socket;
};
const socket = await fresh();
if (parser === "text") {
  for (const id of [0, 1, 2]) {
    // The whole packet is counted, with Engine.IO's `4` in front.
    const text = "x".repeat(limit - `42${id}["message-with-ack",""]`.length);
    assert.equal(await call(socket, "message-with-ack", text), text);
  }
}
// MessagePack's packet has names beside the bytes. Over polling they are written in base64, which the client takes for a
// little less than it is: the packet before them may go out in the same request.
const overhead = parser === "msgpack" ? 100 : 0;
const largest = (plan === "polling" ? Math.floor(limit / 4) * 3 - 1000 : limit) - overhead;
for (const size of [0, 1, 65_535, 65_536, largest]) {
  const bytes = Buffer.alloc(size, "0123456789");
  const back = once(socket, "message-back");
  socket.emit("message", size, bytes);
  const [first, came] = await back;
  assert.ok(first === size && bytes.equals(came), `${size} bytes came back as others`);
}
socket.disconnect();

// One byte more is too much, and the connection ends.
const greedy = await fresh();
const end = once(greedy, "disconnect");
greedy.emit("message", "x".repeat(limit));
assert.ok(["transport close", "transport error"].includes((await end)[0]));
greedy.disconnect();
console.log("ok");
