// node browser.mjs PAGE OPEN STRICT SECURE_PAGE SECURE: a headless Chromium shows a page of PAGE, whose scripts talk to OPEN,
// which lets that origin in, and to STRICT, which does not. SECURE_PAGE and SECURE are ports with TLS, the
// second of which lets in pages of the first.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { chromium } = createRequire(new URL("../interop/", import.meta.url))("playwright-core");
const [pageUrl, open, strict, pagePort, securePort] = process.argv.slice(2);
const profile = await mkdtemp(join(tmpdir(), "sansocket-browser-"));
let browser;
try {
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    timeout: 20_000,
    // Nobody vouches for the servers with TLS.
    ignoreHTTPSErrors: true,
    // Hosts of one site.
    args: ["--host-resolver-rules=MAP *.example.com 127.0.0.1", "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"],
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
  const unchanged = await page.evaluate(async () => {
    const { headers } = await fetch("/static/app.js");
    const conditions = [{ "If-None-Match": headers.get("etag") }, { "If-Modified-Since": headers.get("last-modified") }];
    const answers = conditions.map((headers) => fetch("/static/app.js", { headers }).then(({ status }) => status));
    return Promise.all(answers);
  });
  assert.deepEqual(unchanged, [304, 304]);

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

  // The client of version 3, which sends and takes bytes by polling as no client in Node does, and by JSONP.
  await page.addScriptTag({ url: "/eio3.js" });
  const old = await page.evaluate(async (url) => {
    const talk = (options) =>
      new Promise((resolve, reject) => {
        const socket = window.eio(url, { path: "/engine.io/", ...options });
        socket.binaryType = "arraybuffer";
        const got = [];
        socket.on("open", () => {
          socket.send("text \u{1F600} \u20ac");
          socket.send(new Uint8Array([0, 4, 255, 98]).buffer);
          socket.send("the end");
        });
        socket.on("message", (message) => {
          got.push(typeof message === "string" ? message : [...new Uint8Array(message)]);
          if (got.length === 3) socket.close();
        });
        socket.on("close", (reason) => (got.length === 3 ? resolve(got) : reject(new Error(reason))));
      });
    const polling = await talk({ transports: ["polling"] });
    const jsonp = await talk({ transports: ["polling"], forceJSONP: true });
    return [polling, jsonp, await talk({ transports: ["websocket"] }), await talk({})];
  }, open);
  for (const got of old) assert.deepEqual(got, ["text \u{1F600} \u20ac", [0, 4, 255, 98], "the end"]);

  // With TLS, from a page of another host of the same site, and then of another site.
  const secure = `https://chat.example.com:${securePort}`;
  const session = () =>
    page.evaluate(async (url) => {
      const target = `${url}/engine.io/?EIO=4&transport=polling`;
      const opened = await (await fetch(target, { credentials: "include" })).text();
      const ask = { method: "POST", credentials: "include" };
      const { sid } = JSON.parse(opened.slice(1));
      const said = await fetch(`${target}&sid=${sid}`, { ...ask, body: "4hello" }).then((r) => r.text());
      const heard = await fetch(`${target}&sid=${sid}`, { credentials: "include" }).then((r) => r.text());
      await fetch(`${target}&sid=${sid}`, { ...ask, body: "1" });
      return { sid, said, heard };
    }, secure);
  for (const [host, keeps] of [
    ["app.example.com", true],
    ["localhost", false],
  ]) {
    await browser.clearCookies();
    await page.goto(`https://${host}:${pagePort}/`);
    const { sid, said, heard } = await session();
    assert.deepEqual([said, heard], ["ok", "4hello"]);
    // Whether it is kept, and comes along with what follows. A cookie that is Lax is not another site's business.
    const cookies = (await browser.cookies(secure)).map((c) => [c.name, c.value, c.secure, c.httpOnly, c.sameSite]);
    assert.deepEqual(cookies, keeps ? [["io", sid, true, true, "Lax"]] : [], host);
    const poll = responses.findLast((r) => r.url().includes(sid) && r.request().method() === "GET");
    const { cookie } = await poll.request().allHeaders();
    assert.equal(cookie, keeps ? `io=${sid}` : undefined, host);
    assert.deepEqual(await attempts(secure), { polling: true, websocket: true, script: true });
  }
  console.log("all as it should be");
} finally {
  await browser?.close();
  await rm(profile, { recursive: true, force: true });
}
