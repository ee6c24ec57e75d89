// node chat.mjs URL PLAN [npm]: two visitors of the page of `sansocket serve` talk to each other, in two windows of a
// headless Chromium, on `polling`, `websocket` or `upgrade`; with `npm`, one of them through npm's socket.io-client.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { noteComplaints, withBrowser } from "./chromium.mjs";
import { report } from "./session.mjs";

const [url, plan = "upgrade", whose] = process.argv.slice(2);
const host = new URL(url).host;
const SHOWN = plan === "polling" ? "polling" : "WebSocket";
const query = new URLSearchParams(plan === "upgrade" ? {} : { transport: plan });
/** The smallest picture that there is: one pixel. */
const PNG = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

/** Serves npm's client as its own place does: to whatever page asks. */
async function serveClient() {
  const server = createServer(async (request, response) => {
    const file = new URL(`../node_modules/socket.io-client/dist/${request.url.slice(1)}`, import.meta.url);
    const headers = { "Content-Type": "text/javascript", "Access-Control-Allow-Origin": "*" };
    const content = await readFile(file).catch(() => null);
    response.writeHead(content ? 200 : 404, headers).end(content);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

/** Comes in, and is on the transport of the plan. */
async function join(page, name, more = {}) {
  await page.goto(`${url}/?${new URLSearchParams([...query, ...Object.entries(more)])}`);
  await page.fill("#name", name);
  await page.press("#name", "Enter");
  await page.waitForFunction((shown) => document.querySelector("#status").textContent === shown, SHOWN);
}

const text = (page, selector) => page.locator(selector).innerText();
const say = async (page, words) => {
  await page.fill("#text", words);
  await page.press("#text", "Enter");
};
/** Waits for words somewhere in the log, in a message that arrived and not in one's own. */
const heard = (page, words) =>
  page.waitForFunction(
    (words) => [...document.querySelectorAll("#log li:not(.mine)")].some((row) => row.textContent.includes(words)),
    words,
  );
/** Waits until nothing of one's own is on its way, and nothing was refused. */
const delivered = async (page) => {
  await page.waitForFunction(() => !document.querySelector("#log .pending"));
  assert.equal(await page.locator("#log .failed").count(), 0);
};
const noScroll = async (page) => {
  const [wanted, there] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
  assert.ok(wanted <= there, `the page is ${wanted} wide, the window ${there}`);
};

await withBrowser({ viewport: { width: 1000, height: 700 } }, async (browser) => {
  const npm = whose === "npm" ? await serveClient() : null;
  const [ann, ben] = [await browser.newPage(), await browser.newPage()];
  const client = npm && `http://127.0.0.1:${npm.address().port}`;
  const hosts = npm ? [host, new URL(client).host] : [host];
  const complaints = [ann, ben].map((page) => noteComplaints(page, hosts));
  try {
    await join(ann, "Ann", npm ? { client: `${client}/socket.io.esm.min.js` } : {});
    await join(ben, "Ben");

    // Who is here, and on what.
    for (const page of [ann, ben]) {
      await page.waitForFunction(
        (shown) => [...document.querySelectorAll("#people .transport")].map((on) => on.textContent).join() === `${shown},${shown}`,
        SHOWN,
      );
      assert.equal(await text(page, "#count"), "2");
    }
    await ann.waitForFunction(() => document.querySelector("#rooms").textContent === "lobby2");

    // A name that is taken.
    const eve = await browser.newPage();
    await eve.goto(`${url}/?${query}`);
    await eve.fill("#name", "ann");
    await eve.press("#name", "Enter");
    await eve.waitForFunction(() => document.querySelector("#refusal").textContent.includes("has that name"));
    await eve.close();

    // What one says is text, whatever it looks like.
    const markup = `<img src=x onerror="document.title='broken'"> & <b>bold</b>`;
    await ben.locator("#text").pressSequentially("one moment");
    await ann.waitForFunction(() => document.querySelector("#typing").textContent.includes("Ben is typing"));
    await say(ben, markup);
    await heard(ann, markup);
    await ann.waitForFunction(() => document.querySelector("#typing").textContent === "");
    assert.equal(await ann.locator("#log img, #log b").count(), 0);
    await say(ann, "I see \u{1F600}");
    await heard(ben, "I see \u{1F600}");

    // Files: a picture is shown, anything else is there to be saved, byte by byte.
    await ben.setInputFiles("#file", { name: "dot.png", mimeType: "image/png", buffer: PNG });
    await ann.waitForFunction(() => document.querySelector("#log .picture img")?.naturalWidth === 1);
    const svg = Buffer.from("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>");
    await ann.setInputFiles("#file", { name: "drawing.svg", mimeType: "image/svg+xml", buffer: svg });
    await ben.waitForSelector("#log .file");
    const [download] = await Promise.all([ben.waitForEvent("download"), ben.click("#log li:not(.mine) .file")]);
    assert.equal(download.suggestedFilename(), "drawing.svg");
    assert.deepEqual(await readFile(await download.path()), svg);
    const large = Buffer.alloc(700_000, 7);
    await ben.setInputFiles("#file", { name: "large.bin", mimeType: "", buffer: large });
    await heard(ann, "700.0 kB");
    await ben.setInputFiles("#file", { name: "larger.bin", mimeType: "", buffer: Buffer.alloc(1_000_000) });
    await ben.waitForFunction(() => document.querySelector("#log").textContent.includes("is too large"));
    for (const page of [ann, ben]) await delivered(page);

    // Another room, and back.
    await ben.fill("#room-name", "attic");
    await ben.press("#room-name", "Enter");
    await ben.waitForFunction(() => document.querySelector("#room").textContent === "attic");
    await heard(ann, "Ben went to another room");
    assert.equal(await text(ann, "#count"), "1");
    await ben.click("#rooms button:has-text('lobby')");
    await ann.waitForFunction(() => document.querySelector("#count").textContent === "2");

    // The same tab a second time: the newer one has the name, and the older one does not fight for it.
    const [twin] = await Promise.all([ann.waitForEvent("popup"), ann.evaluate(() => void open(location.href))]);
    await ann.waitForFunction(() => document.querySelector("#refusal").textContent.includes("another window"));
    await twin.waitForFunction(() => document.querySelector("#count").textContent === "2");
    await twin.close();
    await ben.waitForFunction(() => document.querySelector("#count").textContent === "1");
    await ann.press("#name", "Enter");
    await ann.waitForFunction(() => document.querySelector("#count").textContent === "2");

    // A phone.
    await ann.setViewportSize({ width: 360, height: 640 });
    await noScroll(ann);
    await say(ann, `${"a-long-word-".repeat(30)} from a phone`);
    await heard(ben, "from a phone");
    await noScroll(ann);
    await ann.click("#toggle");
    assert.ok(await ann.isVisible("#people"));
    await noScroll(ann);
    await ann.keyboard.press("Escape");
    assert.ok(!(await ann.isVisible("#people")));

    // The server goes away and comes back: names and rooms are as they were.
    const before = complaints.map((list) => list.length);
    await fetch(`${url}/__restart?down=300`);
    for (const page of [ann, ben]) await heard(page, "You are back");
    for (const page of [ann, ben]) {
      await page.waitForFunction(() => document.querySelector("#count").textContent === "2");
      await page.waitForFunction((shown) => document.querySelector("#status").textContent === shown, SHOWN);
    }
    await say(ann, "still here?");
    await heard(ben, "still here?");
    await delivered(ann);
    // That requests fail meanwhile is in the nature of it.
    const forgive = (list, from) => {
      const isOfTheNetwork = (line) => /ERR_CONNECTION|WebSocket connection|Failed to load resource/.test(line);
      list.push(...list.splice(from).filter((line) => !isOfTheNetwork(line)));
    };
    complaints.forEach((list, at) => forgive(list, before[at]));

    // A reload keeps the name; whoever leaves is gone for the others at once.
    await ben.reload();
    await ben.waitForFunction(() => document.querySelector("#count").textContent === "2");
    await ben.close();
    // (By polling, the request that waits may be cut off before the goodbye is read.)
    await ann.waitForFunction(() => document.querySelector("#count").textContent === "1");
    await ann.waitForFunction(() => /Ben (left|lost the connection)/.test(document.querySelector("#log").textContent));
    await ann.click("#toggle");
    await ann.click("#leave");
    await ann.waitForSelector("#door:not([hidden])");
    assert.equal(await ann.title(), "lobby · sansocket");
    // How npm's client goes away, and when it hears of what it has lost, is its own business.
    if (npm) forgive(complaints[0], before[0]);
    assert.deepEqual(complaints.flat(), []);
    report({ plan, client: whose ?? "ours" });
  } catch (error) {
    console.error(complaints.flat().join("\n"));
    for (const page of [ann, ben]) if (!page.isClosed()) console.error(await text(page, "body"));
    throw error;
  } finally {
    npm?.close();
  }
});
