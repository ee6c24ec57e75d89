// node refused.mjs URL: a server of version 4 alone turns the client away, and the client is told.
import assert from "node:assert/strict";
import { Session, within } from "./session.mjs";

const [url] = process.argv.slice(2);
for (const plan of ["polling", "websocket", "upgrade"]) {
  const session = new Session(url, plan);
  assert.equal(await within("the end", session.closed), "transport error");
  assert.equal(session.error.type, "TransportError");
  // Its WebSocket's error has the status in a sentence.
  const { description } = session.error;
  const told = plan === "websocket" ? description.message : String(description);
  assert.match(told, /\b400\b/, `${plan}: ${told}`);
}
