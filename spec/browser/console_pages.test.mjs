// The console's pages as a designer sees them: nothing is cut, faint or out of reach; names, times,
// tables and the chart.
import { test } from "node:test";
import assert from "node:assert/strict";
import { open, pages, scene, textOf } from "./console_scene.mjs";
import { clipping, contrast, focusOrder } from "./page_checks.mjs";
import { by, get, post } from "./support.mjs";

const phone = { viewport: { width: 375, height: 700 } };

// A table that has to be scrolled sideways hides what it is for.
const wideTables = (page) => page.$$eval(".scroll", (nodes) => nodes
  .filter((node) => node.scrollWidth > node.clientWidth + 1)
  .map((node) => `${node.textContent.slice(0, 60)}: ${node.scrollWidth} of ${node.clientWidth}`));

const brightness = (color) => color.match(/\d+/g).slice(0, 3).reduce((sum, part) =>
  sum + Number(part), 0);

async function assertScheme(page, colorScheme) {
  const [paper, ink] = await page.$eval(".card", (card) => [getComputedStyle(card).backgroundColor,
    getComputedStyle(card).color]);
  assert.equal(brightness(paper) > brightness(ink), colorScheme === "light");
}

// Where two columns stand side by side, so that the order of the focus is another one on a desk.
const inColumns = new Set(["start", "wrong fault", "short"]);

// What has the stops of another page, so that it is not walked through as well.
const alike = new Set(["faults", "cop", "nulls", "none", "imss", "incomplete", "nothing found",
  "wrong webhook"]);

test("every page of the console passes the mechanical checks", async () => {
  const all = await scene();
  const page = await all.stage.page();
  for (const [name, url, view, act] of pages(all)) {
    await page.setViewportSize(phone.viewport);
    await open(page, url, view);
    await act?.(page);
    for (const [width, colorScheme] of [[375, "light"], [1280, "dark"]]) {
      await page.setViewportSize({ width, height: 800 });
      await page.emulateMedia({ colorScheme });
      assert.deepEqual(await wideTables(page), [], name);
      const found = [...await clipping(page), ...await contrast(page)];
      if (url === all.full.url && !alike.has(name) && (width === 375 || inColumns.has(name))) {
        found.push(...await focusOrder(page));
      }
      assert.deepEqual(found, [], `${name} at ${width}, ${colorScheme}`);
      await assertScheme(page, colorScheme);
    }
  }
});

test("all tabs stay visible on a phone, in one row", async () => {
  const { stage, full } = await scene();
  const page = await stage.page(phone);
  for (const view of ["start", "faults"]) {
    await open(page, full.url, view);
    const boxes = await page.$$eval("#nav a", (nodes) => nodes.map((node) => {
      const { left, right, top, height } = node.getBoundingClientRect();
      return { left, right, top, height };
    }));
    assert.equal(boxes.length, 6);
    assert.equal(new Set(boxes.map((box) => box.top)).size, 1);
    for (const box of boxes) {
      assert.ok(box.left >= 0 && box.right <= 375 && box.height >= 44, JSON.stringify(box));
    }
  }
});

test("platforms have their names, and never their ids", async () => {
  const { stage, full } = await scene();
  const page = await stage.page();
  for (const [view, wanted] of [["start", "DiDi Food"], ["logins", "DiDi Food"],
    ["deliveries", "DiDi Food"], ["requests", "99"], [`logins/${full.ids.steady}`, "Login to 99"],
    [`deliveries/${full.ids.delivery}`, "Rappi"], [`requests/${full.ids.request}`, "99"]]) {
    await open(page, full.url, view);
    const text = await textOf(page, "main");
    assert.ok(text.includes(wanted), `${view}: ${wanted}`);
    assert.doesNotMatch(text, /noventa_nove|didi_food|\bdidi\b/, view);
    const offered = await page.$$eval('select[name="platform"] option', (nodes) => nodes.map((node) =>
      node.textContent));
    assert.ok(offered.length === 0 || (offered.includes("99") && !offered.includes("didi_food")));
  }
});

test("times are relative to the sandbox's clock, with the exact one at hand", async () => {
  const { stage } = await scene();
  const { url } = await stage.sandbox();
  await post(`${url}/sandbox/logins`, { platform: "uber" });
  const page = await stage.page(phone);
  await open(page, url, "logins");
  const time = by("login-row", " >> nth=0") + " >> time";
  assert.match(await page.textContent(time), /^(just now|\d+ s ago)$/);
  assert.match(await page.getAttribute(time, "title"), /\d:\d\d:\d\d/);
  await post(`${url}/sandbox/clock`, { advance: 2 * 3600 });
  await open(page, url, "logins");
  assert.equal(await page.textContent(time), "2 h ago");
});

