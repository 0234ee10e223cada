// The mechanical checks reject what they are for, and nothing else.
import { test } from "node:test";
import assert from "node:assert/strict";
import { clipping, contrast, focusOrder, pageFindings } from "./page_checks.mjs";
import { staged } from "./support.mjs";

const document = (body, css = "") => `<!doctype html><html lang="en">
  <meta name="color-scheme" content="light dark"><title>A page</title>
  <style>body { margin: 8px; font: 16px/1.5 monospace } ${css}</style><body>${body}`;

// What each check has to find: [name, page, style, selector, problem].
const clipped = [
  ["a box with its overflow hidden", "<p id=x>Six words that need some room</p>",
    "#x { width: 5em; white-space: nowrap; overflow: hidden }", "p#x", /is 80 wide, its content/],
  ["an ellipsis", "<p id=x>Six words that need some room</p>", "#x { width: 5em; "
    + "white-space: nowrap; overflow: clip; text-overflow: ellipsis }", "p#x", /is 80 wide/],
  ["a box that is too low", "<p id=x>Six words that need some room</p>",
    "#x { width: 5em; height: 2em; overflow: hidden }", "p#x", /is 32 high, its content/],
  ["text that leaves its box", "<p id=x>Incomprehensibilities</p>", "#x { width: 5em }", "p#x",
    /leaves p#x at its side/],
  ["text that leaves its button below", "<button id=x>Six words that need some room</button>",
    "#x { width: 6em; height: 2em }", "button#x", /leaves button#x at its top or bottom/],
  ["text that a box around it cuts off", "<div id=y><p id=x>Six words</p></div>",
    "#y { overflow: hidden; width: 4em } #x { width: 20em; margin-left: -2em }", "p#x",
    /leaves div#y at its side/],
  ["text that leaves the window", "<p id=x>Six words</p>", "#x { position: absolute; left: -2em }",
    "p#x", /leaves the window/],
  ["a page that has to be scrolled sideways", "<p id=x>A</p>", "#x { width: 400px }", "body",
    /the page is 408 wide, the window 375/],
  ["a placeholder", "<input id=x placeholder='Six words that need some room'>",
    "#x { width: 5em }", "input#x", /its text needs/],
  ["a select", "<select id=x><option>Six words that need some room</select>",
    "#x { width: 5em }", "select#x", /its text needs/],
  ["a label that leaves its picture",
    "<svg width=100 height=40><text id=x x=80 y=20>January</text></svg>", "", "text#x",
    /leaves its picture/],
  ["labels on each other", "<svg width=200 height=40><text x=0 y=20>January</text>"
    + "<text id=x x=30 y=24>February</text></svg>", "", "text#x", /covers "January"/],
];

const faint = [
  ["gray on white", "<p id=x>Text</p>", "#x { color: #777 }", "p#x", /^4\.48:1$/],
  ["half transparent text", "<p id=x>Text</p>", "#x { color: rgb(0 0 0 / 50%) }", "p#x", /^3\.9/],
  ["text in a faint box", "<div id=y><p id=x>Text</p></div>", "#y { opacity: .5 }", "p#x", /^3\.9/],
  ["a layer above the background", "<div id=y><p id=x>Text</p></div>",
    "body { background: #000; color: #fff } #y { background: rgb(255 255 255 / 60%) }", "p#x",
    /^2\.8/],
  ["an end of a gradient", "<p id=x>Text</p>",
    "#x { color: #fff; background: linear-gradient(#000, #aaa) }", "p#x", /^2\.3/],
  ["a color of another space", "<p id=x>Text</p>", "#x { color: oklch(70% 0 0) }", "p#x", /^2\.6/],
  ["a placeholder", "<input id=x placeholder=Text>",
    "#x { background: #fff } #x::placeholder { color: #999 }", "input#x", /^2\.8/],
  ["what is typed", "<input id=x value=Text>", "#x { color: #999; background: #fff }", "input#x",
    /^2\.8/],
  ["a button", "<button id=x>Text</button>", "#x { color: #fff; background: #09f }", "button#x",
    /^3\.0/],
  ["a mark before it", "<p id=x>Text</p>", "#x::before { content: '+'; color: #aaa }", "p#x",
    /^2\.3/],
  ["a label on a bar", "<svg width=90 height=40><rect width=90 height=40 fill=black></rect>"
    + "<text id=x x=20 y=20 fill=#444>May</text></svg>", "", "text#x", /^2\.1/],
];

const unreachable = [
  ["what the style brings up", "<a href=# id=y>1</a><a href=# id=x>2</a>",
    "body { display: flex; flex-direction: column-reverse }", "a#x", /is seen above a#y/],
  ["what the style brings to the left", "<a href=# id=y>1</a><a href=# id=x>2</a>",
    "body { display: flex; flex-direction: row-reverse }", "a#x", /is seen left of a#y/],
  ["an order of one's own", "<a href=#>1</a><a href=# id=x tabindex=1>2</a>", "", "a#x",
    /tabindex is 1/],
  ["a focus that is not seen", "<button id=x>1</button>", "#x:focus { outline: none }", "button#x",
    /nothing shows/],
  ["a ring that is not seen", "<button id=x>1</button>",
    "#x:focus { outline: 3px solid #eee }", "button#x", /nothing shows/],
  ["a radio button without a mark", "<label><input type=radio name=r id=x>1</label>"
    + "<label><input type=radio name=r checked>2</label>",
    "input { opacity: 0 } label:has(:checked) { background: #ddd }", "label > input",
    /nothing shows/],
  ["a trap", "<button id=x>1</button><button>2</button><script>document.onkeydown = (event) => "
    + "{ if (event.target.id === 'x') event.preventDefault(); }</script>", "", "button#x",
    /does not leave it/],
  ["what is jumped over", "<button id=y>1</button><button id=x>2</button><button id=z>3</button>"
    + "<script>y.onkeydown = (event) => { event.preventDefault(); z.focus(); }</script>", "",
    "button#x", /does not reach it/],
  ["what a bar covers", "<div id=y>Bar</div><button id=x>1</button>", "#y { position: fixed; "
    + "inset: 0 0 auto; height: 60px; background: #fff }", "button#x", /is covered/],
];

for (const [what, check, pages] of [["clipping", clipping, clipped],
  ["contrast", contrast, faint], ["focus", focusOrder, unreachable]]) {
  test(`the check of ${what} finds each kind`, staged(async (stage) => {
    const page = await stage.page({ viewport: { width: 375, height: 700 } });
    for (const [name, body, css, selector, problem] of pages) {
      await page.setContent(document(body, css));
      const found = await check(page);
      const match = found.find((one) => one.selector === selector && problem.test(one.problem));
      assert.ok(match, `${name}: ${JSON.stringify(found)}`);
      assert.equal(match.check, what);
      assert.ok(found.every((one) => one.check === what));
    }
  }));
}

test("the checks find nothing in a good page, by day and by night", staged(async (stage) => {
  const page = await stage.page({ viewport: { width: 375, height: 700 } });
  await page.setContent(document(`<a href="#main" class="away">To the content</a>
    <a href="#main" class="unseen">To the content</a>
    <h1>A good page</h1><p class="unseen">For screen readers only</p>
    <p>Six <b>words</b> that <code>need</code> some room, and are folded where the window ends.</p>
    <div class="wide"><table><tr><td>A table that is scrolled by itself, and says so</table></div>
    <label><input type="radio" name="r"><span>One</span></label>
    <label><input type="radio" name="r" checked><span>Two</span></label>
    <input type="date" aria-label="Day"><input placeholder="Name" aria-label="Name">
    <button disabled style="color: #ccc">Not yet</button><button>Yes</button>
    <details><summary>More</summary><a href="#">Closed away</a></details>
    <span tabindex="-1">Not a stop</span>
    <svg width="200" height="60"><rect width="90" height="60" fill="black"></rect>
      <text x="10" y="20" fill="white">May</text><text x="100" y="20" fill="#777">
      </text><text x="10" y="44" fill="white">June</text></svg>
    <div class="bar"><button>Continue</button></div>`,
  `.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
    .unseen:focus { width: auto; height: auto; clip-path: none }
    ::placeholder { color: inherit }
    .away { position: absolute; left: -300px } .away:focus { left: 0 }
    .wide { overflow-x: auto } td { white-space: nowrap }
    label { position: relative } input[type=radio] { position: absolute; opacity: 0 }
    label:has(:focus-visible) { outline: 2px solid }
    .bar { position: sticky; bottom: 0 }`));
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    assert.deepEqual(await pageFindings(page), []);
  }
  await page.setContent(document("<button>Below</button><dialog><button id=y>1</button>"
    + "<button>2</button></dialog><script>document.querySelector('dialog').showModal()</script>"));
  assert.deepEqual(await pageFindings(page), []);
}));
