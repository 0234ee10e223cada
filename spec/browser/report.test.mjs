// The page of `palenca report`: opened without a request, readable at each width, on one sheet.
import { test } from "node:test";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { assertChecked } from "./page_checks.mjs";
import { key, post, program, staged } from "./support.mjs";

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
    await assertChecked(page, name);
    await page.setViewportSize({ width: 1280, height: 900 });
    assert.deepEqual(new Set(requests), new Set([url]));
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).maxWidth), "960px");
    const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
    assert.equal(pdf.match(/\/Type\s*\/Page\b/g).length, 1);
  }));
}

// A page of the API's accounts, in one of the languages.
async function reportOf(stage, url, accounts, language) {
  const path = stage.file("report.html");
  await stage.run(program, ["report", ...accounts, "--one-person", "--lang", language, "-o", path],
    { PALENCA_API_KEY: key, PALENCA_BASE_URL: url });
  return `${await stage.site(readFileSync(path))}/`;
}

test("reports of one person and of several are checked, and print on one sheet",
  staged(async (stage) => {
    const { url } = await stage.sandbox();
    const accounts = {};
    for (const [name, login] of Object.entries({
      uber: { platform: "uber", country: "mx" }, rappi: { platform: "rappi", country: "mx" },
      food: { platform: "didi_food", country: "co", pattern: "nulls" },
      again: { platform: "uber", country: "mx", pattern: "declining" },
      own: { external_id: "uber", platform: "rappi", country: "mx" },
      failed: { identifier: "didi+invalid_credentials@palenca-tests.com" },
    })) {
      accounts[name] = (await post(`${url}/sandbox/logins`, { external_id: name, ...login }))
        .account_id;
    }
    const { uber, rappi, food, again, own, failed } = accounts;
    const page = await stage.page();
    for (const [name, list, language, people, title] of [
      ["one", [uber], "es", 1], ["two accounts", [own, uber, failed], "es", 1],
      ["a failed login", [failed], "en", 0], ["unknown amounts", [food], "pt", 1],
      ["three", [uber, again, rappi], "es", 3, "Las cuentas nombran a 3 personas"],
      ["two currencies", [uber, food], "en", 2, "The accounts name 2 people"],
    ]) {
      await page.goto(await reportOf(stage, url, list, language));
      const texts = (selector) => page.$$eval(selector, (nodes) => nodes.map((node) =>
        node.textContent));
      await assertChecked(page, name);
      // nobody takes the income of several for one person's
      assert.deepEqual(await texts(".outcome b"), title ? [title] : []);
      assert.equal(await page.locator("th.person").count(), people);
      assert.equal(new Set(await texts("th.person")).size, people);
      if (name === "three") {
        assert.deepEqual((await texts(".accounts tr:not(.heading) th"))
          .map((text) => text.replace(/\d{4}-\d\d-\d\d/, "X")),
          ["Rappi", "Uber", "Uber", "Total de Uber desde el X"]);
        assert.equal(await page.locator(".accounts td > div").count(), 3);
      }
      if (name === "two accounts") {
        assert.deepEqual(await page.$$eval(".accounts tr", (rows) => rows.slice(1).map((row) =>
          [row.cells[0].textContent, row.cells[1].textContent, row.cells[2].textContent])),
        [["DiDi", failed, ""], ["Rappi", own, "repartidor"], ["Uber", uber, "conductor"]]);
      }
      // what is not known is no chart without bars
      const isMixed = name === "two currencies";
      assert.equal(await page.locator("svg").count(), isMixed || people === 0 ? 0 : 2);
      assert.deepEqual(await texts(".currencies th"), isMixed ? ["COP", "MXN"] : []);
      const marks = (await texts("svg text")).filter((text) => text === "?").length;
      assert.equal(marks > 0, name === "unknown amounts", name);
      const pdf = (await page.pdf({ preferCSSPageSize: true })).toString("latin1");
      assert.equal(pdf.match(/\/Type\s*\/Page\b/g).length, 1, name);
    }
  }));
