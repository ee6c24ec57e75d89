// node echo.mjs URL PLAN: every kind of message comes back as it went, on its own and in a row.
import assert from "node:assert/strict";
import { Session, report } from "./session.mjs";

const [url, plan] = process.argv.slice(2);
const session = await new Session(url, plan).ready();

const bytes0to255 = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
const messages = [
  "hello",
  "",
  Buffer.alloc(0),
  bytes0to255,
  Buffer.from([4]), // looks like a packet type
  Buffer.from("4text in a binary message"),
  "b64?", // starts like a base64 packet
  "2probe", // starts like a probe
  "\u{1F600}",
  "\u{1F600} a\u0301 e\u0323\u0302 \u{1F469}\u200D\u{1F467} \u05D0\u05D1 \uFEFF \uFFFD",
  "\u0000 \u0001 \t \r\n \u2028",
  '{"json":[1,2]} & = % + \\ "quoted"',
];

async function same(expected) {
  const got = await session.next(`the echo of ${JSON.stringify(expected)}`);
  if (typeof expected === "string") {
    assert.equal(got, expected);
  } else {
    assert.ok(Buffer.isBuffer(got), `binary came back as ${typeof got}`);
    assert.deepEqual(got, expected);
  }
}

for (const message of messages) {
  session.send(message);
  await same(message);
}
for (const message of messages) {
  session.send(message);
}
for (const message of messages) {
  await same(message);
}

// Text and binary share one order.
const many = Array.from({ length: 1000 }, (_, i) =>
  i % 3 === 0 ? Buffer.from(`binary ${i}`) : `text ${i}`,
);
for (const message of many) {
  session.send(message);
}
for (const message of many) {
  await same(message);
}

session.expectNothingMore();
const reason = await session.close();
assert.equal(reason, "forced close");
report({ messages: session.received, transport: session.transport, reason });
