// node engineio_server.mjs CERT KEY: npm's engine.io over https, echoes; prints its port.
import { readFileSync } from "node:fs";
import { createServer } from "node:https";
import { createRequire } from "node:module";

const { attach } = createRequire(new URL("../interop/package.json", import.meta.url))("engine.io");
const [cert, key] = process.argv.slice(2).map((file) => readFileSync(file));
const server = createServer({ cert, key });
attach(server).on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
