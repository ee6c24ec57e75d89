// node ten_thousand.mjs URL PLAN burst|stream: 10,000 messages each way, once each and in order. They
// start inside the "open" event, so that on plan `upgrade` they are under way when it happens.
//   burst   all of them at once: the server's answers have to cross the upgrade
//   stream  256 in flight: messages of both directions cross it
import assert from "node:assert/strict";
import { Session, report, within } from "./session.mjs";

const COUNT = 10_000;
const [url, plan, mode] = process.argv.slice(2);
assert.ok(["burst", "stream"].includes(mode), `unknown mode ${mode}`);
const window = mode === "burst" ? COUNT : 256;

const message = (i) => (i % 5 === 0 ? Buffer.from(`binary ${i}`) : `text ${i} \u{1F600}`);
const sendUpToWindow = (session) => {
  while (session.sent < COUNT && session.sent - session.received < window) {
    session.send(message(session.sent));
  }
};

const session = new Session(url, plan, sendUpToWindow);
let atUpgrade = null;
session.socket.on("upgrade", () => {
  atUpgrade = { sent: session.sent, received: session.received };
});
session.socket.on("message", () => sendUpToWindow(session));

await within("open", Promise.race([session.opened, session.closed]));
for (let i = 0; i < COUNT; i += 1) {
  const got = await session.next(`echo ${i}`);
  assert.deepEqual(got, message(i), `message ${i}`);
}
await session.ready();
if (plan === "upgrade") {
  assert.ok(atUpgrade.sent > 0, "nothing was sent before the upgrade");
  // A burst's echoes may all fit into one answer, before the upgrade; a stream cannot be over by then.
  assert.ok(mode === "burst" || atUpgrade.sent < COUNT, "all was sent before the upgrade");
}

// A message delivered twice would arrive before this one's echo.
session.send("the end");
assert.equal(await session.next(), "the end");
session.expectNothingMore();
assert.equal(session.received, COUNT + 1);
const ms = Math.round(performance.now() - session.startedAt);
await session.close();
report({ received: session.received, atUpgrade, transport: session.transport, ms });
