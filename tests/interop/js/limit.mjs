// node limit.mjs URL PLAN: messages as large as a maxPayload of 1,000,000 bytes lets through.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Session, report } from "./session.mjs";

const LIMIT = 1_000_000;
const [url, plan] = process.argv.slice(2);
const session = await new Session(url, plan).ready();

// A text message travels with its type byte on both transports. A binary one travels bare in a
// WebSocket frame, and over polling as `b` and base64: four bytes for each three.
const largestText = LIMIT - 1;
const largestBinary = plan === "polling" ? Math.floor((LIMIT - 1) / 4) * 3 : LIMIT;
const fourByteCharacters = Math.floor(largestText / 4);

const cases = {
  text: "x".repeat(largestText),
  "text, one less": "y".repeat(largestText - 1),
  "text of four-byte characters": "\u{1F600}".repeat(fourByteCharacters),
  binary: randomBytes(largestBinary),
  "binary, one less": randomBytes(largestBinary - 1),
  "binary, two less": randomBytes(largestBinary - 2),
};
for (const [name, message] of Object.entries(cases)) {
  session.send(message);
  const got = await session.next(`the echo of ${name}`);
  // `ok`, not `equal`: a difference must not print two megabytes.
  assert.ok(
    typeof message === "string" ? got === message : Buffer.isBuffer(got) && got.equals(message),
    `${name} came back changed, length ${got.length} instead of ${message.length}`,
  );
}
session.send("still here");
assert.equal(await session.next(), "still here");
session.expectNothingMore();
const reason = await session.close();
report({ largestText, largestBinary, transport: session.transport, reason });
