// node close_by_client.mjs URL PLAN: closes by itself and prints the reason that it saw. That this
// process then ends shows that the server left none of its requests hanging.
import { Session, report } from "./session.mjs";

const [url, plan] = process.argv.slice(2);
const session = await new Session(url, plan).ready();
report({ event: "ready", transport: session.transport });
const reason = await session.close();
report({ event: "close", reason });
