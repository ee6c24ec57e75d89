// One engine.io-client session on one of three transport plans, where every wait has a deadline.
import { Socket } from "engine.io-client";

import { PATIENCE_MS, within } from "./deadline.mjs";

export { PATIENCE_MS, within };

const PLANS = {
  polling: { transports: ["polling"], upgrade: false },
  websocket: { transports: ["websocket"] },
  upgrade: { transports: ["polling", "websocket"] },
};

export class Session {
  #inbox = [];
  #reader = null;

  /** `atOpen(session)` runs inside the client's "open" event, that is before its upgrade starts. */
  constructor(url, plan, atOpen = () => {}) {
    if (!(plan in PLANS)) {
      throw new Error(`unknown plan ${plan}: one of ${Object.keys(PLANS)}`);
    }
    this.plan = plan;
    this.sent = 0;
    this.received = 0;
    this.startedAt = performance.now();
    this.socket = new Socket(url, { path: "/engine.io/", ...PLANS[plan] });

    this.opened = new Promise((resolve) => {
      this.socket.on("open", () => {
        this.openedAt = performance.now();
        atOpen(this);
        resolve();
      });
    });
    this.upgraded = new Promise((resolve, reject) => {
      this.socket.on("upgrade", resolve);
      this.socket.on("upgradeError", reject);
    });
    this.upgraded.catch(() => {}); // a plan without an upgrade does not look at it
    this.closed = new Promise((resolve) => {
      this.socket.on("close", (reason) => resolve(reason));
    });
    this.closed.then((reason) => {
      this.#reader?.reject(new Error(`closed while waiting for a message: ${reason}`));
    });
    this.socket.on("message", (message) => {
      this.received += 1;
      // The client reports an empty text message as `undefined`.
      const value = message ?? "";
      if (this.#reader) {
        this.#reader.resolve(value);
        this.#reader = null;
      } else {
        this.#inbox.push(value);
      }
    });
  }

  /** Open, and on the transport that the plan ends on. */
  async ready() {
    const died = this.closed.then((reason) => {
      throw new Error(`closed before it was ready: ${reason}`);
    });
    const steps = this.plan === "upgrade" ? this.opened.then(() => this.upgraded) : this.opened;
    await within(`ready on plan ${this.plan}`, Promise.race([steps, died]));
    const last = this.plan === "polling" ? "polling" : "websocket";
    if (this.transport !== last) {
      throw new Error(`plan ${this.plan} ended on ${this.transport}`);
    }
    return this;
  }

  get transport() {
    return this.socket.transport.name;
  }

  send(message) {
    this.sent += 1;
    this.socket.send(message);
  }

  next(what = "a message") {
    if (this.#inbox.length > 0) {
      return Promise.resolve(this.#inbox.shift());
    }
    const arrived = new Promise((resolve, reject) => {
      this.#reader = { resolve, reject };
    });
    return within(what, arrived);
  }

  /** Nothing more than what was asked for has arrived. */
  expectNothingMore() {
    if (this.#inbox.length > 0) {
      throw new Error(`${this.#inbox.length} messages too many, the first: ${this.#inbox[0]}`);
    }
  }

  async close() {
    this.socket.close();
    return within("the close event", this.closed);
  }
}

/** What a scenario hands to its caller: one JSON object on one line. */
export function report(object) {
  console.log(JSON.stringify(object));
}
