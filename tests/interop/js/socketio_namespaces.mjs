// Several namespaces over one connection, refusals with data, time-outs, volatile: node socketio_namespaces.mjs URL PLAN PARSER
import assert from "node:assert/strict";
import { call, connect, once, open, within } from "./socketio_session.mjs";

const [url, plan, parser] = process.argv.slice(2);
const main = open(url, plan, parser);
await connect(main);

// All on the one connection, each with its own auth and its own id.
const names = ["/custom", "/dyn-77", "/auth"];
const sockets = names.map((name) => main.io.socket(name, { auth: { token: "secret", for: name } }));
const auths = await Promise.all(sockets.map((socket) => connect(socket)));
assert.deepEqual(auths, names.map((name) => ({ token: "secret", for: name })));
assert.equal(new Set([main, ...sockets].map((socket) => socket.id)).size, 4);
assert.ok(![main, ...sockets].some((socket) => socket.id === main.io.engine.id));
for (const [index, socket] of sockets.entries()) {
  const back = once(socket, "message-back");
  socket.emit("message", index, Buffer.from([index, 0x1e]), { deep: [Buffer.from("x")] });
  assert.deepEqual(await back, [index, Buffer.from([index, 0x1e]), { deep: [Buffer.from("x")] }]);
  assert.equal(await call(socket, "count"), 1);
  socket.once("question", (...args) => args.pop()("answered", ...args));
  const answer = once(socket, "answer");
  socket.emit("ask-me", "why", Buffer.from([4]));
  assert.deepEqual(await answer, ["answered", "why", Buffer.from([4])]);
}

// Refused, on a connection that goes on.
for (const [name, auth, message, data] of [
  ["/reject", {}, "nope", { code: 7 }],
  ["/nowhere", {}, "Invalid namespace", undefined],
]) {
  const refused = main.io.socket(name, { auth });
  const error = once(refused, "connect_error");
  refused.connect();
  assert.deepEqual([(await error)[0].message, (await error)[0].data], [message, data]);
}

// Thrown out of one, gone from another: the rest goes on.
const thrownOut = once(sockets[0], "disconnect");
sockets[0].emit("disconnect-me");
assert.equal((await thrownOut)[0], "io server disconnect");
sockets[1].disconnect();
assert.equal(await call(main, "count"), 1);
assert.equal(await call(sockets[2], "message-with-ack", "here"), "here");
// It may come back.
const before = sockets[1].id;
await connect(sockets[1]);
assert.notEqual(sockets[1].id, before);

// Nobody answers: the client goes on.
await assert.rejects(main.timeout(100).emitWithAck("nobody", 1), /timed out/);
const late = await within("a time-out", new Promise((resolve) => main.timeout(100).emit("nobody", 1, resolve)));
assert.match(late.message, /timed out/);
assert.equal(await call(main, "message-with-ack", "in time"), "in time");
// The server's question with time enough, and without.
main.once("question", (...args) => args.pop()("quick"));
const quick = once(main, "answer");
main.emit("ask-me-timeout", 20_000);
assert.deepEqual(await quick, ["quick"]);
let answerLate;
main.once("question", (...args) => {
  answerLate = args.pop();
});
const missed = once(main, "ask-timeout");
main.emit("ask-me-timeout", 50);
await missed;
main.on("answer", () => assert.fail("that was too late"));
answerLate("late");
assert.equal(await call(main, "count"), 1);

// Volatile: comes where there is a connection, and is forgotten where there is none.
const back = once(main, "message-back");
await within("a drained transport", new Promise((resolve) => {
  const poll = () => (main.io.engine.transport.writable ? resolve() : setTimeout(poll, 5));
  poll();
}));
main.volatile.emit("message", "volatile");
assert.deepEqual(await back, ["volatile"]);
main.disconnect();
main.volatile.emit("message", "lost");
main.emit("message", "kept");
const kept = once(main, "message-back");
await connect(main);
assert.deepEqual(await kept, ["kept"]);
main.io.engine.close();
console.log("ok");
