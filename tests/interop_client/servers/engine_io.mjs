// npm `engine.io` as the server that the client program talks to. What it does, and what it prints, is
// described in application.md; the two Python servers do and print the same.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

// The packages of the interop tests are installed beside their package.json.
const require = createRequire(new URL("../../interop/package.json", import.meta.url));
const { Server } = require("engine.io");

const { values: options } = parseArgs({
  options: {
    port: { type: "string", default: "0" },
    "ping-interval": { type: "string", default: "25000" },
    "ping-timeout": { type: "string", default: "20000" },
    "max-payload": { type: "string", default: "1000000" },
    transports: { type: "string", default: "polling,websocket" },
    "no-upgrades": { type: "boolean", default: false },
    compression: { type: "string" },
    cookie: { type: "boolean", default: false },
    refuse: { type: "boolean", default: false },
    "upgrade-delay": { type: "string", default: "0" },
  },
});

const threshold = options.compression === undefined ? null : { threshold: Number(options.compression) };
const engine = new Server({
  pingInterval: Number(options["ping-interval"]),
  pingTimeout: Number(options["ping-timeout"]),
  maxHttpBufferSize: Number(options["max-payload"]),
  transports: options.transports.split(","),
  allowUpgrades: !options["no-upgrades"],
  httpCompression: threshold ?? false,
  // Only for a client that offers it.
  perMessageDeflate: threshold ?? false,
  cookie: options.cookie,
  allowRequest: (_, answer) => answer("no entry", !options.refuse),
});

engine.use((request, _, next) => {
  const { cookie = "", authorization = "", "x-test": xTest = "" } = request.headers;
  console.log(`request ${request.method} ${request.url} cookie=${cookie} auth=${authorization} x-test=${xTest}`);
  if (request.headers.upgrade) {
    setTimeout(next, Number(options["upgrade-delay"]));
  } else {
    next();
  }
});

engine.on("headers", (headers) => {
  if (headers["Content-Encoding"]) {
    console.log(`encoded ${headers["Content-Encoding"]}`);
  }
});

engine.on("connection", (socket) => {
  let messages = 0;
  console.log("opened");
  socket.on("heartbeat", () => console.log("heartbeat"));
  socket.on("close", (reason) => console.log(`closed ${reason} messages=${messages}`));
  socket.on("message", (data) => {
    // An empty text message is reported as `undefined`.
    const message = data ?? "";
    const [command, argument] = typeof message === "string" ? message.split(" ") : [];
    switch (command) {
      case "!close":
        socket.close();
        return;
      case "!count":
        socket.send(String(messages));
        return;
      case "!send":
        for (let number = 0; number < Number(argument); number += 1) {
          socket.send(String(number));
        }
        return;
      default:
        messages += 1;
        socket.send(message);
    }
  });
});

const http = createServer();
engine.attach(http);
http.listen(Number(options.port), "127.0.0.1", () => {
  console.log(`listening on ${http.address().port}`);
});
