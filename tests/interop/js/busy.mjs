// node busy.mjs URL PLAN: a client whose event loop stands still for a second, which is several ping
// intervals of the server it is run against, while messages are on their way in both directions.
import assert from "node:assert/strict";
import { Session, report, within } from "./session.mjs";

const BUSY_MS = 1000;
const EACH = 2000;
const [url, plan] = process.argv.slice(2);

const session = new Session(url, plan);
let pingInterval;
session.socket.on("handshake", (handshake) => {
  pingInterval = handshake.pingInterval;
});
await session.ready();
assert.ok(
  pingInterval * 4 <= BUSY_MS,
  `a ping interval of ${pingInterval} ms is too long for this scenario`,
);

let next = 0;
const sendSome = (count) => {
  for (const end = next + count; next < end; next += 1) {
    session.send(`message ${next}`);
  }
};

sendSome(EACH); // their echoes arrive while nobody reads
await new Promise((resolve) => setImmediate(resolve)); // let them out
const until = performance.now() + BUSY_MS;
let laps = 0;
while (performance.now() < until) {
  if (laps < EACH) {
    sendSome(1);
  }
  laps += 1;
}
sendSome(EACH);

for (let i = 0; i < next; i += 1) {
  assert.equal(await session.next(`echo ${i}`), `message ${i}`);
}

// And it is still a healthy session: three more pings come, at the usual pace.
let pings = 0;
const threePings = new Promise((resolve) => {
  session.socket.on("ping", () => {
    pings += 1;
    if (pings === 3) resolve();
  });
});
const died = session.closed.then((reason) => {
  throw new Error(`closed after having been busy: ${reason}`);
});
await within("three more pings", Promise.race([threePings, died]));
session.send("still here");
assert.equal(await session.next(), "still here");
session.expectNothingMore();
const reason = await session.close();
report({ echoed: next, busyMs: BUSY_MS, pingInterval, transport: session.transport, reason });
