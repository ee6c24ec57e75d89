// npm socket.io-client against every handler of `sansocket serve --app socketio`: node socketio_app.mjs URL PLAN PARSER
import assert from "node:assert/strict";
import { io } from "socket.io-client";
import msgpack from "socket.io-msgpack-parser";

import { PATIENCE_MS, within } from "./deadline.mjs";

const [url, plan = "upgrade", parserName = "text"] = process.argv.slice(2);
const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };
const options = {
  transports: TRANSPORTS[plan],
  reconnection: false,
  forceNew: true,
  ...(parserName === "msgpack" ? { parser: msgpack } : {}),
};

const once = (socket, event) =>
  within(event, new Promise((resolve) => socket.once(event, (...args) => resolve(args))));
const call = (socket, ...args) => socket.timeout(PATIENCE_MS).emitWithAck(...args);

/** A socket that is in, and what the server has said of its auth. */
async function connect(namespace, more = {}) {
  const socket = io(url + namespace, { ...options, ...more });
  const auth = once(socket, "auth");
  const failed = new Promise((_, reject) => socket.once("connect_error", reject));
  await Promise.race([once(socket, "connect"), failed]);
  return [socket, (await auth)[0]];
}

const refusal = async (namespace, more = {}) => {
  const socket = io(url + namespace, { ...options, ...more });
  const [error] = await once(socket, "connect_error");
  socket.disconnect();
  return [error.message, error.data];
};

const [a, auth] = await connect("/", { auth: { who: "a", list: [1, null] } });
assert.deepEqual(auth, { who: "a", list: [1, null] });
const [b, none] = await connect("/");
assert.deepEqual(none, {});

// What is sent comes back: every kind of value, bytes in any place.
const values = [1, "two", { three: [null, true, "ä😀"] }, Buffer.from([1, 2, 3]), { deep: [Buffer.from("x")] }, []];
const back = once(a, "message-back");
a.emit("message", ...values);
assert.deepEqual(await back, values);
const acked = within(
  "an ack of many arguments",
  new Promise((resolve) => a.emit("message-with-ack", ...values, (...args) => resolve(args))),
);
assert.deepEqual(await acked, values);

// Rooms.
await call(a, "join", "blue");
await call(b, "join", "blue");
await call(b, "join", "amber");
assert.deepEqual(await call(b, "who"), { id: b.id, rooms: ["amber", "blue"] });
assert.equal(await call(a, "count"), 2);
a.on("room-msg", () => assert.fail("the sender is not meant"));
const roomMessage = once(b, "room-msg");
a.emit("to-room", "blue", "hello", Buffer.from([9]));
assert.deepEqual(await roomMessage, ["hello", Buffer.from([9])]);
a.removeAllListeners("room-msg");
const both = [once(a, "room-msg"), once(b, "room-msg")];
a.emit("in-room", "blue", 1, 2);
assert.deepEqual(await Promise.all(both), [[1, 2], [1, 2]]);
await call(b, "leave", "blue");
assert.deepEqual(await call(b, "who"), { id: b.id, rooms: ["amber"] });

// To everybody, with and without the sender.
a.on("broadcast", () => assert.fail("the sender is not meant"));
const broadcast = once(b, "broadcast");
a.emit("broadcast", { b: Buffer.from([7]) });
assert.deepEqual(await broadcast, [{ b: Buffer.from([7]) }]);
const all = [once(a, "all"), once(b, "all")];
a.emit("emit-all", "x");
assert.deepEqual(await Promise.all(all), [["x"], ["x"]]);

// The server asks.
a.once("question", (...args) => args.pop()("answered", ...args));
const answer = once(a, "answer");
a.emit("ask-me", "why", Buffer.from([4]));
assert.deepEqual(await answer, ["answered", "why", Buffer.from([4])]);
a.once("question", () => {});
const timedOut = once(a, "ask-timeout");
a.emit("ask-me-timeout", 50);
await timedOut;

// Many in order; ten thousand are another script's.
const received = [];
const complete = within(
  "500 events",
  new Promise((resolve) => a.on("n", (n) => received.push(n) === 500 && resolve())),
);
a.emit("burst", 500);
await complete;
assert.deepEqual(received, Array.from({ length: 500 }, (_, n) => n));

// Other namespaces, on a connection of their own and on one that is shared.
const [custom] = await connect("/custom");
assert.notEqual(custom.id, a.id);
const shared = a.io.socket("/dyn-101");
await once(shared, "connect");
assert.equal(await call(shared, "count"), 1);
assert.deepEqual(await refusal("/dyn-x"), ["Invalid namespace", undefined]);
assert.deepEqual(await refusal("/reject"), ["nope", { code: 7 }]);
assert.deepEqual(await refusal("/auth"), ["unauthorized", undefined]);
assert.deepEqual(await refusal("/auth", { auth: { token: "wrong" } }), ["unauthorized", undefined]);
const [authorized] = await connect("/auth", { auth: { token: "secret" } });

// Ends, from both sides.
const left = once(shared, "disconnect");
shared.disconnect();
assert.equal((await left)[0], "io client disconnect");
assert.equal(await call(a, "count"), 2);
const thrownOut = once(b, "disconnect");
b.emit("disconnect-me");
assert.equal((await thrownOut)[0], "io server disconnect");
const closed = once(custom, "disconnect");
custom.emit("disconnect-me", true);
assert.match((await closed)[0], /io server disconnect|transport close/);
authorized.disconnect();
assert.equal(a.io.engine.transport.name, plan === "polling" ? "polling" : "websocket");
a.disconnect();
console.log("ok");
