// Mechanical checks of a page as it is shown: clipped text, contrast, and the order of the focus.
//   assert.deepEqual(await pageFindings(page), [])
// A finding is { check, selector, text, problem }. Disabled elements are not checked.
import assert from "node:assert/strict";

// Runs in the page, and returns what the checks call there; so it uses nothing from outside.
function inside() {
  // pixels by which boxes of text may stick out because of rounding
  const SLACK = 1;
  const MIN_CONTRAST = 4.5, MIN_RING_CONTRAST = 3;
  const style = (node, pseudo) => getComputedStyle(node, pseudo);

  function selectorOf(node) {
    const { testid } = node.dataset ?? {};
    const tag = node.tagName.toLowerCase();
    if (testid) return `${tag}[data-testid="${testid}"]`;
    if (node.id) return `${tag}#${node.id}`;
    const names = [...node.classList].map((name) => `.${name}`).join("");
    const parent = node.parentElement;
    const within = parent && node !== document.body && parent !== document.body;
    return (within ? `${selectorOf(parent)} > ` : "") + tag + names;
  }

  // The place of an element in the tree: the same one after a page has drawn the same again.
  function pathOf(node) {
    const parent = node.parentElement;
    return parent ? `${pathOf(parent)} ${[...parent.children].indexOf(node)}` : "";
  }

  const finding = (check, node, problem, text) => ({ check, selector: selectorOf(node),
    text: (text ?? node.textContent).trim().replace(/\s+/g, " ").slice(0, 60), problem });

  // What only screen readers perceive: cut to a pixel, or clipped away.
  function isHidden(node) {
    for (let one = node; one; one = one.parentElement) {
      const shown = style(one), box = one.getBoundingClientRect();
      if (shown.overflowX !== "visible" && (box.width <= 1 || box.height <= 1)) return true;
      if (/^inset\((50|100)%/.test(shown.clipPath)) return true;
    }
    return false;
  }

  const isVisible = (node) => node.checkVisibility({ opacityProperty: true,
    visibilityProperty: true, contentVisibilityAuto: true })
    && node.getClientRects().length > 0 && !isHidden(node);

  const all = () => [...document.body.querySelectorAll("*")].filter(isVisible);

  const isSvg = (node) => node instanceof SVGElement;

  const ownText = (node) => [...node.childNodes].filter((one) => one.nodeType === Node.TEXT_NODE
    && one.data.trim() !== "");

  function rectsOf(text) {
    const range = document.createRange();
    range.selectNodeContents(text);
    return [...range.getClientRects()].filter((box) => box.width > 0 && box.height > 0);
  }

  const cuts = (value) => value === "hidden" || value === "clip";
  const scrolls = (value) => value === "auto" || value === "scroll";

  // ------------------------------------------------------------------ clipping

  // Elements that cut off what is larger than they are.
  function cutOff(node) {
    const shown = style(node), found = [];
    if (cuts(shown.overflowX) && node.scrollWidth > node.clientWidth + SLACK) {
      found.push(finding("clipping", node,
        `is ${node.clientWidth} wide, its content ${node.scrollWidth}`));
    }
    if (cuts(shown.overflowY) && node.scrollHeight > node.clientHeight + SLACK) {
      found.push(finding("clipping", node,
        `is ${node.clientHeight} high, its content ${node.scrollHeight}`));
    }
    return found;
  }

  let canvas;
  function measure(text, shown) {
    canvas ??= new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    canvas.font = shown.font;
    return canvas.measureText(text).width
      + text.length * (parseFloat(shown.letterSpacing) || 0);
  }

  // The text that a form's field shows and does not scroll: its placeholder, or its option.
  function fieldText(node) {
    if (node.matches(":placeholder-shown")) return node.placeholder;
    if (node.matches("select:not([multiple])")) return node.selectedOptions[0]?.textContent ?? "";
    return "";
  }

  function cutField(node) {
    const text = fieldText(node).trim(), shown = style(node);
    if (text === "" || node.matches("textarea")) return [];
    const room = node.clientWidth - parseFloat(shown.paddingLeft) - parseFloat(shown.paddingRight);
    const needed = measure(text, shown);
    return needed <= room + SLACK ? []
      : [finding("clipping", node, `has room for ${room}, its text needs ${needed}`, text)];
  }

  // Text outside the window, outside of its own box, or outside of a box that cuts it off.
  function leaving(node) {
    const found = [], size = parseFloat(style(node).fontSize);
    for (const text of ownText(node)) {
      for (const box of rectsOf(text)) {
        const problem = placeLeft(node, box, size);
        if (problem) {
          found.push(finding("clipping", node, problem, text.data));
          break;
        }
      }
    }
    return found;
  }

  function placeLeft(node, box, size) {
    let own = true, scrolled = false;
    for (let one = node; one && one !== document.documentElement; one = one.parentElement) {
      const shown = style(one);
      if (scrolls(shown.overflowX)) scrolled = true;
      if (scrolled || shown.display === "inline" || shown.display === "contents") continue;
      const around = one.getBoundingClientRect();
      const cut = !own && (cuts(shown.overflowX) || cuts(shown.overflowY));
      if (!own && !cut) continue;
      if (box.left < around.left - SLACK || box.right > around.right + SLACK) {
        return `leaves ${selectorOf(one)} at its side`;
      }
      // a line may be less high than its font
      if (box.top < around.top - size / 4 || box.bottom > around.bottom + size / 4) {
        return `leaves ${selectorOf(one)} at its top or bottom`;
      }
      own = false;
    }
    // a link that skips to the content comes into the window with the focus
    if (node.closest("a[href^='#']") && (box.right <= 0 || box.bottom <= 0)) return null;
    const outside = box.left < -SLACK || box.right > document.documentElement.clientWidth + SLACK;
    return outside && !scrolled ? "leaves the window" : null;
  }

  function svgLabels(picture) {
    const labels = [...picture.querySelectorAll("text")].filter((node) => isVisible(node)
      && node.textContent.trim() !== "");
    const around = picture.getBoundingClientRect();
    const boxes = labels.map((node) => node.getBoundingClientRect());
    const found = [];
    labels.forEach((node, at) => {
      const box = boxes[at];
      if (box.left < around.left - SLACK || box.right > around.right + SLACK
        || box.top < around.top - SLACK || box.bottom > around.bottom + SLACK) {
        found.push(finding("clipping", node, "leaves its picture"));
      }
      for (let other = 0; other < at; other += 1) {
        const last = boxes[other], height = Math.min(box.height, last.height);
        const across = Math.min(box.right, last.right) - Math.max(box.left, last.left);
        const down = Math.min(box.bottom, last.bottom) - Math.max(box.top, last.top);
        // a box of text has a margin above and below the letters
        if (across > SLACK && down > height / 4) {
          found.push(finding("clipping", node, `covers "${labels[other].textContent.trim()}"`));
        }
      }
    });
    return found;
  }

  function clipping() {
    const found = [], root = document.documentElement;
    if (root.scrollWidth > root.clientWidth) {
      found.push(finding("clipping", document.body,
        `the page is ${root.scrollWidth} wide, the window ${root.clientWidth}`, document.title));
    }
    for (const node of all()) {
      if (node.matches("svg")) found.push(...svgLabels(node));
      if (isSvg(node)) continue;
      found.push(...(node.matches("input, select") ? cutField(node) : cutOff(node)),
        ...leaving(node));
    }
    return found;
  }

  // ------------------------------------------------------------------ contrast

  const known = new Map();

  // [red, green, blue, alpha] of any color of CSS
  function parse(color) {
    if (known.has(color)) return known.get(color);
    let parts = /^rgba?\(([^)]+)\)$/.exec(color)?.[1].split(/[\s,/]+/).map(Number);
    if (!parts) {
      measure("", { font: "10px serif" });
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      parts = [...canvas.getImageData(0, 0, 1, 1).data];
      parts[3] /= 255;
    }
    if (parts.length === 3) parts.push(1);
    known.set(color, parts);
    return parts;
  }

  const mix = (base, over, alpha) => base.map((part, at) => part * (1 - alpha) + over[at] * alpha);
  const blend = (base, color) => mix(base, color, color[3]);

  // The colors that a background may have at some place: more than one for a gradient.
  function backgrounds(node, base) {
    const shown = style(node);
    const flat = blend(base, parse(shown.backgroundColor));
    if (!shown.backgroundImage.includes("gradient(")) return [flat];
    const colors = shown.backgroundImage.match(/(rgba?|color|oklab|oklch)\([^()]*\)/g) ?? [];
    return colors.map((color) => blend(flat, parse(color)));
  }

  function canvasColor() {
    const schemes = style(document.documentElement).colorScheme
      + document.querySelector("meta[name='color-scheme']")?.content;
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    return dark && schemes.includes("dark") ? [18, 18, 18] : [255, 255, 255];
  }

  // The shapes of a picture that lie below the middle of a text, in the order of painting.
  function shapesBelow(node) {
    const picture = node.ownerSVGElement;
    if (!picture) return [];
    const box = node.getBoundingClientRect();
    const x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
    return [...picture.querySelectorAll("rect, circle, ellipse, path, polygon")].filter((shape) => {
      const around = shape.getBoundingClientRect();
      const before = shape.compareDocumentPosition(node) & Node.DOCUMENT_POSITION_FOLLOWING;
      return before && style(shape).fill !== "none" && isVisible(shape)
        && around.left <= x && x <= around.right && around.top <= y && y <= around.bottom;
    }).map((shape) => {
      const shown = style(shape), [red, green, blue, alpha] = parse(shown.fill);
      return [red, green, blue, alpha * shown.fillOpacity * shown.opacity];
    });
  }

  // The pairs [text, background] that an element shows: the layers are painted from the root to the
  // element, and a layer's opacity lets through what was there before.
  function seen(node, color) {
    const chain = [];
    for (let one = node; one; one = one.parentElement) chain.unshift(one);
    const below = shapesBelow(node);
    const paint = (at, base) => {
      const opacity = Number(style(chain[at]).opacity);
      return backgrounds(chain[at], base).flatMap((ground) => {
        if (at < chain.length - 1) return paint(at + 1, ground);
        const last = below.reduce(blend, ground);
        return [[blend(last, color), last]];
      }).map((pair) => pair.map((one) => mix(base, one, opacity)));
    };
    return paint(0, canvasColor());
  }

  function luminance(color) {
    const [red, green, blue] = color.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function ratio(one, other) {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }

  const textColor = (node) => (isSvg(node) ? style(node).fill : style(node).webkitTextFillColor);

  // The texts of an element: [text, color] each.
  function textsOf(node) {
    const own = ownText(node).map((text) => text.data).join(" ").trim();
    const list = own === "" ? [] : [[own, textColor(node)]];
    if (node.matches(":placeholder-shown")) {
      list.push([node.placeholder, style(node, "::placeholder").color]);
    } else if (node.matches("input, textarea, select") && node.value
      && !node.matches("[type=radio], [type=checkbox], [type=range], [type=color]")) {
      list.push([node.value, textColor(node)]);
    }
    for (const pseudo of ["::before", "::after"]) {
      const text = /^"(.*)"/.exec(style(node, pseudo).content)?.[1].trim();
      if (text) list.push([text, style(node, pseudo).color]);
    }
    return list.filter(([text]) => text.trim() !== "");
  }

  const isDisabled = (node) => node.closest(":disabled, [aria-disabled='true']") !== null;

  function contrast() {
    stopTransitions();
    const found = [];
    for (const node of all()) {
      if (isDisabled(node)) continue;
      for (const [text, color] of textsOf(node)) {
        const worst = Math.min(...seen(node, parse(color)).map((pair) => ratio(...pair)));
        if (worst < MIN_CONTRAST) {
          found.push(finding("contrast", node, `${worst.toFixed(2)}:1`, text));
        }
      }
    }
    return found;
  }

  function stopTransitions() {
    for (const one of document.getAnimations()) {
      if (one instanceof CSSTransition) one.finish();
    }
  }

  // ------------------------------------------------------------------ focus

  const INTERACTIVE = "a[href], button, input:not([type=hidden]), select, textarea, summary, "
    + "[tabindex], [contenteditable='true'], audio[controls], video[controls]";

  const groupOf = (node) => [...(node.form ?? document).querySelectorAll("input[type=radio]")]
    .filter((one) => one.name === node.name && one.form === node.form);

  // A group of radio buttons counts as one.
  const keyOf = (node) => (node.matches("input[type=radio]") ? pathOf(groupOf(node)[0])
    : pathOf(node));

  function isStop(node) {
    if (node.tabIndex < 0 || isDisabled(node) || node.closest("[inert]")) return false;
    const shown = { visibilityProperty: true, contentVisibilityAuto: true };
    if (!node.checkVisibility(shown)) return false;
    if (node.matches("summary")) return node === node.parentElement.querySelector("summary");
    if (!node.matches("input[type=radio]")) return true;
    // the Tab key reaches the chosen one of a group, or the first
    const group = groupOf(node);
    return node === (group.find((one) => one.checked) ?? group[0]);
  }

  const stops = () => [...(document.querySelector("dialog:modal") ?? document)
    .querySelectorAll(INTERACTIVE)].filter(isStop);

  // What may show that an element has the focus: itself, or what stands for it.
  const marks = (node) => [node, ...(node.labels ?? []), node.parentElement,
    node.nextElementSibling].filter(Boolean);

  const look = (node) => {
    const { boxShadow, borderColor, backgroundColor, textDecoration, stroke } = style(node);
    return [boxShadow, borderColor, backgroundColor, textDecoration, stroke].join("|");
  };

  function ringOf(node) {
    const { outlineStyle, outlineWidth, outlineColor } = style(node);
    if (outlineStyle === "auto") return Infinity; // the browser's own, in two colors
    if (outlineStyle === "none" || parseFloat(outlineWidth) < 1) return 0;
    return Math.min(...seen(node.parentElement ?? node, parse(outlineColor))
      .map((pair) => ratio(...pair)));
  }

  const walk = { before: new Map(), met: [] };

  // Starts at the top, and notes what each element looks like without the focus.
  function start() {
    document.activeElement?.blur();
    stopTransitions();
    const top = document.querySelector("dialog:modal") ?? document.body;
    top.setAttribute("tabindex", "-1");
    top.focus({ preventScroll: true });
    top.removeAttribute("tabindex");
    top.blur();
    scrollTo(0, 0);
    const list = stops();
    for (const node of list) walk.before.set(keyOf(node), marks(node).map(look));
    return list.length;
  }

  function isMarked(node) {
    const before = walk.before.get(keyOf(node)) ?? [];
    return marks(node).some((one, at) => isVisible(one) && (ringOf(one) >= MIN_RING_CONTRAST
      || (before[at] !== undefined && before[at] !== look(one))));
  }

  // The box that is seen in the place of an element: that of its label if it is itself not seen.
  function seenBox(node) {
    const shown = isVisible(node) ? node : node.labels?.[0] ?? node.parentElement;
    return [shown, shown.getClientRects()[0] ?? shown.getBoundingClientRect()];
  }

  function isCovered(node) {
    const [shown, box] = seenBox(node);
    const x = (Math.max(box.left, 0) + Math.min(box.right, innerWidth)) / 2;
    const y = (Math.max(box.top, 0) + Math.min(box.bottom, innerHeight)) / 2;
    const hit = document.elementFromPoint(x, y);
    if (!hit) return true;
    const own = [shown, node, ...(node.labels ?? [])];
    return !own.some((one) => one.contains(hit) || hit.contains(one));
  }

  // After a press of the Tab key: "end", "same", or "next" and the findings of the element.
  function step() {
    stopTransitions();
    const node = document.activeElement;
    if (!node || node === document.body || node === document.documentElement) return { at: "end" };
    const key = keyOf(node), last = walk.met.at(-1);
    if (last?.key === key) {
      last.repeats += 1;
      // a date has a stop for each of its parts
      const allowed = node.matches("input[type=date], input[type=time], input[type=datetime-local]")
        ? 6 : 0;
      return last.repeats > allowed
        ? { at: "trap", found: [finding("focus", node, "the Tab key does not leave it")] }
        : { at: "same" };
    }
    if (walk.met.some((one) => one.key === key)) return { at: "end" };
    const found = [];
    if (last?.node.isConnected) found.push(...orderOf(last.node, node));
    if (!isMarked(node)) found.push(finding("focus", node, "nothing shows that it has the focus"));
    if (isCovered(node)) found.push(finding("focus", node, "is covered when it has the focus"));
    walk.met.push({ key, node, repeats: 0 });
    return { at: "next", found };
  }

  // Whether an element comes after another one: in the document, and for the eye, that is not
  // above it in the same column, nor before it in the same row.
  function orderOf(last, here) {
    const problem = (what) => [finding("focus", here, `${what} ${selectorOf(last)}`)];
    if (last.compareDocumentPosition(here) & Node.DOCUMENT_POSITION_PRECEDING) {
      return problem("stands in the document before");
    }
    const [, old] = seenBox(last), [, box] = seenBox(here);
    if (box.bottom <= old.top + SLACK && box.left < old.right - SLACK) {
      return problem("is seen above");
    }
    const shared = Math.min(box.bottom, old.bottom) - Math.max(box.top, old.top);
    const low = Math.min(box.height, old.height);
    return shared > low / 2 && box.right <= old.left + SLACK ? problem("is seen left of") : [];
  }

  function missed() {
    const keys = new Set(walk.met.map((one) => one.key));
    const first = stops().filter((node) => node.tabIndex > 0)
      .map((node) => finding("focus", node, `tabindex is ${node.tabIndex}`));
    return first.concat(stops()
      .filter((node) => walk.before.has(keyOf(node)) && !keys.has(keyOf(node)))
      .map((node) => finding("focus", node, "the Tab key does not reach it")));
  }

  return { clipping, contrast, start, step, missed };
}

async function ask(page, run) {
  const checks = await page.evaluateHandle(inside);
  try {
    return await run(checks);
  } finally {
    await checks.dispose();
  }
}

// Text that is cut off, leaves its box or the window, or covers another label of a picture.
export const clipping = (page) => ask(page, (checks) => checks.evaluate((its) => its.clipping()));

// Text whose color is too near to what is behind it.
export const contrast = (page) => ask(page, (checks) => checks.evaluate((its) => its.contrast()));

// Presses the Tab key from the top of the page to its end.
export const focusOrder = (page) => ask(page, async (checks) => {
  const count = await checks.evaluate((its) => its.start());
  const found = [];
  let at = "next";
  for (let press = 0; press < 3 * count + 30 && at !== "end" && at !== "trap"; press += 1) {
    await page.keyboard.press("Tab");
    const seen = await checks.evaluate((its) => its.step());
    at = seen.at;
    found.push(...seen.found ?? []);
  }
  return [...found, ...await checks.evaluate((its) => its.missed())];
});

export async function pageFindings(page) {
  return [...await clipping(page), ...await contrast(page), ...await focusOrder(page)];
}

// Checks a page on a phone and a desk, by day and by night. `again` draws what the change of the
// window, or the walk through the page, has closed.
export async function assertChecked(page, name, again = async () => {}) {
  for (const width of [375, 1280]) {
    await page.setViewportSize({ width, height: width === 375 ? 700 : 900 });
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      const found = [...await clipping(page), ...await contrast(page)];
      if (colorScheme === "dark") found.push(...await focusOrder(page));
      assert.deepEqual(found, [], `${name} at ${width}, ${colorScheme}`);
      await again(page);
    }
  }
}
