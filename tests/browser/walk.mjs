// Opens pages as people have them, wide and narrow, light and dark, and prints what is wrong with each.
//
//   node walk.mjs MODULES CHROMIUM SHOTS URL PATH...
//
// MODULES holds node_modules with playwright-core and axe-core; a picture of each view goes to SHOTS. The answer is one
// JSON object: "views" are the views opened, "tables" the cells of each page's tables by its path, "faults" what was found.
import { createRequire } from "node:module";
import { join } from "node:path";
import { readFileSync } from "node:fs";

const [modules, executablePath, shots, url, ...paths] = process.argv.slice(2);
const require = createRequire(join(modules, "walk.cjs"));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

const sizes = { wide: { width: 1280, height: 800 }, narrow: { width: 390, height: 844 } };
// far beyond what a page takes on a busy machine
const timeout = 120_000;
const faults = [];
const tables = {};
const views = [];

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"], timeout });
for (const [size, viewport] of Object.entries(sizes)) {
  for (const colorScheme of ["light", "dark"]) {
    const context = await browser.newContext({ viewport, colorScheme, bypassCSP: false });
    context.setDefaultTimeout(timeout);
    for (const path of paths) {
      const view = `${path} ${size} ${colorScheme}`;
      const fault = (text) => faults.push(`${view}: ${text}`);
      const page = await context.newPage();
      page.on("console", (message) => message.type() === "error" && fault(`console: ${message.text()}`));
      page.on("pageerror", (error) => fault(`script: ${error.message}`));
      page.on("requestfailed", (request) => fault(`failed: ${request.url()}`));
      page.on("request", (request) => request.url().startsWith(url) || fault(`left the host: ${request.url()}`));
      const answer = await page.goto(url + path, { waitUntil: "load" });
      if (answer.status() !== 200) fault(`status ${answer.status()}`);
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      if (beyond > 0) fault(`${beyond} pixels wider than the screen`);
      await page.screenshot({ path: join(shots, view.replaceAll(/[^a-z0-9]+/gi, "-") + ".png"), fullPage: true });
      tables[path] ??= await page.evaluate(() => {
        const cells = (row) => [...row.cells].map((cell) => cell.innerText);
        return [...document.querySelectorAll("table")].map((table) => [...table.rows].map(cells));
      });
      views.push(view);
      await page.close();
    }
    await context.close();
    // the checker is a script, which the pages' own policy forbids
    const checked = await browser.newContext({ viewport, colorScheme, bypassCSP: true });
    checked.setDefaultTimeout(timeout);
    for (const path of paths) {
      const page = await checked.newPage();
      await page.goto(url + path, { waitUntil: "load" });
      await page.evaluate(axe);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      for (const { id, help, nodes } of violations) {
        faults.push(`${path} ${size} ${colorScheme}: ${id}: ${help}: ${nodes[0].html.slice(0, 200)} (${nodes.length})`);
      }
      await page.close();
    }
    await checked.close();
  }
}
await browser.close();
process.stdout.write(JSON.stringify({ views, tables, faults }));
