// The widget as it is seen: each of its states by the mechanical checks, on a phone and a desk, by
// day and by night; and what a designer asked for.
import { test } from "node:test";
import assert from "node:assert/strict";
import { assertChecked } from "./page_checks.mjs";
import { by, get, staged, until } from "./support.mjs";

const phone = { viewport: { width: 375, height: 667 } };

const open = (page, url, query) => page.goto(`${url}/widget?external_id=worker-1&${query}`);

async function logIn(page, name) {
  await page.check(by("tab-email"));
  await page.fill(by("identifier"), `uber+${name}@palenca-tests.com`);
  await page.fill(by("password"), "anything");
  await page.check(by("consent"));
  await page.click(by("submit"));
}

const chosen = "country=mx&platform=uber";

const textsOf = (page, selector) => page.$$eval(selector, (nodes) => nodes.map((node) =>
  node.textContent));

// Logs in, and looks at the outcome: its kind, its title, the steps as they are shown above it, and
// the buttons.
async function ended(page, url, name, expected, query = `lang=es&${chosen}`) {
  if (url) await open(page, url, query);
  await logIn(page, name);
  await page.waitForSelector(by("result"));
  const classes = await page.$$eval("#progress span", (nodes) => nodes.map((node) =>
    node.className));
  assert.deepEqual([await page.getAttribute(by("result"), "class"), await textsOf(page, "h1"),
    classes, await textsOf(page, "main button")],
  [`result ${expected.kind}`, [expected.title], expected.steps, expected.buttons], name);
}

// Each state: its name, and how a page comes to it, in one of the languages.
const states = {
  "all countries": async (page, url) => {
    await open(page, url, "lang=pt");
    await page.waitForSelector(by("country-mx"));
  },
  "no country chosen": async (page, url) => {
    await open(page, url, "lang=es");
    await page.click(by("continue"));
  },
  "all platforms": async (page, url) => {
    await open(page, url, "lang=es&country=mx");
    await page.check(by("platform-didi_food"));
  },
  "no platform found": async (page, url) => {
    await open(page, url, "lang=en&country=mx");
    await page.fill(by("search"), "Pneumonoultramicroscopicsilicovolcanoconiosis");
  },
  "no platform chosen": async (page, url) => {
    await open(page, url, "lang=pt");
    await page.check(by("country-br"));
    await page.click(by("continue"));
    await page.waitForSelector(by("platform-uber"));
    await page.click(by("continue"));
  },
  "a phone's number missing": async (page, url) => {
    await open(page, url, `lang=es&${chosen}`);
    await page.click(by("submit"));
  },
  "an e-mail typed, the identifiers open": async (page, url) => {
    await open(page, url, `lang=en&${chosen}`);
    await page.check(by("tab-email"));
    await page.click("summary");
    await page.fill(by("identifier"), "maria.fernanda.gonzalez.rodriguez@example.com.mx");
    await page.fill(by("password"), "anything");
  },
  "a government id": async (page, url) => {
    await open(page, url, "lang=pt&country=mx&platform=imss");
    await page.fill(by("identifier"), "XAXX010101HDFABC00");
  },
  "a code": async (page, url) => {
    await open(page, url, `lang=es&${chosen}`);
    await logIn(page, "invalid_otp");
    await page.click(by("submit-code"));
  },
  "a success with a warning": (page, url) => ended(page, url, "fleet_account", { kind: "success",
    title: "Tu cuenta de Uber está conectada", steps: ["done", "done"], buttons: [] }),
  "a success": (page, url) => ended(page, url, "success", { kind: "success",
    title: "Sua conta Uber está conectada", steps: ["done", "done"], buttons: [] },
  `lang=pt&${chosen}`),
  // what has failed does not look complete
  "an error": async (page, url) => {
    await open(page, url, "lang=en&country=mx");
    await page.check(by("platform-uber"));
    await page.click(by("continue"));
    await ended(page, null, "not_registered", { kind: "error",
      title: "We could not connect your Uber account", steps: ["done", "error", ""],
      buttons: ["Try again", "Choose another platform"] });
  },
  "an incomplete login": (page, url) => ended(page, url, "incomplete", { kind: "incomplete",
    title: "Falta un paso", steps: ["incomplete", ""], buttons: ["Intentar de nuevo"] }),
  // what is no failure of the worker's asks for no second try
  "a recent login": (page, url) => ended(page, url, "recent_login_successful", { kind: "known",
    title: "Sua conta Uber já estava conectada", steps: ["known", ""],
    buttons: ["Usar outra conta"] }, `lang=pt&${chosen}`),
};

test("each state is not clipped, has contrast, and is reached by keyboard",
  staged(async (stage) => {
    const { url } = await stage.sandbox();
    const page = await stage.page(phone);
    for (const [name, come] of Object.entries(states)) {
      await page.setViewportSize(phone.viewport);
      await come(page, url);
      await assertChecked(page, name);
      if (name !== "an error") continue;
      await page.click(by("other-platform"));
      await page.waitForSelector(by("search"));
      assert.ok(await page.isChecked(by("platform-uber")));
    }
  }));

