// Opens a page in Chromium and prints, as JSON, what test_browser.py asserts. Arguments: the file, the browser, one view (all, and use).
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const [file, executablePath, only] = process.argv.slice(2);
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
const seen = { views: {} };

const open = async (options, asked = `file://${file}`) => {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const trouble = [];
  page.on("console", (message) => { if (["error", "warning"].includes(message.type())) trouble.push(message.text()); });
  page.on("pageerror", (error) => trouble.push(String(error)));
  page.on("request", (request) => { if (!request.url().startsWith("data:") && request.url() !== asked) trouble.push(request.url()); });
  await page.goto(asked);
  return { context, page, trouble };
};
const column = (page, table, place) =>
  page.$$eval(`.sortable`, (boxes, [table, place]) => [...boxes[table].querySelector("tbody").rows].map((row) => row.cells[place].textContent), [table, place]);
const directions = (page, table) =>
  page.$$eval(".sortable", (boxes, table) => [...boxes[table].querySelectorAll("th")].map((head) => head.getAttribute("aria-sort")), table);
const background = (page) => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);

for (const [name, colorScheme, width] of [["light", "light", 1280], ["dark", "dark", 1280], ["phone", "light", 390], ["dark phone", "dark", 390]]) {
  if (only && name !== only) continue;
  const { context, page, trouble } = await open({ colorScheme, viewport: { width, height: 800 } });
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  // The page's own policy refuses other scripts: axe comes in by the debugger, which it does not bind.
  await page.evaluate(axe);
  const found = await page.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  const bad = found.violations.filter((one) => ["serious", "critical"].includes(one.impact));
  seen.views[name] = {
    trouble,
    overflow: wide,
    violations: bad.map((one) => `${one.id}: ${one.nodes.map((node) => node.target).join(" ")}`),
    checked: found.passes.length,
    background: await background(page),
    scrolling: await page.$$eval(".scroll", (boxes) => boxes.filter((box) => box.scrollWidth > box.clientWidth).length),
    contents: await page.$eval("nav details", (one) => one.open),
  };
  await context.close();
}

if (!only) {
  const { context, page } = await open({ colorScheme: "light" });
  const click = (table, place) => page.locator(".sortable").nth(table).locator("th button").nth(place).click();
  const states = async (table, place) => ({ cells: await column(page, table, place), names: await column(page, table, 0), sort: await directions(page, table) });
  seen.clicked = [await states(0, 1)];
  for (let times = 0; times < 3; times++) { await click(0, 1); seen.clicked.push(await states(0, 1)); }
  await page.locator(".sortable").nth(0).locator("th button").nth(3).focus();
  await page.keyboard.press("Enter");
  seen.entered = await states(0, 3);
  await page.keyboard.press("Space");
  seen.spaced = await states(0, 3);
  await click(1, 2);
  seen.grouped = await states(1, 2);
  await click(1, 2);
  await click(1, 2);
  seen.ungrouped = await states(1, 2);

  const shown = () => page.$$eval(".sortable", ([box]) => [...box.querySelectorAll("tbody tr")].filter((row) => !row.hidden).map((row) => row.cells[0].textContent));
  await page.fill("#models", "lstm, forest");
  seen.filtered = [await shown()];
  await page.fill("#models", "");
  seen.filtered.push(await shown());
  seen.hover = await page.$eval("td.number[title]", (cell) => [cell.textContent, cell.title]);

  const before = await background(page);
  await page.locator("#theme").focus();
  await page.keyboard.press("Enter");
  seen.theme = { before, after: await background(page), pressed: await page.getAttribute("#theme", "aria-pressed") };
  await page.reload();
  seen.theme.again = await background(page);
  seen.theme.pressedAgain = await page.getAttribute("#theme", "aria-pressed");

  await page.emulateMedia({ media: "print" });
  seen.print = {
    background: await background(page),
    hidden: await page.$$eval(".bar, nav, .skip", (all) => all.every((one) => getComputedStyle(one).display === "none")),
    link: await page.$eval("main a", (one) => getComputedStyle(one).textDecorationLine),
    row: await page.$eval("tbody tr", (one) => getComputedStyle(one).breakInside),
  };
  await page.evaluate(() => dispatchEvent(new Event("beforeprint")));
  seen.print.open = await page.$eval("figure details", (one) => one.open);
  await page.evaluate(() => dispatchEvent(new Event("afterprint")));
  seen.print.closedAgain = !(await page.$eval("figure details", (one) => one.open));
  await context.close();
}
await browser.close();
console.log(JSON.stringify(seen));
