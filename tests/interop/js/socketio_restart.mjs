// The server goes away without a word and comes back: node socketio_restart.mjs URL PLAN PARSER
import assert from "node:assert/strict";
import { call, connect, once, open } from "./socketio_session.mjs";

const [url, plan, parser] = process.argv.slice(2);
let asked = 0;
const socket = open(url, plan, parser, {
  reconnection: true,
  reconnectionDelay: 100,
  reconnectionDelayMax: 300,
  randomizationFactor: 0,
  // Asked for again for each connection.
  auth: (give) => give({ asked: (asked += 1) }),
});
const custom = socket.io.socket("/custom", {});
custom.connect();
assert.deepEqual(await connect(socket), { asked: 1 });
await call(socket, "join", "room");
const before = [socket.id, (await call(custom, "who")).id];
let failures = 0;
socket.io.on("reconnect_error", () => (failures += 1));
const ends = [once(socket, "disconnect"), once(custom, "disconnect")];
const back = [once(socket, "connect"), once(custom, "connect")];
const auth = once(socket, "auth");
const kept = once(socket, "message-back");
await fetch(`${url}/__restart?down=400`);
for (const [reason] of await Promise.all(ends)) {
  assert.ok(["transport close", "transport error"].includes(reason), reason);
}
assert.ok(socket.active);
// Kept for the next connection.
socket.emit("message", "kept", Buffer.from([1]));
await Promise.all(back);
assert.deepEqual((await auth)[0], { asked });
assert.ok(asked >= 2 && failures >= 1, `${asked} connections, ${failures} failures`);
assert.deepEqual(await kept, ["kept", Buffer.from([1])]);
assert.ok(!socket.recovered);
const after = [socket.id, custom.id];
assert.ok(after.every((id, index) => id && id !== before[index]), `${before} ${after}`);
assert.deepEqual((await call(socket, "who")).rooms, []);
custom.disconnect();
socket.disconnect();
console.log("ok");
