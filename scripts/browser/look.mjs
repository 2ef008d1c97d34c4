// Looks at a page in a real Chromium: wide, narrow, dark, both, and as it is printed. Says what it asked for, what it
// complained of, what axe finds fault with, and whether it is wider than the screen; takes a picture of each.
//
//   node look.mjs MODULES URL FOLDER        (MODULES: the folder that `npm ci` made, node_modules included)
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const [modules, url, folder] = process.argv.slice(2);
const require = createRequire(resolve(modules, "package.json"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const VIEWS = {
  wide: { viewport: { width: 1280, height: 900 }, colorScheme: "light" },
  narrow: { viewport: { width: 360, height: 740 }, colorScheme: "light" },
  dark: { viewport: { width: 1280, height: 900 }, colorScheme: "dark" },
  "dark-narrow": { viewport: { width: 360, height: 740 }, colorScheme: "dark" },
  printed: { viewport: { width: 794, height: 1123 }, colorScheme: "light", media: "print" },
};

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  // Whatever a page asks for elsewhere fails, and is told of.
  args: ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--disable-gpu",
         ...(process.getuid() === 0 ? ["--no-sandbox"] : [])],
});
const told = { version: browser.version(), views: {} };
try {
  for (const [name, { media, ...view }] of Object.entries(VIEWS)) {
    const context = await browser.newContext(view);
    const page = await context.newPage();
    const seen = { console: [], errors: [], dialogs: [], requests: [] };
    page.on("console", (message) => seen.console.push(`${message.type()}: ${message.text()}`));
    page.on("pageerror", (error) => seen.errors.push(String(error)));
    page.on("dialog", (dialog) => { seen.dialogs.push(dialog.message()); return dialog.dismiss(); });
    page.on("request", (request) => seen.requests.push(request.url()));
    await page.goto(url, { waitUntil: "load" });
    if (media) await page.emulateMedia({ media });
    await page.evaluate(() => { for (const one of document.querySelectorAll("details")) one.open = true; });
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
    const facts = await page.evaluate(() => ({
      title: document.title,
      scripts: document.scripts.length,
      handlers: [...document.querySelectorAll("*")].flatMap((e) => [...e.attributes].map((a) => a.name)).filter((n) => n.startsWith("on")),
      wider: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      charts: [...document.querySelectorAll("svg[role=img], img")].map((e) => e.getAttribute("aria-label") || e.alt || ""),
      tables: [...document.querySelectorAll("table")].map((e) => (e.caption ? e.caption.textContent : "")),
      headings: [...document.querySelectorAll("h1,h2,h3")].map((e) => `${e.tagName} ${e.textContent}`),
      text: document.body.innerText,
    }));
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run(document, { preload: false, resultTypes: ["violations", "incomplete"] }));
    const brief = (rules) => rules.map((r) => ({
      id: r.id, impact: r.impact, help: r.help, nodes: r.nodes.slice(0, 3).map((n) => `${n.html.slice(0, 200)} ${n.failureSummary || ""}`),
    }));
    told.views[name] = { ...seen, ...facts, violations: brief(found.violations), incomplete: brief(found.incomplete), passes: found.passes.map((r) => r.id) };
    await context.close();
  }
} finally {
  await browser.close();
}
console.log(JSON.stringify(told));
