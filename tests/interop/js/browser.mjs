// node browser.mjs URL SCREENSHOT: a headless Chromium opens the page of `sansocket serve`, is upgraded,
// and its visitor's own message comes back.
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";
import { report } from "./session.mjs";

const PATIENCE_MS = 20_000;
const [url, screenshot] = process.argv.slice(2);
const profile = await mkdtemp(join(tmpdir(), "sansocket-browser-"));
const complaints = [];
let browser;
try {
  browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    timeout: PATIENCE_MS,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
  browser.setDefaultTimeout(PATIENCE_MS);
  const page = await browser.newPage();
  page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
  page.on("console", (line) => {
    if (line.type() === "error") complaints.push(`console: ${line.text()}`);
  });
  page.on("requestfailed", (request) => {
    complaints.push(`failed: ${request.url()} ${request.failure()?.errorText}`);
  });
  const elsewhere = [];
  const noteForeign = (address) => {
    if (/^(https?|wss?):/.test(address) && new URL(address).host !== new URL(url).host) {
      elsewhere.push(address);
    }
  };
  page.on("request", (request) => noteForeign(request.url()));
  page.on("websocket", (socket) => noteForeign(socket.url()));

  await page.goto(url);
  await page.waitForFunction(() => document.title === "sansocket: websocket");
  assert.match(await page.locator("#transport").innerText(), /websocket/i);

  const words = "hello from Chromium \u{1F600}";
  const before = (await page.locator("#log").innerText()).split(words).length - 1;
  await page.fill("#say #text", words);
  await page.press("#say #text", "Enter");
  // At least once: a page may also show what was sent beside what came back.
  await page.waitForFunction(
    ([text, seen]) => document.querySelector("#log").innerText.split(text).length - 1 > seen,
    [words, before],
  );
  await page.waitForFunction(() => /\d/.test(document.querySelector("#rtt").innerText));

  await page.screenshot({ path: screenshot, fullPage: true });
  assert.deepEqual(elsewhere, [], "the page asked another server for something");
  assert.deepEqual(complaints, [], "the browser complained");
  report({
    transport: await page.locator("#transport").innerText(),
    rtt: await page.locator("#rtt").innerText(),
    screenshot,
  });
} catch (error) {
  console.error(complaints.join("\n"));
  throw error;
} finally {
  await browser?.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
}
