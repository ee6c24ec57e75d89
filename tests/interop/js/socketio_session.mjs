// npm socket.io-client where every wait has a deadline.
import { io } from "socket.io-client";
import msgpack from "socket.io-msgpack-parser";

import { PATIENCE_MS, within } from "./deadline.mjs";

export { PATIENCE_MS, within };

const TRANSPORTS = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

/** The arguments of the next event of this name. */
export const once = (socket, event) =>
  within(event, new Promise((resolve) => socket.once(event, (...args) => resolve(args))));

export const call = (socket, ...args) => socket.timeout(PATIENCE_MS).emitWithAck(...args);

/** A socket on a connection of its own, not connected yet: listeners can be there before anything comes. */
export const open = (url, plan, parser = "text", more = {}) =>
  io(url, {
    transports: TRANSPORTS[plan],
    reconnection: false,
    forceNew: true,
    autoConnect: false,
    ...(parser === "msgpack" ? { parser: msgpack } : {}),
    ...more,
  });

/** Connects, and answers what the server has said of its auth. */
export async function connect(socket) {
  const auth = once(socket, "auth");
  const failed = new Promise((_, reject) => socket.once("connect_error", reject));
  failed.catch(() => {}); // where it does not fail, nobody looks
  socket.connect();
  await Promise.race([once(socket, "connect"), failed]);
  return (await auth)[0];
}

/** On the transport that the plan ends on. */
export async function settled(socket, plan) {
  const last = plan === "polling" ? "polling" : "websocket";
  const { engine } = socket.io;
  if (engine.transport.name !== last) await once(engine, "upgrade");
}
