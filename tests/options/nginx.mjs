// node nginx.mjs URL upgrades|idle|cut: engine.io-client through a proxy with TLS.
//   upgrades  sessions from many addresses, with cookies and without; prints their ids
//   idle      sessions that say nothing are there still after the proxy has lost patience twice, but for its pings
//   cut       the proxy loses patience before the first ping
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Agent } from "node:https";
import { within } from "../interop/js/session.mjs";

const { Socket } = createRequire(new URL("../interop/", import.meta.url))("engine.io-client");
const [url, what] = process.argv.slice(2);
const ca = readFileSync(process.env.NODE_EXTRA_CA_CERTS);

function open(options) {
  const socket = new Socket(url, { path: "/engine.io/", ...options });
  const until = (event) => new Promise((resolve) => socket.on(event, resolve));
  const closed = until("close").then((reason) => reason);
  const died = closed.then((reason) => Promise.reject(new Error(`closed: ${reason}`)));
  died.catch(() => {});
  const opened = until("open");
  const upgraded = until("upgrade");
  return {
    socket,
    closed,
    opened: () => within("open", Promise.race([opened, died])),
    upgraded: () => within("the upgrade", Promise.race([upgraded, died])),
    next: (event) => within(event, Promise.race([until(event), died])),
  };
}

const modes = {
  async upgrades() {
    const sessions = Array.from({ length: 12 }, (_, i) => {
      const agent = new Agent({ localAddress: `127.0.0.${30 + i}`, ca });
      return open({ agent, withCredentials: i % 2 === 0 });
    });
    const ids = sessions.map(async ({ socket, opened, upgraded, next, closed }) => {
      await opened();
      const { id } = socket;
      await upgraded();
      const echo = next("message");
      socket.send("hello");
      assert.equal(await echo, "hello");
      socket.close();
      await closed;
      return id;
    });
    console.log((await Promise.all(ids)).join(" "));
  },

  async idle() {
    const each = [{ transports: ["polling"] }, { transports: ["websocket"] }, {}].map(async (options) => {
      const { socket, opened, next, closed } = open(options);
      let pings = 0;
      const enough = new Promise((resolve) => socket.on("ping", () => (pings += 1) === 18 && resolve()));
      await opened();
      await within("eighteen pings", Promise.race([enough, closed]));
      const echo = next("message");
      socket.send("still here");
      assert.equal(await echo, "still here");
      socket.close();
      await closed;
    });
    await Promise.all(each);
  },

  async cut() {
    const each = ["polling", "websocket"].map(async (transport) => {
      const { opened, closed } = open({ transports: [transport] });
      await opened();
      const reason = await within("the cut", closed);
      assert.equal(reason, transport === "polling" ? "transport error" : "transport close");
    });
    await Promise.all(each);
  },
};
await modes[what]();
