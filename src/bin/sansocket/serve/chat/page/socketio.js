// Socket.IO v5 for browsers, above engineio.js: one namespace, with events, acknowledgements, bytes and reconnection.
//
// `io(options)` has the names of npm's socket.io-client, as far as it goes, so that a program can use either.

import { openSession } from "./engineio.js";

/** The types of packets. */
const CONNECT = 0, DISCONNECT = 1, EVENT = 2, ACK = 3, CONNECT_ERROR = 4, BINARY_EVENT = 5, BINARY_ACK = 6;

const DEFAULTS = {
  path: "/socket.io/",
  transports: ["polling", "websocket"],
  /** What the server judges by: an object, or a function that is asked each time and gives it to its argument. */
  auth: null,
  /** Milliseconds: how long one attempt may take, and how long to wait before the next. */
  timeout: 20_000,
  reconnectionDelay: 500,
  reconnectionDelayMax: 5_000,
};

export function io(options = {}) {
  return new Socket({ ...DEFAULTS, ...options });
}

class Socket {
  #options;
  #session = null;
  #listeners = new Map();
  #acks = new Map();
  #nextAck = 0;
  /** A packet some of whose bytes have not come yet. */
  #partial = null;
  #attempts = 0;
  #timer = null;
  #isWanted = false;

  connected = false;
  id = undefined;
  /** What carries the connection: "polling", "websocket", or nothing. */
  transport = null;

  constructor(options) {
    this.#options = options;
  }

  on(event, listener) {
    if (!this.#listeners.has(event)) this.#listeners.set(event, new Set());
    this.#listeners.get(event).add(listener);
    return this;
  }

  /** Whether it is connected, or will be: nobody has said that it is over. */
  get active() {
    return this.#isWanted;
  }

  /** Connects, and reconnects until `disconnect` is called or the server has thrown this client out. */
  connect() {
    this.#isWanted = true;
    if (!this.#session) this.#open();
    return this;
  }

  disconnect() {
    this.#isWanted = false;
    clearTimeout(this.#timer);
    this.#session?.close(this.connected ? `${DISCONNECT}` : null);
    return this;
  }

  /** Emits an event; while there is no connection, it is lost. */
  emit(event, ...args) {
    if (this.connected) this.#write(EVENT, [event, ...args]);
    return this;
  }

  /** Emits an event and waits for its acknowledgement: its first argument. */
  emitWithAck(event, ...args) {
    return new Promise((resolve, reject) => {
      if (!this.connected) return reject(new Error("not connected"));
      const id = this.#nextAck++;
      this.#acks.set(id, { resolve, reject });
      this.#write(EVENT, [event, ...args], id);
    });
  }

  // ---- the connection ----

  #open() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#session?.close(), this.#options.timeout);
    // Of a session that was given up, nothing is of interest any more.
    const isCurrent = () => session === this.#session;
    const session = openSession(this.#options.path, this.#options.transports, {
      open: () => this.#authenticate((auth) => isCurrent() && this.#write(CONNECT, auth)),
      transport: (name) => {
        if (!isCurrent()) return;
        this.transport = name;
        this.#tell("transport", name);
      },
      message: (data) => isCurrent() && this.#receive(data),
      end: (reason) => isCurrent() && this.#ended(reason),
    });
    this.#session = session;
  }

  #authenticate(then) {
    const { auth } = this.#options;
    if (typeof auth === "function") auth(then);
    else then(auth);
  }

  #ended(reason) {
    clearTimeout(this.#timer);
    this.#session = this.#partial = this.transport = null;
    this.#left(this.#isWanted ? reason : "io client disconnect");
    if (!this.#isWanted) return;
    // Twice as long each time, and not all clients at once.
    const { reconnectionDelay, reconnectionDelayMax } = this.#options;
    const delay = Math.min(reconnectionDelay * 2 ** this.#attempts, reconnectionDelayMax) * (0.5 + Math.random());
    this.#attempts += 1;
    this.#timer = setTimeout(() => this.#open(), delay);
  }

  /** The namespace is left, whoever wanted it. */
  #left(reason) {
    const wasConnected = this.connected;
    this.connected = false;
    this.id = undefined;
    for (const { reject } of this.#acks.values()) reject(new Error("the connection was lost"));
    this.#acks.clear();
    if (wasConnected) this.#tell("disconnect", reason);
  }

  // ---- packets ----

  #write(type, data = null, ack = null) {
    if (!this.#session) return;
    const attachments = [];
    const json = data === null ? "" : JSON.stringify(takeBytes(data, attachments));
    const kind = attachments.length ? `${type + 3}${attachments.length}-` : `${type}`;
    this.#session.send(kind + (ack ?? "") + json);
    for (const bytes of attachments) this.#session.send(bytes);
  }

  #receive(data) {
    let packet = this.#partial;
    if (typeof data === "string") packet = parse(data);
    else packet?.attachments.push(data);
    if (!packet || (typeof data === "string" && this.#partial)) {
      // What no server of Socket.IO says.
      return this.#session.close();
    }
    this.#partial = packet.attachments.length < packet.count ? packet : null;
    if (!this.#partial) this.#handle({ ...packet, data: putBytes(packet.data, packet.attachments) });
  }

  #handle({ type, ack, data }) {
    switch (type) {
      case CONNECT:
        clearTimeout(this.#timer);
        this.#attempts = 0;
        this.connected = true;
        this.id = data.sid;
        return this.#tell("connect");
      case CONNECT_ERROR:
        // Asking again would change nothing; the program may know better.
        this.disconnect();
        return this.#tell("connect_error", Object.assign(new Error(data.message), { data: data.data }));
      case DISCONNECT: {
        const session = this.#session;
        this.#isWanted = false;
        this.#session = this.transport = null;
        // It may be about to close the connection itself, and would then not understand a goodbye.
        setTimeout(() => session.close(), 1_000);
        return this.#left("io server disconnect");
      }
      case EVENT:
      case BINARY_EVENT:
        if (ack !== null) data.push((...args) => this.#write(ACK, args, ack));
        return this.#tell(...data);
      case ACK:
      case BINARY_ACK: {
        const waiting = this.#acks.get(ack);
        this.#acks.delete(ack);
        return waiting?.resolve(...data);
      }
    }
  }

  #tell(event, ...args) {
    for (const listener of this.#listeners.get(event) ?? []) listener(...args);
  }
}

/** `<type>[<attachments>-][/<namespace>,][<ack>][<JSON>]`; nothing where it is none of these. */
function parse(text) {
  const parts = /^([0-6])(?:(\d+)-)?(?:\/[^,]*,)?(\d+)?(.*)$/s.exec(text);
  if (!parts) return null;
  const [, type, count = 0, ack = null, json] = parts;
  return {
    type: Number(type),
    count: Number(count),
    attachments: [],
    ack: ack === null ? null : Number(ack),
    data: json ? JSON.parse(json) : null,
  };
}

/** The same value, with a placeholder for whatever is bytes; these are added to `attachments`. */
function takeBytes(value, attachments) {
  if (value instanceof ArrayBuffer) value = new Uint8Array(value);
  if (value instanceof Uint8Array) return { _placeholder: true, num: attachments.push(value) - 1 };
  if (Array.isArray(value)) return value.map((item) => takeBytes(item, attachments));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, takeBytes(item, attachments)]));
}

/** The same value, with the bytes in their places. */
function putBytes(value, attachments) {
  if (!attachments.length || value === null || typeof value !== "object") return value;
  if (value._placeholder === true) return attachments[value.num];
  if (Array.isArray(value)) return value.map((item) => putBytes(item, attachments));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, putBytes(item, attachments)]));
}
