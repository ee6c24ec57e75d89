// One session of engine.io-client@3 on one of four plans of transports, where every wait has a deadline.
import { createRequire } from "node:module";

import { within } from "../../interop/js/deadline.mjs";

export { within };

const connect = createRequire(import.meta.url)("engine.io-client");

export const PLANS = {
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
  "websocket in base64": { transports: ["websocket"], forceBase64: true },
  upgrade: {},
};

export class Session {
  #inbox = [];
  #reader = null;

  /** `atOpen(session)` runs inside the client's "open" event, that is before its upgrade starts. */
  constructor(url, plan, atOpen = () => {}) {
    this.sent = 0;
    this.received = 0;
    this.pongs = 0;
    this.upgradeAt = null;
    this.socket = connect(url, { path: "/engine.io/", ...PLANS[plan] });
    this.socket.binaryType = "arraybuffer";
    this.error = null;
    this.socket.on("error", (error) => (this.error = error));
    this.closed = new Promise((resolve) => this.socket.on("close", (reason) => resolve(reason)));
    const last = plan === "upgrade" ? "upgrade" : "open";
    const there = new Promise((resolve, reject) => {
      this.socket.on(last, resolve);
      this.socket.on("upgradeError", reject);
    });
    there.catch(() => {});
    const died = this.closed.then((reason) => {
      this.#reader?.reject(new Error(`closed while waiting for a message: ${reason}`));
      throw new Error(`closed: ${reason}`);
    });
    died.catch(() => {});
    /** Open, and on the transport that the plan ends on. */
    this.ready = () => within(`${last} on plan ${plan}`, Promise.race([there, died])).then(() => this);
    this.socket.on("open", () => atOpen(this));
    this.socket.on("upgrade", () => {
      this.upgradeAt = { sent: this.sent, received: this.received };
    });
    this.socket.on("pong", () => (this.pongs += 1));
    this.socket.on("message", (message) => {
      this.received += 1;
      // This client hands out an empty text as `undefined`.
      const value = typeof message === "object" ? Buffer.from(message) : (message ?? "");
      if (this.#reader) {
        this.#reader.resolve(value);
        this.#reader = null;
      } else {
        this.#inbox.push(value);
      }
    });
  }

  get transport() {
    return this.socket.transport.name;
  }

  send(message) {
    this.sent += 1;
    this.socket.send(message);
  }

  next(what = "a message") {
    if (this.#inbox.length > 0) return Promise.resolve(this.#inbox.shift());
    const arrived = new Promise((resolve, reject) => (this.#reader = { resolve, reject }));
    return within(what, arrived);
  }

  expectNothingMore() {
    if (this.#inbox.length > 0) throw new Error(`${this.#inbox.length} messages too many`);
  }

  async close() {
    this.socket.close();
    return within("the close event", this.closed);
  }
}
