// node interop.mjs URL CLOSING PLAN: what tests/interop asks of clients of version 4, of engine.io-client@3. URL echoes; so
// does CLOSING, where "close-me" ends the session. Prints a line of figures for each scenario.
import assert from "node:assert/strict";
import { Session, within } from "./session.mjs";

const LIMIT = 1_000_000;
const COUNT = 10_000;
const [url, closing, plan] = process.argv.slice(2);
const polls = plan.startsWith("polling");
const base64 = polls || plan.endsWith("base64");

function same(got, expected, what) {
  // `ok`, not `equal`: a difference must not print two megabytes.
  const equal = typeof expected === "string" ? got === expected : Buffer.isBuffer(got) && got.equals(expected);
  assert.ok(equal, `${what} came back changed: ${typeof got}, length ${got.length} for ${expected.length}`);
}

async function echo() {
  const messages = [
    "hello",
    "",
    Buffer.alloc(0),
    Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
    Buffer.from([4]), // looks like a packet type
    Buffer.from("4text in a binary message"),
    "1:4 looks like a payload",
    "b4AQID looks like base64",
    "2probe",
    "a separator of version 4: \u001e",
    "\u20ac",
    "\u{1F600}",
    "\u{1F600} a\u0301 \u{1F469}\u200D\u{1F467} \u05D0\u05D1 \uFEFF \uFFFD",
    "\u0000 \u0001 \t \r\n \u2028",
    '{"json":[1,2]} & = % + \\ "quoted"',
    `long ${"\u{1F600} x".repeat(5000)}`,
    Buffer.alloc(20_000, 255),
  ];
  const session = await new Session(url, plan).ready();
  for (const message of messages) {
    session.send(message);
    same(await session.next(), message, "a message on its own");
  }
  // Text and binary share one order.
  const many = Array.from({ length: 1000 }, (_, i) => (i % 3 === 0 ? Buffer.from(`binary ${i}`) : `text ${i}`));
  const row = [...messages, ...many];
  for (const message of row) session.send(message);
  for (const message of row) same(await session.next(), message, "one of many");
  session.expectNothingMore();
  const transport = session.transport;
  assert.equal(transport, polls ? "polling" : "websocket");
  assert.equal(await session.close(), "forced close");
  return { echoed: session.received, transport };
}

// A body by polling says how long each packet is, `999993:4…`. Binary is in base64 there: this client has no other in Node.
async function limit() {
  const text = polls ? LIMIT - "999993:4".length : LIMIT - "4".length;
  const inBase64 = Math.floor((polls ? LIMIT - "999992:b4".length : LIMIT - "b4".length) / 4) * 3;
  const binary = base64 ? inBase64 : LIMIT - 1;
  const session = await new Session(url, plan).ready();
  const cases = {
    text: "x".repeat(text),
    "four-byte characters": "\u{1F600}".repeat(Math.floor(text / 4)),
    binary: Buffer.alloc(binary, 7),
  };
  for (const [name, message] of Object.entries(cases)) {
    session.send(message);
    same(await session.next(`the echo of ${name}`), message, name);
  }
  session.expectNothingMore();
  session.send("x".repeat(text + 1));
  const reason = await within("the end that one byte more is", session.closed);
  assert.ok(["transport error", "transport close"].includes(reason), reason);
  return { text, binary, oneMore: reason };
}

// All at once, or 256 on the way. They begin before the upgrade, where there is one.
async function tenThousand(onTheWay) {
  const message = (i) => (i % 5 === 0 ? Buffer.from(`binary ${i}`) : `text ${i} \u{1F600}`);
  const fill = (session) => {
    while (session.sent < COUNT && session.sent - session.received < onTheWay) session.send(message(session.sent));
  };
  const startedAt = performance.now();
  const session = new Session(url, plan, fill);
  session.socket.on("message", () => fill(session));
  for (let i = 0; i < COUNT; i += 1) same(await session.next(`echo ${i}`), message(i), `message ${i}`);
  await session.ready();
  if (plan === "upgrade") assert.ok(session.upgradeAt.sent > 0, "nothing was sent before the upgrade");
  if (plan === "upgrade" && onTheWay < COUNT) assert.ok(session.upgradeAt.sent < COUNT, "all was sent before it");
  // One that was delivered twice would arrive before this one's echo.
  session.send("the end");
  assert.equal(await session.next(), "the end");
  session.expectNothingMore();
  assert.equal(session.received, COUNT + 1);
  await session.close();
  return { each: COUNT, atUpgrade: session.upgradeAt, ms: Math.round(performance.now() - startedAt) };
}

async function idle() {
  const session = await new Session(url, plan).ready();
  const pongs = new Promise((resolve) => session.socket.on("pong", () => session.pongs >= 4 && resolve()));
  await within("four pongs", Promise.race([pongs, session.closed]));
  session.send("still here");
  assert.equal(await session.next(), "still here");
  assert.equal(await session.close(), "forced close");
  return { pongs: session.pongs };
}

async function closedByServer() {
  const session = await new Session(closing, plan).ready();
  session.send("close-me");
  assert.equal(await within("the server's close", session.closed), "transport close");
}

async function closedByClient() {
  const session = await new Session(closing, plan).ready();
  assert.equal(await session.close(), "forced close");
}

const figures = await Promise.all([echo(), idle(), limit()]);
figures.push(await tenThousand(COUNT), await tenThousand(256));
for (const figure of figures) console.log(JSON.stringify({ plan, ...figure }));
await closedByServer();
console.log("closed by the server");
await closedByClient();
console.log("closed by the client");
