// npm `socket.io` with the handlers that the tests want. Prints its port; ends with its standard input.
// Where it is installed is said by SOCKETIO_MODULES, a directory that has `node_modules`.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const root = process.env.SOCKETIO_MODULES ?? new URL("../../interop/", import.meta.url).pathname;
const require = createRequire(root + "/");
const { Server } = require("socket.io");
const msgpack = process.argv.includes("--msgpack");
const recovery = process.argv.includes("--recovery");
const seen = [];
const left = [];
let io;

const handle = (socket) => {
  socket.emit("auth", socket.handshake.auth);
  socket.on("message", (...args) => socket.emit("message-back", ...args));
  socket.on("message-with-ack", (...args) => args.pop()(...args));
  socket.on("ask-me", (...args) => {
    socket.timeout(5000).emit("question", ...args, (error, ...answer) => {
      socket.emit("answer", ...(error ? ["nothing"] : answer));
    });
  });
  socket.on("burst", (n) => {
    for (let i = 0; i < n; i++) socket.emit("n", i);
  });
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack();
  });
  socket.on("in-room", (room, ...args) => io.of(socket.nsp.name).to(room).emit("room-msg", room, ...args));
  socket.on("disconnect-me", (close) => socket.disconnect(close));
  socket.on("cut-me", () => socket.conn.close(true));
  // Once the connection is lost, n events that are missed.
  socket.on("break-and-tell", (n) => {
    socket.conn.transport.socket?._socket?.destroy();
    const gone = setInterval(() => {
      if (socket.connected) return;
      clearInterval(gone);
      for (let i = 0; i < n; i++) io.of(socket.nsp.name).to(socket.id).emit("n", i, Buffer.from([i]));
    }, 5);
  });
  // Acknowledged the third time that it comes.
  socket.on("third-time", (id, ack) => {
    seen.push(id);
    if (seen.filter((other) => other === id).length === 3) ack(id);
  });
  socket.on("disconnect", (reason) => left.push(reason));
  socket.on("left", (ack) => ack(left));
  socket.on("seen", (ack) => ack(seen));
  // Everybody's connection ends in order, and the server listens again.
  socket.on("restart", () => {
    const { port } = io.httpServer.address();
    io.close(() => serve(port));
  });
  socket.on("break-me", () => socket.conn.transport.socket?._socket?.destroy());
};
const serve = (port, ready) => {
  const http = createServer();
  io = new Server(http, {
    pingInterval: 5000,
    ...(msgpack ? { parser: require("socket.io-msgpack-parser") } : {}),
    ...(recovery ? { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } } : {}),
  });
  io.on("connection", handle);
  io.of("/custom").on("connection", handle);
  io.of("/reject").use((_, next) => {
    const error = new Error("nope");
    error.data = { code: 7 };
    next(error);
  });
  io.of("/auth").use((socket, next) => {
    next(socket.handshake.auth.token === "secret" ? undefined : new Error("unauthorized"));
  });
  io.of("/auth").on("connection", handle);
  io.of("/slow").use(() => {});
  http.listen(port, "127.0.0.1", () => ready?.(http.address().port));
};

serve(0, (port) => console.log(port));
process.stdin.on("end", () => process.exit(0)).resume();
