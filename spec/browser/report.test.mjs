// The page of `palenca report`: opened without a request, readable at each width, on one sheet.
import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { program, staged } from "./support.mjs";

const lastDay = Date.UTC(2026, 10, 28);

// Two years of days on two platforms, with days off, an adjustment and days without an amount.
function rows(days) {
  const list = [];
  for (let ago = days - 1; ago >= 0; ago -= 1) {
    const day = new Date(lastDay - ago * 86400000).toISOString().slice(0, 10);
    const amount = ago % 7 === 0 ? 0 : 400 + (ago * 37) % 300;
    list.push({ earning_date: day, amount: ago === 40 ? null : amount, currency: "mxn",
      platform: ago % 3 === 0 ? "rappi" : "uber", account: ago % 3 === 0 ? "rappi-1" : "uber-1" });
  }
  return list.map((row) => JSON.stringify(row)).join("\n");
}

for (const [name, days, language] of [["long", 730, "es"], ["usual", 60, "pt"], ["short", 3, "en"]]) {
  test(`a ${name} history makes no request and prints on one sheet`, staged(async (stage) => {
    const path = stage.file("report.html");
    await stage.run(program, ["report", "--rows", stage.file("rows.jsonl", rows(days)), "--as-of",
      "2026-11-28", "--lang", language, "--rule", stage.file("rule.lua", "return { version = 'r' }"),
      "--installment", "2500", "-o", path]);
    const url = `${await stage.site(readFileSync(path))}/`, requests = [];
    const page = await stage.page();
    page.on("request", (request) => requests.push(request.url()));
    for (const width of [375, 1280]) {
      await page.setViewportSize({ width, height: 900 });
      await page.goto(url);
      const wide = await page.$$eval("body *", (nodes) => nodes
        .filter((node) => node.getBoundingClientRect().right > window.innerWidth + 1
          || (node.children.length === 0 && node.scrollWidth > node.clientWidth + 1
            && getComputedStyle(node).display !== "inline"))
        .map((node) => `${node.tagName} ${node.textContent.slice(0, 40)}`));
      assert.deepEqual(wide, []);
      const cut = await page.$$eval("svg text", (nodes) => nodes.filter((node) => {
        const box = node.getBBox(), view = node.ownerSVGElement.viewBox.baseVal;
        return box.x < 0 || box.x + box.width > view.width || box.y + box.height > view.height;
      }).map((node) => node.textContent));
      assert.deepEqual(cut, []);
      const crossing = await page.$$eval("svg", (pictures) => pictures.flatMap((picture) => {
        const names = [...picture.querySelectorAll(".name")].map((node) => node.getBBox());
        return names.slice(1).filter((box, at) => box.x < names[at].x + names[at].width);
      }));
      assert.equal(crossing.length, 0);
    }
    assert.deepEqual(new Set(requests), new Set([url]));
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).maxWidth), "960px");
    const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
    assert.equal(pdf.match(/\/Type\s*\/Page\b/g).length, 1);
  }));
}
