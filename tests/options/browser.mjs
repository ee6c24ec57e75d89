// node browser.mjs PAGE OPEN STRICT: a headless Chromium shows a page of PAGE, whose scripts talk to OPEN, which lets that
// origin in, and to STRICT, which does not.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { chromium } = createRequire(new URL("../interop/", import.meta.url))("playwright-core");
const [pageUrl, open, strict] = process.argv.slice(2);
const profile = await mkdtemp(join(tmpdir(), "sansocket-browser-"));
let browser;
try {
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    timeout: 20_000,
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  browser.setDefaultTimeout(20_000);
  const page = await browser.newPage();
  const responses = [];
  page.on("response", (response) => responses.push(response));

  // Files: the page, a script beside it, and again.
  await page.goto(`${pageUrl}/`);
  await page.waitForFunction(() => document.title === "from a file");
  await page.reload();
  const statuses = responses.filter((r) => r.url().endsWith("app.js")).map((r) => r.status());
  assert.equal(statuses[0], 200);
  const part = await page.evaluate(async () => {
    const response = await fetch("/static/app.js", { headers: { Range: "bytes=0-7" } });
    return [response.status, await response.text()];
  });
  assert.deepEqual(part, [206, "document"]);

  // Another origin that lets us in: preflight, cookie, compression.
  const echoed = await page.evaluate(async (open) => {
    const target = `${open}/engine.io/?EIO=4&transport=polling`;
    const options = { credentials: "include", headers: { "X-Custom": "1" } };
    const opened = await (await fetch(target, options)).text();
    const sid = JSON.parse(opened.slice(1)).sid;
    const message = `4${"abc ".repeat(5000)}`;
    await fetch(`${target}&sid=${sid}`, { method: "POST", body: message, credentials: "include" });
    const polled = await (await fetch(`${target}&sid=${sid}`, options)).text();
    await fetch(`${target}&sid=${sid}`, { method: "POST", body: "1", credentials: "include" });
    return polled === message;
  }, open);
  assert.ok(echoed, "the echo is another text");
  const encodings = await Promise.all(responses.map(async (r) => (await r.allHeaders())["content-encoding"]));
  assert.ok(encodings.includes("gzip"), `${encodings}`);
  const cookies = await browser.cookies(open);
  assert.deepEqual(
    cookies.map((cookie) => [cookie.name, cookie.httpOnly, cookie.sameSite]),
    [["io", true, "Lax"]],
  );

  const attempts = async (url) =>
    page.evaluate(async (url) => {
      const polling = await fetch(`${url}/engine.io/?EIO=4&transport=polling`).then(
        (response) => response.ok,
        () => false,
      );
      const websocket = await new Promise((resolve) => {
        const socket = new WebSocket(`${url.replace("http", "ws")}/engine.io/?EIO=4&transport=websocket`);
        socket.onmessage = () => (socket.close(), resolve(true));
        socket.onerror = () => resolve(false);
      });
      const script = await new Promise((resolve) => {
        window.___eio = [() => resolve(true)];
        const element = document.createElement("script");
        element.src = `${url}/engine.io/?EIO=4&transport=polling&j=0`;
        element.onerror = () => resolve(false);
        document.head.append(element);
      });
      return { polling, websocket, script };
    }, url);
  assert.deepEqual(await attempts(open), { polling: true, websocket: true, script: true });
  assert.deepEqual(await attempts(strict), { polling: false, websocket: false, script: false });
  console.log("all as it should be");
} finally {
  await browser?.close();
  await rm(profile, { recursive: true, force: true });
}
