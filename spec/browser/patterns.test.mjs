// Workers of each pattern in the console: simulated there, and shown with the outcome that a lender
// comes to and its reasons. SPEC_PATTERN_SCREENSHOTS=DIRECTORY leaves a picture of each there.
import { test } from "node:test";
import assert from "node:assert/strict";
import { join } from "node:path";
import { assertFits, by, get, post, staged, until } from "./support.mjs";

const expected = {
  steady: ["approve"],
  declining: ["refer", "declining_income"],
  seasonal: ["approve"],
  stopped: ["decline", "no_recent_income"],
  irregular: ["decline", "irregular_income"],
  new: ["undecidable", "insufficient_history"],
  duplicate_rows: ["approve"],
  nulls: ["undecidable", "unknown_amounts"],
};

const warnings = ["fleet_account", "id_mismatch", "incomplete_profile_data", "rider_account"];

const pictures = process.env.SPEC_PATTERN_SCREENSHOTS;

async function picture(page, name) {
  if (pictures) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
}

const value = (page, testid) => page.getAttribute(by(testid), "data-value");

const codes = (page, testid) => page.$$eval(by(testid), (nodes) => nodes.map((node) =>
  node.textContent));

async function simulate(page, url, given) {
  await page.goto("about:blank");
  await page.goto(`${url}/console`);
  await page.waitForSelector(by("simulate"));
  for (const [name, word] of Object.entries(given)) {
    await page.selectOption(`[name="${name}"]`, word);
  }
  await page.click(by("simulate"));
  await page.waitForSelector(by("verdict"));
  await page.waitForSelector(`${by("chart-bar")}, ${by("chart-unknown")}`);
}

async function checkPanel(page, name) {
  const [outcome, reason] = expected[name];
  assert.equal(await page.getAttribute(by("verdict"), "data-outcome"), outcome, name);
  const reasons = await codes(page, "reason");
  assert.deepEqual([reasons.length > 0, reasons.includes(reason)],
    [reason !== undefined, reason !== undefined], `${name}: ${reasons}`);
  assert.ok((await page.textContent(by("for-analyst"))).length > 20);
  const copies = await page.$$(by("identical-rows"));
  assert.equal(copies.length, name === "duplicate_rows" ? 1 : 0);
  assert.equal(await page.locator(by("chart-unknown")).count() > 0, name === "nulls");
  assert.equal((await codes(page, "problem")).join(), name === "nulls" ? "unknown_amounts" : "");
}

test("a login of each pattern shows its outcome and the reasons", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const { patterns } = await get(`${url}/sandbox/overview`);
  assert.deepEqual(patterns, Object.keys(expected).sort());
  const page = await stage.page();
  for (const name of patterns) {
    await simulate(page, url, { pattern: name });
    await checkPanel(page, name);
    assert.match(await page.textContent("main"), new RegExp(`Pattern${name}`));
    // the days that are averaged lie within the chart, by day, week and month
    for (const unit of ["month", "week", "day"]) {
      const choice = page.locator(by(`chart-${unit}`));
      if (await choice.count() === 0) {
        assert.equal(unit, "week");
        continue;
      }
      await choice.check();
      const [inner, outer] = await page.$eval(by("chart-window"), (node) =>
        [node.getBoundingClientRect(), node.ownerSVGElement.getBoundingClientRect()]);
      assert.ok(inner.width > 0 && inner.left >= outer.left && inner.right <= outer.right + 1,
        `${name} ${unit}`);
    }
  }
}));

test("the pictures of the patterns fit a desk and a phone, by day and by night",
  staged(async (stage) => {
    const { url } = await stage.sandbox();
    const ids = [];
    for (const name of ["steady", "declining", "stopped", "nulls", "new"]) {
      ids.push([name, (await post(`${url}/sandbox/logins`, { platform: "didi", pattern: name }))
        .login_id]);
    }
    const page = await stage.page();
    async function inAllForms(name) {
      for (const width of [1280, 375]) {
        await page.setViewportSize({ width, height: 900 });
        for (const colorScheme of ["light", "dark"]) {
          await page.emulateMedia({ colorScheme });
          await assertFits(page, width);
          await picture(page, `${name}-${width}-${colorScheme}`);
        }
      }
    }
    for (const [name, id] of ids) {
      await page.goto("about:blank");
      await page.goto(`${url}/console#/logins/${id}`);
      await page.waitForSelector(`${by("chart-bar")}, ${by("chart-unknown")}`);
      await inAllForms(name);
    }
    await page.goto("about:blank");
    await page.goto(`${url}/console`);
    await page.waitForSelector(by("simulate"));
    await inAllForms("start");
  }));

test("an account with a warning is undecidable, whatever it earns", staged(async (stage) => {
  const { url } = await stage.sandbox();
  assert.deepEqual((await get(`${url}/sandbox/overview`)).warnings, warnings);
  const page = await stage.page();
  for (const warning of warnings) {
    await simulate(page, url, { warning, platform: "rappi" });
    assert.equal(await page.getAttribute(by("verdict"), "data-outcome"), "undecidable");
    assert.deepEqual(await codes(page, "problem"), [`account_warning:${warning}`]);
    assert.ok(await value(page, "income-monthly_income"));
  }
}));

test("a partial month is marked in table and chart", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page();
  // from the tenth of a month
  const [now, day] = [new Date(), 86400000];
  const days = Math.floor(now / day)
    - Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - 4, 10) / day;
  await page.goto(`${url}/console`);
  await page.fill(by("simulate-days"), String(days));
  await page.click(by("simulate"));
  await page.waitForSelector(by("chart-bar"));
  const rows = await page.$$eval(by("month-row"), (nodes) => nodes.map((node) =>
    [node.dataset.partial === "true", node.children[1].textContent.endsWith("*")]));
  assert.equal(rows.at(-1)[0], true);
  for (const [isPartial, isMarked] of rows) assert.equal(isMarked, isPartial);
  await page.check(by("chart-month"));
  assert.deepEqual(await page.$$eval(by("chart-bar"), (nodes) => nodes.map((node) =>
    node.dataset.partial === "true")), rows.map(([isPartial]) => isPartial).reverse());
  await page.hover(by("chart-bar", " >> nth=0"));
  await until(page, () => /part of the month/.test(document.querySelector(".tip").textContent));
}));

test("a login that fails leaves no warning, and the form says so", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page();
  await page.goto(`${url}/console`);
  await page.selectOption('[name="case"]', "banned");
  await page.selectOption('[name="warning"]', "id_mismatch");
  await page.click(by("simulate"));
  await until(page, () => /leaves no warning/.test(document.querySelector('[name="warning"]')
    .closest(".field").querySelector(".problem").textContent));
  stage.expectProblem(/422/);
  await page.selectOption('[name="warning"]', "");
  await page.click(by("simulate"));
  await page.waitForSelector("text=This login has failed");
}));
