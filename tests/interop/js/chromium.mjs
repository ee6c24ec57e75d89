// A headless Chromium, and pages whose complaints are noted.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

export const PATIENCE_MS = 20_000;

/**
 * Starts a browser with the options of Playwright's contexts (viewport, colorScheme, …), gives it to `use`, and ends it
 * whatever becomes of that.
 */
export async function withBrowser(options, use) {
  const profile = await mkdtemp(join(tmpdir(), "sansocket-browser-"));
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
      ...options,
    });
    browser.setDefaultTimeout(PATIENCE_MS);
    return await use(browser);
  } finally {
    await browser?.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** What a page should not do: fail, log an error, or ask another server than those of `hosts` for anything. */
export function noteComplaints(page, hosts) {
  const complaints = [];
  const noteForeign = (address) => {
    if (/^(https?|wss?):/.test(address) && !hosts.includes(new URL(address).host)) {
      complaints.push(`another server was asked: ${address}`);
    }
  };
  page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
  page.on("console", (line) => {
    if (line.type() === "error" || line.type() === "warning") complaints.push(`console: ${line.text()}`);
  });
  page.on("request", (request) => noteForeign(request.url()));
  page.on("websocket", (socket) => noteForeign(socket.url()));
  return complaints;
}
