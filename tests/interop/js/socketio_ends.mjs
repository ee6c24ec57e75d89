// Who ends it, and what the client is told: node socketio_ends.mjs URL PLAN PARSER WAY
// WAY: `client` leaves by itself; `namespace` and `connection` are how the server throws it out; `stop` waits for the server's
// end.
import assert from "node:assert/strict";
import { call, once, open, settled, within } from "./socketio_session.mjs";

const [url, plan, parser, way] = process.argv.slice(2);
const socket = open(url, plan, parser, { reconnection: true, reconnectionDelay: 20_000 });
const connected = once(socket, "connect");
socket.connect();
await connected;
await within("the transport", settled(socket, plan));
if (way !== "stop") await call(socket, "ping");
const end = once(socket, "disconnect");
console.log("ready");
if (way === "client") socket.disconnect();
else if (way !== "stop") socket.emit("throw-out", way === "connection");
const [reason] = await end;
const wanted = { client: "io client disconnect", stop: "transport close" }[way] ?? "io server disconnect";
assert.equal(reason, wanted);
// Only what is nobody's will is tried again.
assert.equal(socket.active, way === "stop");
socket.disconnect();
socket.io.engine.close();
console.log("ok");
