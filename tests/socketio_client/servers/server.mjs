// npm `socket.io` with the handlers that the tests want. Prints its port; ends with its standard input.
// Where it is installed is said by SOCKETIO_MODULES, a directory that has `node_modules`.
import { createServer } from "node:http";
import { createRequire } from "node:module";

const root = process.env.SOCKETIO_MODULES ?? new URL("../../interop/", import.meta.url).pathname;
const { Server } = createRequire(root + "/")("socket.io");
const http = createServer();
const recovery = process.argv.includes("--recovery");
const io = new Server(http, {
  pingInterval: 5000,
  ...(recovery ? { connectionStateRecovery: { maxDisconnectionDuration: 60_000 } } : {}),
});

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
  socket.on("break-me", () => socket.conn.transport.socket?._socket?.destroy());
};
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

http.listen(0, "127.0.0.1", () => console.log(http.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
