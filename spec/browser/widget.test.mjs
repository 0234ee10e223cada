// The widget: every outcome, every language, by keyboard alone, on a phone, with wrong input.
import { test } from "node:test";
import assert from "node:assert/strict";
import { assertFits, by, get, staged, tabTo } from "./support.mjs";

const phone = { viewport: { width: 375, height: 700 } };
const address = (url, query = "") => `${url}/widget?external_id=worker-1&lang=en${query}`;

async function fillIn(page, identifier) {
  await page.check(by("tab-email"));
  await page.fill(by("identifier"), identifier);
  await page.fill(by("password"), "anything");
  await page.check(by("consent"));
  await page.click(by("submit"));
}

async function result(page) {
  const shown = await page.waitForSelector(by("result"));
  return {
    status: await shown.getAttribute("data-status"),
    details: await shown.getAttribute("data-details"),
    text: await shown.textContent(),
  };
}

// As the documentation's table of test identifiers has them: how each one ends.
const outcomes = {
  success: ["success", ""],
  rider_account: ["success", "", /rider/],
  fleet_account: ["success", "", /fleet/],
  incomplete_profile_data: ["success", "", /profile/],
  id_mismatch: ["success", "", /identity|document/],
  incomplete: ["incomplete", ""],
  invalid_credentials: ["error", "invalid_credentials"],
  login_refused: ["error", "login_refused"],
  platform_unavailable: ["error", "platform_unavailable"],
  request_timeout: ["error", "request_timeout"],
  platform_error: ["error", "platform_error"],
  recent_login_successful: ["error", "recent_login_successful"],
  not_registered: ["error", "not_registered"],
  banned: ["error", "banned"],
};

const codeOutcomes = ["invalid_otp", "expired_otp", "could_not_send_otp", "invalid_otp_auth_key",
  "invalid_otp_session"];

test("each test identifier ends as documented", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page(phone);
  for (const [name, [status, details, note]] of Object.entries(outcomes)) {
    await page.goto(address(url, "&country=mx&platform=uber"));
    await fillIn(page, `uber+${name}@palenca-tests.com`);
    const ended = await result(page);
    assert.deepEqual([ended.status, ended.details], [status, details], name);
    if (note) assert.match(ended.text, note);
    const { logins } = await get(`${url}/sandbox/logins?items_per_page=1`);
    assert.equal(logins[0].status_details ?? "", details);
    assert.equal(logins[0].external_id, "worker-1");
  }
}));

test("each test identifier with a code asks for it, then ends as documented",
  staged(async (stage) => {
    const { url } = await stage.sandbox();
    const page = await stage.page(phone);
    for (const name of codeOutcomes) {
      await page.goto(address(url, "&country=mx&platform=didi"));
      await fillIn(page, `didi+${name}@palenca-tests.com`);
      await page.fill(by("code"), "123456");
      await page.click(by("submit-code"));
      const ended = await result(page);
      assert.deepEqual([ended.status, ended.details], ["error", name]);
    }
  }));

test("a phone number asks for a code, and any code connects", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page(phone);
  await page.goto(address(url, "&country=co&platform=rappi"));
  await page.fill(by("identifier"), "300 123 4567");
  await page.check(by("consent"));
  await page.click(by("submit"));
  await page.fill(by("code"), "0000");
  await page.click(by("submit-code"));
  assert.equal((await result(page)).status, "success");
  const { logins } = await get(`${url}/sandbox/logins?items_per_page=1`);
  assert.deepEqual([logins[0].platform, logins[0].country], ["rappi", "co"]);
}));

test("an employment platform asks for the government id", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page(phone);
  await page.goto(address(url, "&country=mx&platform=imss"));
  await page.fill(by("identifier"), "XAXX010101HDFABC00");
  await page.check(by("consent"));
  await page.click(by("submit"));
  assert.equal((await result(page)).status, "success");
}));

test("says beside the field what is missing, and sends nothing", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const before = (await get(`${url}/sandbox/overview`)).counts.logins;
  const page = await stage.page(phone);
  await page.goto(address(url));
  const problem = (field) => page.textContent(`#${field}-problem`);
  await page.click(by("continue"));
  assert.match(await problem("country"), /country/i);
  await page.check(by("country-mx"));
  await page.click(by("continue"));
  await page.waitForSelector(by("platform-uber"));
  await page.click(by("continue"));
  assert.match(await problem("platform"), /app|platform/i);
  await page.check(by("platform-uber"));
  await page.click(by("continue"));
  await page.click(by("submit"));
  assert.match(await problem("identifier"), /number/i);
  await page.check(by("tab-email"));
  await page.fill(by("identifier"), "  ");
  await page.click(by("submit"));
  assert.match(await problem("identifier"), /e-?mail/i);
  await page.fill(by("identifier"), "ana@example.com");
  await page.click(by("submit"));
  assert.match(await problem("password"), /password/i);
  assert.equal(await page.evaluate(() => document.activeElement.id), "password");
  await page.fill(by("password"), "x");
  await page.click(by("submit"));
  assert.match(await problem("consent"), /agree|consent|permission/i);
  assert.equal((await get(`${url}/sandbox/overview`)).counts.logins, before);
  await page.check(by("consent"));
  await page.click(by("submit"));
  assert.equal((await result(page)).status, "success");
}));

