// Writes what npm `socket.io-parser` makes of each of these texts: the known answers of src/socketio/packet/text/tests.rs.
//
//   node socketio-parser-table.mjs FOLDER_WITH_NODE_MODULES > src/socketio/packet/text/javascript.json
import { createRequire } from "node:module";
import { resolve } from "node:path";

const require = createRequire(resolve(process.argv[2] ?? ".", "package.json"));
const { Decoder } = require("socket.io-parser");

const texts = [
  // Each type, with and without what may come with it.
  "0", "0{}", '0{"token":"123"}', "0/admin", "0/admin,", '0/admin,{"token":1}', "0/admin?token=1234&uid=abcd,", '0/a?b=c,{"x":1}',
  '0{"sid":"oSO0OpakMV_3jnilAAAA"}', "0[]", '0"text"', "0null", "0true", "01", "0{", "0,", "0/", "0/,", "0/a,b", "0/a,{}x", '0/a{"b":1}',
  "1", "1/admin", "1/admin,", "1{}", "1/admin,{}", "1 ", "1/a,x",
  '2["hello",1]', '2/admin,["hello"]', '212["hello"]', '2/admin,456["project:delete",123]', "2", "21", "2/a", "2/a,", "2/a,1",
  '2["a"', '2["a"]x', '2["a"] ', '2[]', "2{}", '2"a"', "2null", "2[null]", "2[true]", "2[{}]", '2[["a"]]', '2[{"toString":"foo"}]', "2[1]",
  "2[0]", "2[-1.5]", "2[1e3]", '2[""]', '2["é"]', '2["\\u00e9"]', '2["\\"quoted\\\\"]', '2["\\ud83d\\ude00",1]', '2["a","\\ud800"]',
  '2["a", 1 ,\t2 ]', '2[ "a" , 1 ]', '2["a",{"__proto__":{"x":1}}]', '2["__proto__"]', '2["constructor",1]', '2["a",1e400]',
  '2["a",{"_placeholder":true,"num":0}]', '2["a",{"_placeholder":true,"num":"splice"}]', '2["a",12345678901234567890]',
  '2["connect"]', '2["connect_error"]', '2["disconnect",1]', '2["disconnecting"]', '2["newListener"]', '2["removeListener"]',
  '2["\\u0063onnect"]', '2["Connect"]', '2["connection"]', '2["error"]', '2["message"]', '2["ping"]', '2["disconnect "]',
  '20["a"]', '2007["a"]', '29007199254740991["a"]', '2-1["a"]', '2+1["a"]', '21.5["a"]', '2"a",1', "2,", "2x", '2/a,1,["a"]',
  '312[]', '3/admin,456[1,"x"]', "3[]", "3", "31", "31{}", '31"x"', "31null", "31[", "31[1]]", "31[1] ",
  '4{"message":"Not authorized"}', '4/a,{"message":"x","data":{"code":7}}', '4"text"', "4[]", "4null", "41", "4", "4/a,", "4{", '4{}',
  '51-["hello",{"_placeholder":true,"num":0}]', '51-/admin,456["project:delete",{"_placeholder":true,"num":0}]',
  '52-["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]', '51-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]',
  '51-["a"]', '51-["a",{"_placeholder":true,"num":1}]', '51-["a",{"_placeholder":true,"num":-1}]', '51-["a",{"_placeholder":true,"num":"0"}]',
  '51-["a",{"_placeholder":true,"num":"splice"}]', '51-["a",{"_placeholder":true}]', '51-["a",{"_placeholder":true,"num":null}]',
  '51-["a",{"_placeholder":false,"num":5}]', '51-["a",{"_placeholder":1,"num":5}]', '51-["a",{"x":[{"_placeholder":true,"num":0.0}]}]',
  '51-["a",{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":9}}]', '51-["a",{"num":0,"_placeholder":true}]',
  '51-["a",{"_placeholder":true,"_placeholder":false,"num":9}]', '51-["a",{"_placeholder":true,"num":9,"num":0}]',
  '50-["a"]', '511-["a"]', '510-["a"]', '51000000000-["a"]', '5["a"]', "5", "5-", '5-["a"]', '5x-["a"]', '51["a"]', '51', '5-1-["a"]', '51.5-["a"]',
  '501-["a",{"_placeholder":true,"num":0}]', '51-', '51-{}', '51-["connect"]', '51-[]', '51-/a', '51-1',
  '61-/admin,456[{"_placeholder":true,"num":0}]', '61-1[]', '61-[]', '61-', '60-[]', '61-{}', '61-1[{"_placeholder":true,"num":1}]',
  "", "7", "8", "9", "a", "-1", "é", "\u0000", "/", "\ufeff2[\"a\"]", '2\ufeff["a"]', '2["a\nb"]', "2['a']", '2["a",]', "2[NaN]",
  // What nobody sends, and JavaScript takes because of how it makes numbers.
  ' ["a"]', '2 ["a"]', '2\t7["a"]', '51e0-["a",{"_placeholder":true,"num":0}]', '50x1-["a",{"_placeholder":true,"num":0}]',
  '5 1-["a",{"_placeholder":true,"num":0}]', '2100000000000000000000000["a"]', '51-["a",{"_placeholder":true,"num":0.5}]',
];

const shown = (value) =>
  Buffer.isBuffer(value) ? { $binary: [...value] }
  : Array.isArray(value) ? value.map((inner) => shown(inner ?? null))
  : value && typeof value === "object" ? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shown(inner)]))
  : value === Infinity ? "Infinity"
  : value;

const table = texts.map((text) => {
  const decoder = new Decoder();
  let packet = null;
  decoder.on("decoded", (decoded) => (packet = decoded));
  try {
    decoder.add(text);
    for (let index = 0; packet === null && index < 20; index++) decoder.add(Buffer.from([index]));
  } catch (error) {
    return { text, error: error.message };
  }
  if (packet === null) return { text, error: "no packet" };
  const { type, nsp, id, data } = packet;
  return { text, type, nsp, id, data: data === undefined ? undefined : shown(data) };
});
process.stdout.write("[\n" + table.map((row) => JSON.stringify(row)).join(",\n") + "\n]\n");
