// Makes docs/chat.png: three people in the chat of `sansocket serve`, on a desk and on a phone.
//
//   cargo build --release --features cli && tests/interop/setup.sh node && tests/interop/setup.sh chromium
//   node docs/screenshot/chat.mjs
//
// SANSOCKET_PROGRAM names another build of the program, CHROMIUM another browser.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { withBrowser } from "../../tests/interop/js/chromium.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const program = process.env.SANSOCKET_PROGRAM ?? here("../../target/release/sansocket");
const output = process.argv[2] ?? here("../chat.png");
const DESK = { width: 830, height: 680 };
const PHONE = { width: 360, height: 620 };

const server = spawn(program, ["serve", "--addr", "127.0.0.1:0"], { stdio: ["ignore", "pipe", "inherit"] });
try {
  const [line] = await once(server.stdout, "data");
  const url = String(line).trim().replace("listening on ", "");
  const options = { viewport: DESK, colorScheme: "light", locale: "en-GB", reducedMotion: "reduce" };
  await withBrowser(options, async (browser) => {
    const come = async (name, query = "") => {
      const page = await browser.newPage();
      await page.goto(`${url}/${query}`);
      await page.fill("#name", name);
      await page.press("#name", "Enter");
      await page.waitForSelector("#status[data-on]");
      return page;
    };
    const say = async (page, words) => {
      await page.fill("#text", words);
      await page.press("#text", "Enter");
      await page.waitForFunction(() => !document.querySelector("#log .pending"));
    };
    const ann = await come("Ann");
    const ben = await come("Ben Okafor", "?transport=polling");
    const cleo = await come("Cléo");
    await ann.waitForFunction(() => document.querySelectorAll("#people [data-on=websocket]").length === 2);
    await say(ben, "Morning from the train. No WebSocket gets through this proxy.");
    await say(ann, "Polling carries you just fine: you are the one in amber.");
    await say(cleo, "The view from here");
    await cleo.setInputFiles("#file", { name: "ridge.png", mimeType: "image/png", buffer: await ridge(cleo) });
    await ann.waitForFunction(() => document.querySelector("#log .picture img")?.naturalWidth > 0);
    await say(ann, "Oh!");
    await ben.locator("#text").pressSequentially("wish I were there");
    await ann.waitForFunction(() => document.querySelector("#typing").textContent !== "");
    await ben.setViewportSize(PHONE);
    await ben.emulateMedia({ colorScheme: "dark" });
    // For the picture only: nobody's caret, and the end of the log.
    const still = (page) => page.evaluate(() => {
      document.activeElement.blur();
      document.querySelector("#log").scrollTop = 1e9;
    });
    await still(ann);
    await still(ben);
    const pictures = [await ann.screenshot(), await ben.screenshot()];
    await beside(browser, pictures);
  });
} finally {
  server.kill();
}

/** A picture of mountains, so that there is something to look at. */
async function ridge(page) {
  return Buffer.from(await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 480, height: 240 });
    const paint = canvas.getContext("2d");
    const fill = (colour, draw) => {
      paint.fillStyle = colour;
      paint.beginPath();
      draw();
      paint.fill();
    };
    const mountains = (...points) => () => points.forEach(([x, y]) => paint.lineTo(x, y));
    // Bands and no gradient: the picture is to be small.
    ["#f7c59f", "#f5b492", "#f2a186", "#ee8d7c", "#dd7a7a"].forEach((band, at) => fill(band, () => paint.rect(0, at * 48, 480, 48)));
    fill("#fff3d6", () => paint.arc(330, 120, 30, 0, 7));
    fill("#5a477f", mountains([0, 240], [0, 190], [120, 130], [230, 190], [340, 140], [480, 200], [480, 240]));
    fill("#33285a", mountains([0, 240], [0, 170], [90, 200], [210, 150], [330, 215], [430, 180], [480, 205], [480, 240]));
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    return [...new Uint8Array(await blob.arrayBuffer())];
  }));
}

/** Both in one picture, the phone a little in front. */
async function beside(browser, pictures) {
  const page = await browser.newPage();
  await page.setViewportSize({ width: 1250, height: 736 });
  const [desk, phone] = pictures.map((bytes) => `data:image/png;base64,${bytes.toString("base64")}`);
  await page.setContent(`<style>
      body { margin: 0; height: 736px; position: relative; background: #dcdfe9; }
      img { position: absolute; box-shadow: 0 18px 40px -12px #1d204055; }
      .desk { left: 28px; top: 28px; border-radius: 14px; }
      .phone { right: 28px; top: 51px; border-radius: 26px; border: 7px solid #15171c; }
    </style><img class="desk" src="${desk}"><img class="phone" src="${phone}">`);
  await page.screenshot({ path: output });
}
