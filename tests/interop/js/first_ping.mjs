// node first_ping.mjs URL PLAN INTERVAL_MS: the first ping comes one interval after the open, and the
// second one interval after it.
import assert from "node:assert/strict";
import { Session, report, within } from "./session.mjs";

// For a loaded machine; the figures printed are what an idle one is judged by.
const LATE_MS = 250;
const [url, plan, intervalText] = process.argv.slice(2);
const interval = Number(intervalText);

const pings = [];
const session = new Session(url, plan);
const twoPings = new Promise((resolve) => {
  session.socket.on("ping", () => {
    pings.push(performance.now());
    if (pings.length === 2) resolve();
  });
});
await session.ready();
const died = session.closed.then((reason) => {
  throw new Error(`closed: ${reason}`);
});
await within("two pings", Promise.race([twoPings, died]));

// The server opened the session somewhere between our request and our "open" event. So `early` is
// measured from the former and `late` from the latter; one millisecond is lost to rounding.
const sinceRequest = pings[0] - session.startedAt;
const sinceOpen = pings[0] - session.openedAt;
const between = pings[1] - pings[0];
assert.ok(sinceRequest >= interval - 1, `the first ping came after ${sinceRequest} ms`);
assert.ok(sinceOpen <= interval + LATE_MS, `the first ping came after ${sinceOpen} ms`);
assert.ok(Math.abs(between - interval) <= LATE_MS, `the second ping came ${between} ms later`);
await session.close();
report({
  firstPingMs: Number(sinceOpen.toFixed(1)),
  secondPingMs: Number(between.toFixed(1)),
  interval,
  transport: session.transport,
});
