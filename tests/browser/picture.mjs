// Takes the picture of the four cuts and the verdicts above them.
//
//   node picture.mjs MODULES CHROMIUM FILE URL
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

const [modules, executablePath, path, url] = process.argv.slice(2);
const { chromium } = createRequire(join(resolve(modules), "picture.cjs"))("playwright-core");
const width = 1280;

const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const page = await browser.newPage({ viewport: { width, height: 800 }, colorScheme: "light" });
await page.goto(url, { waitUntil: "load" });
const [first, last] = await Promise.all([page.locator(".verdicts").boundingBox(), page.locator(".cuts figure").last().boundingBox()]);
const top = first.y - 16;
const clip = { x: 0, y: top, width, height: last.y + last.height + 16 - top };
await page.screenshot({ path, clip, fullPage: true });
await browser.close();
