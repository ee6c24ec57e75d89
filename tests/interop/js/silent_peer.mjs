// node silent_peer.mjs URL polling|websocket INTERVAL_MS TIMEOUT_MS: a peer that reads and never answers
// a ping is given up one interval and one time-out after the open. engine.io-client always answers, so
// this speaks the protocol by hand.
import assert from "node:assert/strict";
import { WebSocket } from "ws";
import { report, within } from "./session.mjs";

// For a loaded machine; the figure printed is what an idle one is judged by.
const LATE_MS = 250;
const [url, transport, intervalText, timeoutText] = process.argv.slice(2);
const due = Number(intervalText) + Number(timeoutText);
const query = `engine.io/?EIO=4&transport=${transport}`;

/** Resolves to when the open packet came, the pings seen, and when and how the session ended. */
async function overWebSocket() {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/${query}`);
  let openedAt = null;
  let pings = 0;
  const end = new Promise((resolve, reject) => {
    socket.on("error", reject);
    socket.on("message", (data) => {
      const packet = data.toString();
      if (packet.startsWith("0{")) openedAt = performance.now();
      if (packet === "2") pings += 1;
    });
    socket.on("close", (code) => resolve(`close frame ${code}`));
  });
  const ending = await within("the close", end);
  return { openedAt, pings, endedAt: performance.now(), ending };
}

async function overPolling() {
  const get = async (address) => {
    const response = await within("a poll's answer", fetch(address));
    return { status: response.status, body: await response.text() };
  };
  const opening = await get(`${url}/${query}`);
  const openedAt = performance.now();
  const { sid } = JSON.parse(opening.body.slice(1));
  let pings = 0;
  for (;;) {
    const { status, body } = await get(`${url}/${query}&sid=${sid}`);
    if (status === 200 && body === "2") {
      pings += 1;
      continue;
    }
    const endedAt = performance.now();
    const after = await get(`${url}/${query}&sid=${sid}`);
    assert.equal(after.status, 400, `the session still answers: ${after.status} ${after.body}`);
    assert.equal(JSON.parse(after.body).code, 1);
    return { openedAt, pings, endedAt, ending: `${status} ${body}` };
  }
}

const startedAt = performance.now();
const { openedAt, pings, endedAt, ending } = await (transport === "websocket"
  ? overWebSocket()
  : overPolling());
assert.ok(openedAt !== null, "no open packet");
assert.equal(pings, 1, "pings seen");
const sinceRequest = endedAt - startedAt;
const sinceOpen = endedAt - openedAt;
// Printed first, so that a failure shows it too.
report({ closedAfterMs: Number(sinceOpen.toFixed(1)), dueMs: due, transport, ending });
assert.ok(sinceRequest >= due - 1, `given up too early, after ${sinceRequest} ms`);
assert.ok(sinceOpen <= due + LATE_MS, `given up late, after ${sinceOpen} ms`);