test("the states of a failure are not clipped, have contrast, and are reached by keyboard",
  staged(async (stage) => {
    const { url } = await stage.sandbox();
    const page = await stage.page(phone);
    await open(page, url, `lang=es&widget_id=${"long-".repeat(30)}`);
    await page.waitForSelector(".result.error");
    stage.expectProblem(/422/);
    await assertChecked(page, "a broken link");
    await page.route("**/widget/logins", (route) => route.abort());
    await open(page, url, `lang=es&${chosen}`);
    await logIn(page, "success");
    await page.waitForSelector("#alert");
    stage.expectProblem(/ERR_FAILED/);
    await assertChecked(page, "no connection");
    await page.route("**/widget/config*", (route) => route.abort());
    await open(page, url, `lang=pt&${chosen}`);
    await page.waitForSelector(by("reload"));
    stage.expectProblem(/ERR_FAILED/);
    await assertChecked(page, "not loaded");
    await page.unroute("**/widget/config*");
    await page.click(by("reload"));
    await page.waitForSelector(by("submit"));
  }));

test("the header is one line of a phone, and countries have their names, in each language",
  staged(async (stage) => {
    const { url } = await stage.sandbox();
    const page = await stage.page(phone);
    const names = { es: "Brasil", pt: "México", en: "Dominican Republic" };
    for (const [lang, name] of Object.entries(names)) {
      await open(page, url, `lang=${lang}`);
      await page.waitForSelector(by("country-mx"));
      const [lines, rows] = await page.evaluate(() => {
        const range = document.createRange();
        range.selectNodeContents(document.getElementById("place"));
        const parts = [...document.querySelectorAll("header img, header p, header button")];
        const middles = parts.map((node) => node.getBoundingClientRect())
          .map((box) => Math.round((box.top + box.bottom) / 2));
        return [range.getClientRects().length, Math.max(...middles) - Math.min(...middles)];
      });
      assert.equal(lines, 1, lang);
      assert.ok(rows <= 2, `${lang}: ${rows}`);
      assert.ok((await textsOf(page, ".option .name")).includes(name), name);
    }
  }));

test("a message is gone once what it asks for is chosen or typed", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page(phone);
  const message = (id) => page.textContent(`#${id}-problem`);
  const gone = async (id) => {
    assert.equal(await message(id), "");
    assert.equal(await page.$(`[aria-invalid], .wrong`), null);
    assert.equal(await page.textContent("#announce"), "");
  };
  await open(page, url, "lang=es");
  await page.click(by("continue"));
  assert.equal(await message("country"), "Elige un país.");
  await page.check(by("country-mx"));
  await gone("country");
  await page.click(by("continue"));
  await page.waitForSelector(by("platform-uber"));
  await page.click(by("continue"));
  assert.equal(await message("platform"), "Elige una plataforma.");
  await page.check(by("platform-uber"));
  await gone("platform");
  await page.click(by("continue"));
  await page.check(by("tab-email"));
  for (const [id, text] of [["identifier", "x"], ["password", "x"]]) {
    await page.click(by("submit"));
    assert.notEqual(await message(id), "");
    await page.fill(by(id), text);
    await gone(id);
  }
  await page.click(by("submit"));
  assert.notEqual(await message("consent"), "");
  await page.check(by("consent"));
  await gone("consent");
  await page.route("**/widget/logins", (route) => route.abort());
  await page.click(by("submit"));
  await page.waitForSelector("#alert");
  stage.expectProblem(/ERR_FAILED/);
  await page.fill(by("password"), "y");
  assert.equal(await page.$("#alert"), null);
}));

const seen = (page) => textsOf(page, ".option:not([hidden]) .name");

test("the search finds a platform without its accents, and takes the only one by Enter",
  staged(async (stage) => {
    const { url } = await stage.sandbox();
    const page = await stage.page(phone);
    await open(page, url, "lang=es&country=mx");
    await page.waitForSelector(by("search"));
    const all = await seen(page);
    await page.fill(by("search"), " FÓOD  didi");
    assert.deepEqual(await seen(page), ["DiDi Food"]);
    assert.equal(await page.textContent("#announce"), "1 plataforma");
    await page.fill(by("search"), "di");
    assert.ok((await seen(page)).includes("DiDi"));
    // one that the search hides is not chosen
    await page.check(by("platform-didi"));
    await page.fill(by("search"), "mercado");
    assert.deepEqual(await seen(page), ["Mercado Pago"]);
    assert.equal(await page.locator("fieldset:visible").count(), 1);
    await page.fill(by("search"), "<b>taxi</b>");
    assert.match(await page.textContent(by("no-match")), /<b>taxi<\/b>/);
    await page.press(by("search"), "Enter");
    assert.equal(await page.textContent("#platform-problem"), "Elige una plataforma.");
    await page.click(by("show-all"));
    assert.deepEqual(await seen(page), all);
    assert.ok(await page.isHidden(by("no-match")));
    assert.equal(await page.evaluate(() => document.activeElement.id), "search");
    assert.equal(await page.locator("input:checked").count(), 0);
    await page.fill(by("search"), "rappi");
    await page.press(by("search"), "Enter");
    await page.waitForSelector(by("submit"));
    assert.match(await page.textContent("h1"), /Rappi/);
    // a list that is seen at once needs none
    await open(page, url, "lang=es&country=br");
    await page.waitForSelector(by("platform-uber"));
    assert.equal(await page.$(by("search")), null);
  }));

