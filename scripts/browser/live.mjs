// Stays with a live page in a real Chromium: for each line on standard input it does what the line says, and prints what
// the page then is. Lines: `look`, `until TEXT` (the page holds it), `click SELECTOR`, `shot PATH`.
//
//   node live.mjs MODULES URL        (MODULES: the folder that `npm ci` made, node_modules included)
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { resolve } from "node:path";

const [modules, url] = process.argv.slice(2);
const require = createRequire(resolve(modules, "package.json"));
const { chromium } = require("playwright-core");

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-gpu",
         ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
});
try {
  const page = await (await browser.newContext({ viewport: { width: 1000, height: 800 } })).newPage();
  const seen = { console: [], errors: [], requests: [] };
  page.on("console", (message) => seen.console.push(`${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("request", (request) => seen.requests.push(request.url()));
  await page.goto(url, { waitUntil: "load" });
  for await (const line of createInterface({ input: process.stdin })) {
    const [what, ...rest] = line.split(" "), words = rest.join(" ");
    if (what === "click") await page.click(words);
    if (what === "shot") await page.screenshot({ path: words, fullPage: true });
    if (what === "until") await page.waitForFunction((text) => document.body.innerText.includes(text), words, { timeout: 30000 });
    const facts = await page.evaluate(() => ({
      text: document.body.innerText,
      note: document.getElementById("live").textContent,
      picked: [...document.querySelectorAll("input:checked")].map((one) => one.id),
      shown: [...document.querySelectorAll("figure.map")].filter((one) => one.getClientRects().length).map((one) => one.className),
      opened: [...document.querySelectorAll("details[open]")].map((one) => one.id),
      sections: [...document.querySelectorAll("main > section")].map((one) => one.id),
      scrolled: window.scrollY,
      kept: [...document.querySelectorAll("section")].filter((one) => one.mark).map((one) => one.id),
    }));
    await page.evaluate(() => { for (const one of document.querySelectorAll("section")) one.mark = true; });
    console.log(JSON.stringify({ ...seen, ...facts }));
  }
} finally {
  await browser.close();
}
