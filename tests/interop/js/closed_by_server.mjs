// node closed_by_server.mjs URL PLAN: sends `close-me` and prints the reason of the close that follows.
// A server that knows the word closes the session. An echo server sends it back; then this prints
// `ready`, and whoever started it stops the server; over polling that is to happen while a poll waits.
import { Session, report, within } from "./session.mjs";

const [url, plan] = process.argv.slice(2);
const session = await new Session(url, plan).ready();
session.socket.once("message", () => {
  // The client polls again when this handler is done. A request made after that and answered, with
  // whatever, means that the poll has arrived too.
  setImmediate(async () => {
    const answer = await within("an answer on another connection", fetch(url));
    await answer.arrayBuffer();
    report({ event: "ready", transport: session.transport });
  });
});
session.send("close-me");
const reason = await within("the server's close", session.closed);
report({ event: "close", reason });