test("long tables show their first rows, and how many they are", async () => {
  const { stage, full } = await scene();
  const page = await stage.page(phone);
  await open(page, full.url, `logins/${full.ids.steady}`);
  const total = await page.locator(by("earnings-row")).count();
  const seen = () => page.locator(by("earnings-row", ":visible")).count();
  assert.ok(total > 100);
  assert.equal(await page.textContent(by("earnings-count")), `10 of ${total} days`);
  assert.equal(await seen(), 10);
  await page.click(by("earnings-all"));
  assert.equal(await page.textContent(by("earnings-count")), `${total} days`);
  assert.equal(await seen(), total);
  await page.click(by("earnings-all"));
  assert.equal(await seen(), 10);
  assert.match(await page.textContent(by("month-row-count")), /^12 of 1\d months$/);
});

test("tables leave out columns on a phone, and say the same in a line", async () => {
  const { stage, full } = await scene();
  const page = await stage.page();
  for (const [view, row] of [["deliveries", "delivery-row"], ["requests", "request-row"],
    ["logins", "login-row"]]) {
    const columns = {};
    for (const width of [375, 1280]) {
      await page.setViewportSize({ width, height: 700 });
      await open(page, full.url, view);
      columns[width] = await page.locator("thead th:visible").count();
      const first = page.locator(by(row), { hasText: "ana-1" }).first();
      assert.match(await first.evaluate((node) => node.innerText), /ana-1/);
      assert.match(await first.evaluate((node) => node.innerText), /99/);
    }
    assert.ok(columns[375] <= 3 && columns[1280] >= 6, `${view} ${JSON.stringify(columns)}`);
  }
});

const box = (page, selector) => page.$eval(selector, (node) => {
  const { left, right } = node.getBoundingClientRect();
  return { left, right };
});

// The labels of the chart that leave their picture or touch others; or "none".
const wrongLabels = (page) => page.$$eval(".chart, .axis", (pictures) => pictures.flatMap((one) => {
  const around = one.getBoundingClientRect();
  const boxes = [...one.querySelectorAll(".tick")].map((node) => node.getBoundingClientRect());
  if (boxes.length === 0) return ["none"];
  return boxes.filter((box, at) => box.left < around.left || box.right > around.right
    || box.bottom > around.bottom || box.top < around.top
    || boxes.slice(0, at).some((other) => other.right + 4 > box.left && box.right + 4 > other.left
      && other.bottom > box.top && box.bottom > other.top)).map((box) => JSON.stringify(box));
}));

test("the chart pins its axis, and its labels neither touch nor leave it", async () => {
  const { stage, full } = await scene();
  const page = await stage.page();
  for (const width of [375, 1280]) {
    await page.setViewportSize({ width, height: 800 });
    for (const name of width === 375 ? ["steady", "short", "cop"] : ["steady"]) {
      await open(page, full.url, `logins/${full.ids[name]}`);
      for (const unit of ["month", "week", "day"]) {
        if (!await page.$(by(`chart-${unit}`))) continue;
        await page.check(by(`chart-${unit}`));
        assert.deepEqual(await wrongLabels(page), [], `${name} by ${unit} at ${width}`);
      }
      const [axis, plot] = [await box(page, ".axis"), await box(page, by("chart"))];
      assert.ok(axis.right <= plot.left + 1);
      await page.$eval(by("chart"), (node) => { node.scrollLeft = 0; });
      assert.deepEqual(await box(page, ".axis"), axis);
    }
    await open(page, full.url, `logins/${full.ids.steady}`);
    assert.ok(await page.$eval(by("chart"), (node) => node.scrollWidth > node.clientWidth
      && node.scrollLeft > 0), "a long history is scrolled, to the newest day");
  }
});

test("the chart marks the average of the monthly income over its window", async () => {
  const { stage, full } = await scene();
  const page = await stage.page();
  const { income } = await get(`${full.url}/sandbox/logins/${full.ids.steady}`);
  await open(page, full.url, `logins/${full.ids.steady}`);
  const daily = Number(income.monthly_income) * 12 / 365;
  for (const [unit, days] of [["day", 1], ["week", 7], ["month", 365 / 12]]) {
    await page.check(by(`chart-${unit}`));
    const value = (daily * days).toFixed(2);
    assert.equal(await page.getAttribute(by("chart-average"), "data-value"), value);
    const legend = (await page.textContent(by("chart-legend"))).replace(/\u2009/g, "");
    assert.ok(legend.includes(`Days averaged: ${income.window_days}`), legend);
    assert.ok(legend.includes(`Average: ${value} MXN a ${unit}`), legend);
    assert.equal(/cash/.test(legend), unit === "day", "only days have their cash");
    const [line, window] = [await box(page, by("chart-average")), await box(page,
      by("chart-window"))];
    assert.ok(Math.abs(line.left - window.left) <= 4 && Math.abs(line.right - window.right) <= 4);
  }
  await open(page, full.url, `logins/${full.ids.nulls}`);
  assert.equal(await page.$(by("chart-average")), null, "no average of what is not known");
});
