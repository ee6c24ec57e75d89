// Engine.IO v4 for browsers: one session, from its handshake to its end. Nothing is loaded, nothing is built.
//
// A session begins with HTTP requests: a GET waits for what the server has to say, a POST says something. Where the server
// offers it, a WebSocket is tried out beside them ("2probe", "3probe"), and the session moves there ("5") once no request
// is under way: so nothing is lost, and nothing overtaken.

const SEPARATOR = "\x1e";

/** The types of packets that matter here, by their first character. */
const OPEN = "0", CLOSE = "1", PING = "2", PONG = "3", MESSAGE = "4", UPGRADE = "5";

/**
 * Opens a session at `endpoint`, a path such as "/socket.io/".
 *
 * `transports` is where it may live: "polling", "websocket", or both, which begins with polling. `on` is told of
 * `open(handshake)`, `transport(name)`, `message(text or Uint8Array)`, and, once and last, of `end(reason)`.
 */
export function openSession(endpoint, transports, on) {
  let sid = null, handshake = null, watchdog = null, webSocket = null;
  let isOver = false, isOnWebSocket = false, isProven = false, isPolling = false, posting = null;
  const queue = [];
  const requests = new AbortController();

  const target = (transport) => {
    const url = new URL(endpoint, location.href);
    url.search = new URLSearchParams({ EIO: 4, transport, ...(sid ? { sid } : {}) });
    return url;
  };

  function end(reason) {
    if (isOver) return;
    isOver = true;
    clearTimeout(watchdog);
    requests.abort();
    webSocket?.close();
    on.end(reason);
  }

  // ---- what comes ----

  function receive(packet) {
    if (isOver) return;
    if (typeof packet !== "string") return on.message(packet);
    const rest = packet.slice(1);
    switch (packet[0]) {
      case OPEN:
        handshake = JSON.parse(rest);
        sid = handshake.sid;
        rewind();
        on.open(handshake);
        on.transport(isOnWebSocket ? "websocket" : "polling");
        if (transports.includes("websocket") && handshake.upgrades.includes("websocket")) connect();
        return;
      case CLOSE:
        return end("transport close");
      case PING:
        rewind();
        return write(PONG + rest);
      case MESSAGE:
        return on.message(rest);
      // Anything else, such as a noop, only ends a request that waits.
    }
  }

  /** A server that has gone silent shows by the ping that does not come. */
  function rewind() {
    clearTimeout(watchdog);
    watchdog = setTimeout(() => end("ping timeout"), handshake.pingInterval + handshake.pingTimeout);
  }

  async function request(method, body) {
    const response = await fetch(target("polling"), { method, body, cache: "no-store", signal: requests.signal });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return response.text();
  }

  async function poll() {
    isPolling = true;
    try {
      // Once the WebSocket is proven, the waiting GET is the last.
      while (!isOver && !isProven) {
        for (const packet of (await request("GET")).split(SEPARATOR)) {
          receive(packet[0] === "b" ? fromBase64(packet.slice(1)) : packet);
        }
      }
    } catch {
      end("transport error");
    }
    isPolling = false;
    move();
  }

  // ---- the WebSocket ----

  /** Opens one: for a session that has none yet, or, after the handshake, to move to. */
  function connect() {
    const isFirst = !sid;
    const url = target("websocket");
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    webSocket = new WebSocket(url);
    webSocket.binaryType = "arraybuffer";
    isOnWebSocket = isFirst;
    webSocket.onopen = () => isFirst || webSocket.send(PING + "probe");
    webSocket.onmessage = ({ data }) => {
      if (isOnWebSocket) return receive(typeof data === "string" ? data : new Uint8Array(data));
      if (data !== PONG + "probe") return;
      isProven = true;
      move();
    };
    webSocket.onclose = () => {
      if (isOnWebSocket) return end(sid ? "transport close" : "transport error");
      // It could not be moved to: the session goes on as it was.
      webSocket = null;
      isProven = false;
      if (!isOver && !isPolling) poll();
      flush();
    };
  }

  function move() {
    if (isOver || isOnWebSocket || !isProven || isPolling || posting) return;
    isOnWebSocket = true;
    webSocket.send(UPGRADE);
    on.transport("websocket");
    flush();
  }

  // ---- what goes ----

  function write(packet) {
    queue.push(packet);
    flush();
  }

  async function flush() {
    if (isOver || posting || !sid || !queue.length || (isProven && !isOnWebSocket)) return;
    if (isOnWebSocket) {
      for (const packet of queue.splice(0)) webSocket.send(packet);
      return;
    }
    posting = request("POST", nextPayload()).catch(() => end("transport error"));
    await posting;
    posting = null;
    move();
    flush();
  }

  /** As many packets as the server takes at once, but at least one. */
  function nextPayload() {
    let payload = encode(queue.shift());
    let size = byteLength(payload);
    while (queue.length) {
      const next = encode(queue[0]);
      size += byteLength(next) + 1;
      if (size > handshake.maxPayload) break;
      payload += SEPARATOR + next;
      queue.shift();
    }
    return payload;
  }

  if (transports.includes("polling")) poll();
  else connect();

  return {
    send: (data) => write(typeof data === "string" ? MESSAGE + data : data),
    /** Says a last message, if there is one, and goodbye, also where the page is being left. */
    close(message = null) {
      if (isOver) return;
      const last = [...queue.splice(0), ...(message === null ? [] : [MESSAGE + message]), CLOSE];
      if (isOnWebSocket) {
        if (webSocket.readyState === WebSocket.OPEN) for (const packet of last) webSocket.send(packet);
        return end("forced close");
      }
      if (!sid) return end("forced close");
      isOver = true;
      clearTimeout(watchdog);
      webSocket?.close();
      // One POST at a time. The waiting GET is answered when the server has read this; cut off before, it would look as if
      // the connection had broken.
      const body = last.map(encode).join(SEPARATOR);
      const options = { method: "POST", body, keepalive: body.length < 60_000 };
      const goodbye = () => fetch(target("polling"), options).catch(() => {}).finally(() => requests.abort());
      // Where the page is being left there is no later.
      if (posting && !isLeaving) posting.finally(goodbye);
      else goodbye();
      on.end("forced close");
    },
  };
}

let isLeaving = false;
addEventListener("pagehide", () => (isLeaving = true));
addEventListener("pageshow", () => (isLeaving = false));

/** A packet as it stands in the body of a request. */
const encode = (packet) => (typeof packet === "string" ? packet : "b" + toBase64(packet));

const byteLength = (text) => new TextEncoder().encode(text).length;

function toBase64(bytes) {
  let text = "";
  // In parts: a function takes only so many arguments.
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