test("the button is seen wherever a form is scrolled to", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page(phone);
  const always = async (testid) => {
    for (const share of [0, 0.25, 0.5, 0.75, 1]) {
      const box = await page.$eval(by(testid), (node, part) => {
        const form = node.form.getBoundingClientRect();
        window.scrollTo(0, part * Math.max(0, form.bottom + window.scrollY - window.innerHeight));
        const { top, bottom } = node.getBoundingClientRect();
        return { top, bottom };
      }, share);
      assert.ok(box.top >= 0 && box.bottom <= 667, `${testid} at ${share}: ${JSON.stringify(box)}`);
    }
  };
  await open(page, url, "lang=es");
  await page.waitForSelector(by("continue"));
  await always("continue");
  await page.check(by("country-mx"));
  await page.click(by("continue"));
  await page.waitForSelector(by("platform-uber"));
  assert.ok(await page.evaluate(() => document.body.scrollHeight > 1000), "much to scroll");
  await always("continue");
  await page.click(by("continue"));
  await always("continue"); // below the message
  // nor does it cover what the arrow keys choose
  await page.focus(by("platform-uber"));
  for (let press = 0; press < 20; press += 1) {
    await page.keyboard.press("ArrowDown");
    const [value, bottom, top] = await page.evaluate(() => [document.activeElement.value,
      document.activeElement.closest("label").getBoundingClientRect().bottom,
      document.querySelector(".bar").getBoundingClientRect().top]);
    assert.ok(bottom <= top, value);
  }
  await page.check(by("platform-uber"));
  await page.click(by("continue"));
  await page.check(by("tab-email"));
  await always("submit");
}));

test("a link's wrong values are named in the worker's language", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page(phone);
  for (const [lang, title, words] of [["es", "Este enlace no funciona", "debe ser un UUID"],
    ["pt", "Este link não funciona", "deve ser um UUID"],
    ["en", "This link does not work", "must be a UUID"]]) {
    for (const [name, value] of [["widget_id", "<i>nonsense</i>"], ["redirect_url", "/step-2"]]) {
      await open(page, url, `lang=${lang}&${name}=${encodeURIComponent(value)}`);
      await page.waitForSelector(".result.error");
      stage.expectProblem(/422/);
      assert.equal(await page.textContent("h1"), title);
      const text = await page.textContent(".lead");
      assert.ok(text.includes(value), text);
      assert.ok(text.includes(name === "widget_id" ? words : "redirect_url"), text);
      assert.equal(await page.$("main button"), null, "loading it again would not help");
    }
  }
}));

test("another language keeps what was typed and chosen", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page(phone);
  await open(page, url, "lang=es");
  await page.check(by("country-co"));
  await page.click(by("lang-pt"));
  assert.ok(await page.isChecked(by("country-co")));
  await page.click(by("continue"));
  await page.fill(by("search"), "rap");
  await page.check(by("platform-rappi"));
  const shown = await seen(page);
  await page.click(by("lang-en"));
  assert.deepEqual([await seen(page), await page.inputValue(by("search"))], [shown, "rap"]);
  assert.ok(await page.isChecked(by("platform-rappi")));
  await page.click(by("continue"));
  await page.check(by("tab-email"));
  await page.fill(by("password"), "secret");
  await page.check(by("consent"));
  await page.click(by("lang-es"));
  assert.equal(await page.inputValue(by("password")), "secret");
  assert.ok(await page.isChecked(by("consent")));
}));

test("a browser comes from / to the console, and a program to the list of paths",
  staged(async (stage) => {
    const { url } = await stage.sandbox();
    const page = await stage.page();
    await page.goto(`${url}/`);
    await page.waitForSelector(by("nav-start"));
    assert.equal(new URL(page.url()).pathname, "/console");
    const response = await fetch(`${url}/`);
    assert.deepEqual([response.status, response.redirected], [200, false]);
    assert.ok((await response.json()).paths.includes("GET /console"));
    await page.goto(`${url}/?external_id=worker-1&lang=en`);
    await until(page, () => document.querySelector("h1")?.textContent.includes("country"));
    assert.ok((await get(`${url}/sandbox/overview`)).counts);
  }));