test("rejects each empty field, with a message in each language", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page(phone);
  const said = {
    es: ["Escribe tu número de teléfono.", "Escribe tu correo, por ejemplo ana@correo.com.",
      "Escribe tu contraseña.", "Escribe el código que recibiste."],
    pt: ["Digite seu número de telefone.", "Digite seu e-mail, por exemplo ana@email.com.",
      "Digite sua senha.", "Digite o código que você recebeu."],
    en: ["Type your phone number.", "Type your e-mail address, such as ana@mail.com.",
      "Type your password.", "Type the code that you received."],
  };
  for (const [lang, [needPhone, needEmail, needPassword, needCode]] of Object.entries(said)) {
    await page.goto(`${url}/widget?country=mx&platform=uber&lang=${lang}`);
    await page.check(by("consent"));
    await page.click(by("submit"));
    assert.equal(await page.textContent("#identifier-problem"), needPhone);
    await page.check(by("tab-email"));
    await page.click(by("submit"));
    assert.equal(await page.textContent("#identifier-problem"), needEmail);
    await page.fill(by("identifier"), "1");
    await page.click(by("submit"));
    assert.equal(await page.textContent("#identifier-problem"), "");
    assert.equal(await page.textContent("#password-problem"), needPassword);
    await page.check(by("tab-phone"));
    await page.fill(by("identifier"), "1");
    await page.click(by("submit"));
    await page.fill(by("code"), " ");
    await page.click(by("submit-code"));
    assert.equal(await page.textContent("#code-problem"), needCode);
  }
  const { counts } = await get(`${url}/sandbox/overview`);
  assert.equal(counts.logins, 1 + 3);
}));

test("speaks Spanish, Portuguese and English, and keeps what was typed",
  staged(async (stage) => {
    const { url } = await stage.sandbox();
    const page = await stage.page({ ...phone, locale: "pt-BR" });
    await page.goto(`${url}/widget?country=br&platform=uber`);
    await page.waitForSelector(by("submit"));
    const titles = new Set();
    assert.equal(await page.getAttribute("html", "lang"), "pt");
    await page.fill(by("identifier"), "11 91234 5678");
    for (const lang of ["es", "pt", "en"]) {
      await page.click(by(`lang-${lang}`));
      assert.equal(await page.getAttribute("html", "lang"), lang);
      titles.add(await page.textContent("h1"));
      assert.equal(await page.inputValue(by("identifier")), "11 91234 5678");
      await assertFits(page, 375);
    }
    assert.equal(titles.size, 3);
  }));

test("is usable with the keyboard alone", staged(async (stage) => {
  const { url } = await stage.sandbox();
  const page = await stage.page(phone);
  await page.goto(address(url));
  const press = (...keys) => keys.reduce((done, one) => done.then(() =>
    page.keyboard.press(one)), Promise.resolve());
  await page.waitForSelector(by("country-mx"));
  await tabTo(page, 'input[name="country"]');
  await press("Space", "ArrowDown", "ArrowUp", "Enter");
  await page.waitForSelector(by("platform-uber"));
  await tabTo(page, by("platform-uber"));
  await press("Space");
  await tabTo(page, by("continue"));
  await press("Enter");
  await page.waitForSelector(by("identifier"));
  await tabTo(page, by("tab-phone"));
  await press("ArrowRight");
  await tabTo(page, by("identifier"));
  await page.keyboard.type("uber+invalid_credentials@palenca-tests.com");
  await tabTo(page, by("password"));
  await page.keyboard.type("wrong");
  await tabTo(page, by("consent"));
  await press("Space");
  await tabTo(page, by("submit"));
  await press("Enter");
  assert.equal((await result(page)).details, "invalid_credentials");
  await tabTo(page, by("try-again"));
  await press("Enter");
  await tabTo(page, by("identifier"));
  await press("Control+a");
  await page.keyboard.type("ana@example.com");
  await tabTo(page, by("password"));
  await page.keyboard.type("right");
  await press("Enter");
  assert.equal((await result(page)).status, "success");
}));

test("goes back a step with the browser's own button, and fits a phone at each",
  staged(async (stage) => {
    const { url } = await stage.sandbox();
    const page = await stage.page(phone);
    await page.goto(address(url));
    await page.check(by("country-mx"));
    await assertFits(page, 375);
    await page.click(by("continue"));
    await page.check(by("platform-rappi"));
    await assertFits(page, 375);
    await page.click(by("continue"));
    await page.waitForSelector(by("submit"));
    await assertFits(page, 375);
    await page.goBack();
    assert.ok(await page.isChecked(by("platform-rappi")));
    await page.goBack();
    assert.ok(await page.isChecked(by("country-mx")));
  }));

test("says when the sandbox does not respond, and that a widget's id is no id",
  staged(async (stage) => {
    const { url, process } = await stage.sandbox();
    const page = await stage.page(phone);
    await page.goto(address(url, "&widget_id=nonsense"));
    await page.waitForSelector(".result.error");
    stage.expectProblem(/422/);
    const response = await page.goto(address(url, "&country=mx&platform=uber"));
    const policy = response.headers()["content-security-policy"];
    assert.match(policy, /default-src 'none'/);
    assert.doesNotMatch(policy, /unsafe/);
    await page.waitForSelector(by("submit"));
    await process.stop();
    await fillIn(page, "ana@example.com");
    await page.waitForSelector("#alert");
    stage.expectProblem(/ERR_CONNECTION_REFUSED/);
    assert.equal(await page.inputValue(by("identifier")), "ana@example.com");
  }));
