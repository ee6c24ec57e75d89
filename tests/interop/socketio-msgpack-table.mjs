// Writes how npm `socket.io-msgpack-parser` encodes these packets, and what it makes of these bytes: the known answers of
// src/socketio/msgpack/tests.rs.
//
//   node socketio-msgpack-table.mjs FOLDER_WITH_NODE_MODULES > src/socketio/msgpack/javascript.json
import { createRequire } from "node:module";
import { resolve } from "node:path";

const require = createRequire(resolve(process.argv[2] ?? ".", "package.json"));
const { Encoder, Decoder } = require("socket.io-msgpack-parser");
const notepack = require("notepack.io");

const shown = (value) =>
  Buffer.isBuffer(value) ? { $binary: [...value] }
  : value instanceof ArrayBuffer ? { $binary: [...new Uint8Array(value)] }
  : value instanceof Date ? JSON.parse(JSON.stringify(value))
  : Array.isArray(value) ? value.map((inner) => shown(inner ?? null))
  : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shown(inner ?? null)]))
  : typeof value === "number" && !Number.isFinite(value) ? null
  : value;

const decode = (bytes) => {
  const decoder = new Decoder();
  let packet = null;
  decoder.on("decoded", (decoded) => (packet = decoded));
  try {
    decoder.add(bytes);
  } catch (error) {
    return { error: error.message };
  }
  const { type, nsp, id, data } = packet;
  return { type, nsp, id, data: data === undefined ? undefined : shown(data) };
};

const event = (...data) => ({ type: 2, data, options: { compress: true }, id: undefined, nsp: "/" });
const packets = [
  { type: 0, nsp: "/", data: undefined }, { type: 0, nsp: "/admin", data: { token: "x" } }, { type: 1, nsp: "/" },
  { type: 3, nsp: "/a", id: 456, data: [] }, { type: 3, nsp: "/", id: 2 ** 40, data: [{ a: [1] }] },
  { type: 4, nsp: "/", data: { message: "no", data: { code: 7 } } }, { type: 4, nsp: "/", data: "text" },
  { ...event("hello", 1), id: 0 }, event("x".repeat(31)), event("x".repeat(32)), event("é😀", "y".repeat(300)), event("a", "z".repeat(70000)),
  event("ints", 0, 1, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, 2 ** 53 - 1),
  event("negative", -1, -32, -33, -128, -129, -32768, -32769, -2147483648, -2147483649, -(2 ** 53) + 1),
  event("floats", 1.5, -0.1, 5e-324, 123456789.125), event("no numbers", NaN, Infinity, -Infinity),
  event("words", true, false, null, undefined, { a: undefined, b: null }), event("nested", [[[]], {}], { a: { b: [{ c: 1 }] } }),
  event("long", Array.from({ length: 20 }, (_, i) => i), Object.fromEntries(Array.from({ length: 20 }, (_, i) => ["k" + i, i]))),
  event("longer", Array.from({ length: 70000 }, () => 0)), event("quotes", "\"\\\n\u0000\u001f\u007f"),
  event("bytes", Buffer.from([1, 2, 3]), { deep: [Buffer.alloc(0), Buffer.alloc(300, 7)] }), event("array buffer", new Uint8Array([4, 5]).buffer),
  event("dates", new Date(0), new Date(1700000000123), new Date(-1), new Date("2000-02-29T23:59:59.999Z"), new Date(8.64e15), new Date(-8.64e15),
    new Date("0000-01-01T00:00:00Z"), new Date("-000001-12-31T00:00:00Z"), new Date("2100-03-01T00:00:00Z"), new Date("1900-02-28T12:00:00Z")),
  event("surrogate", "a\ud800b"), event("not a placeholder", { _placeholder: true, num: 0 }), event(1, 2), event(""),
];
const bad = [
  "", "c0", "90", "80", "c1", "81a4747970652", "81a47479706502", "82a47479706502a36e7370a12f", "83a474797065ff a36e7370a12f a464617461 90",
  "83a47479706505 a36e7370a12f a46461746190", "83a474797065a132 a36e7370a12f a46461746190", "83a47479706502 a36e7370c0 a46461746190",
  "83a47479706500 a36e7370a12f a46461746190", "83a47479706501 a36e7370a12f a46461746180", "83a47479706504 a36e7370a12f a464617461c3",
  "83a47479706503 a36e7370a12f a46461746180", "84a47479706503 a36e7370a12f a26964a131 a46461746190", "84a47479706503 a36e7370a12f a269643fc0 a46461746190",
  "83a47479706503 a36e7370a12f a464617461dd7fffffff", "83a47479706503 a36e7370a12f a464617461dfffffffff", "83a47479706503 a36e7370a12f a464617461c6ffffffff",
  "83a47479706503 a36e7370a12f a46461746190 00", "84a47479706503 a36e7370a12f a26964cb3ff8000000000000 a46461746190",
  "84a47479706503 a36e7370a12f a26964cb4008000000000000 a46461746190", "83a47479706503 a36e7370a12f a46461746191 d401aa",
  "83a47479706503 a36e7370a12f a46461746192 ca3fc00000 cb3ff0000000000000", "83a47479706503 a36e7370a12f a46461746191 8101c3",
].map((hex) => Buffer.from(hex.replaceAll(" ", ""), "hex"));

const rows = [
  ...packets.map((packet) => {
    const bytes = new Encoder().encode(packet)[0];
    const data = packet.data === undefined ? undefined : notepack.encode(packet.data).toString("hex");
    const large = bytes.length > 2000;
    return { bytes: large ? undefined : bytes.toString("hex"), length: bytes.length, encoded: large ? undefined : data, ...(large ? {} : decode(bytes)) };
  }),
  ...bad.map((bytes) => ({ bytes: bytes.toString("hex"), ...decode(bytes) })),
].filter((row) => row.bytes !== undefined);
process.stdout.write("[\n" + rows.map((row) => JSON.stringify(row)).join(",\n") + "\n]\n");
