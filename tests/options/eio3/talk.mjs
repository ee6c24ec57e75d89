// node talk.mjs URL: every kind of message comes back as it went, on each transport and through the upgrade, while the
// client pings.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const connect = createRequire(import.meta.url)("engine.io-client");
const url = process.argv[2];

const messages = [
  "hello",
  "\u20ac",
  "\u{1F600}",
  "a separator \u001e of version 4",
  "1:4 looks like a packet",
  "b4AQID looks like binary",
  `long ${"\u{1F600} x".repeat(5000)}`,
  "",
  Buffer.from([1, 2, 3, 4]),
  Buffer.from(Array.from({ length: 256 }, (_, i) => i)),
  Buffer.alloc(20000, 255),
  Buffer.alloc(0),
];

function talk(name, options, until) {
  return new Promise((resolve, reject) => {
    const socket = connect(url, options);
    socket.binaryType = "arraybuffer";
    const fail = (why) => reject(new Error(`${name}: ${why}`));
    const timer = setTimeout(() => fail("too late"), 20000);
    const got = [];
    let pongs = 0;
    let upgraded = false;
    const look = () => {
      if (got.length < messages.length || pongs < 3 || !until(upgraded)) return;
      clearTimeout(timer);
      try {
        // This client hands out an empty text as `undefined`.
        got.forEach((data, i) => {
          const message = typeof data === "object" ? Buffer.from(data) : (data ?? "");
          assert.deepEqual(message, messages[i]);
        });
        assert.equal(got.length, messages.length);
      } catch (error) {
        return reject(error);
      }
      socket.once("close", (reason) => resolve(console.log(`${name}: ${socket.transport.name}, ${reason}`)));
      socket.close();
    };
    socket.on("open", () => messages.forEach((message) => socket.send(message)));
    socket.on("message", (data) => look(got.push(data)));
    socket.on("pong", () => look((pongs += 1)));
    socket.on("upgrade", () => look((upgraded = true)));
    socket.on("error", (error) => fail(error.message));
    socket.on("close", (reason) => got.length < messages.length && fail(`closed: ${reason}`));
  });
}

await talk("polling", { transports: ["polling"] }, () => true);
await talk("polling in base64", { transports: ["polling"], forceBase64: true }, () => true);
await talk("WebSocket", { transports: ["websocket"] }, () => true);
await talk("WebSocket in base64", { transports: ["websocket"], forceBase64: true }, () => true);
await talk("upgrade", {}, (upgraded) => upgraded);
