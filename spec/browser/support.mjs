// What the browser tests share: the built program, a browser, and a page that notes every error.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after } from "node:test";
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

export const program = process.env.SPEC_PROGRAM
  ?? new URL("../../build/bin/palenca", import.meta.url).pathname;

// Milliseconds; only a hang takes longer.
const TIMEOUT = 30000;

const flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const key = "browser-test-key";

// A process whose output is kept, and can be waited for.
class Process {
  constructor(command, args, env) {
    this.output = "";
    this.child = spawn(command, args, { env: { ...process.env, ...env } });
    this.ended = once(this.child, "close").then(([code]) => code);
    this.waiting = new Set();
    for (const stream of [this.child.stdout, this.child.stderr]) {
      stream.setEncoding("utf8").on("data", (text) => {
        this.output += text;
        for (const look of this.waiting) look();
      });
    }
  }

  // The match of a pattern in what was written, as soon as there is one.
  async wait(pattern) {
    let timer;
    try {
      return await new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(this.output);
          if (match) resolve(match);
        };
        const fail = (why) => reject(new Error(`${why}, no ${pattern} in:\n${this.output}`));
        this.waiting.add(look);
        this.ended.then(() => fail("ended"));
        timer = setTimeout(() => fail("too late"), TIMEOUT);
        look();
      });
    } finally {
      clearTimeout(timer);
    }
  }

  async stop() {
    this.child.kill("SIGTERM");
    return this.ended;
  }
}

// One browser for all tests of a file: to start one takes longer than most tests do.
let browser;

function launchBrowser() {
  browser ??= chromium.launch({
    executablePath: process.env.SPEC_CHROMIUM ?? "/usr/bin/chromium-headless-shell", args: flags,
  });
  return browser;
}

after(async () => (await browser)?.close());

// What a test has started and made; all of it goes with the test.
export class Stage {
  constructor() {
    this.directory = mkdtempSync(join(tmpdir(), "palenca-browser-"));
    this.processes = [];
    this.servers = [];
    this.contexts = [];
    this.problems = [];
  }

  file(name, text) {
    const path = join(this.directory, name);
    if (text !== undefined) writeFileSync(path, text);
    return path;
  }

  start(args, env = {}) {
    const started = new Process(program, args, env);
    this.processes.push(started);
    return started;
  }

  // Runs to the end; gives what it wrote to standard output.
  async run(command, args, env = {}) {
    const child = spawn(command, args, { env: { ...process.env, ...env } });
    const written = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"]) {
      child[name].setEncoding("utf8").on("data", (text) => { written[name] += text; });
    }
    const [code] = await once(child, "close");
    assert.equal(code, 0, `${command} ${args.join(" ")}: ${written.stdout}${written.stderr}`);
    return written.stdout;
  }

  async sandbox(...options) {
    const started = this.start(["sandbox", "--listen", "127.0.0.1:0", "--api-key", key,
      "--fast", ...options]);
    const [, url] = await started.wait(/sandbox of the API at (http:\/\/\S+)/);
    return { url, process: started };
  }

  // A receiver of webhooks that keeps what came, and responds with what `respond(count)` gives.
  async receiver(respond) {
    const seen = [];
    const server = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (text) => { body += text; }).on("end", () => {
        seen.push(body);
        const { status, text } = respond(seen.length);
        response.writeHead(status).end(text);
      });
    });
    this.servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return { seen, url: `http://127.0.0.1:${server.address().port}/hook` };
  }

  // A web site of another origin than the sandbox, which shows a page at every path.
  async site(html) {
    const server = createServer((request, response) => {
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" })
        .end(request.url === "/favicon.ico" ? "" : html);
    });
    this.servers.push(server);
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return `http://127.0.0.1:${server.address().port}`;
  }

  // A page of its own profile. Whatever the browser complains of is a problem, and fails the test.
  async page(options = {}) {
    const context = await (await launchBrowser()).newContext({ locale: "en-US",
      reducedMotion: "reduce", viewport: { width: 1280, height: 900 }, ...options });
    this.contexts.push(context);
    context.setDefaultTimeout(TIMEOUT);
    context.on("page", (page) => this.watch(page));
    return context.newPage();
  }

  watch(page) {
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") {
        this.problems.push(`${message.text()} (${message.location().url})`);
      }
    });
    page.on("pageerror", (error) => this.problems.push(String(error.stack ?? error)));
    page.on("request", (request) => {
      const { hostname } = new URL(request.url());
      if (hostname !== "127.0.0.1") this.problems.push(`asked for ${request.url()}`);
    });
  }

  // Problems that a test has provoked are taken away by saying which.
  expectProblem(pattern) {
    const at = this.problems.findIndex((text) => pattern.test(text));
    assert.notEqual(at, -1, `no ${pattern} among ${JSON.stringify(this.problems)}`);
    this.problems.splice(at, 1);
  }

  async close() {
    for (const context of this.contexts) await context.close();
    for (const started of this.processes) await started.stop();
    for (const server of this.servers) {
      server.closeAllConnections();
      server.close();
    }
    rmSync(this.directory, { recursive: true });
    assert.deepEqual(this.problems, [], "the browser's console stays empty");
  }
}

// Runs a test on a stage of its own.
export function staged(run) {
  return async () => {
    const stage = new Stage();
    try {
      await run(stage);
    } catch (error) {
      stage.problems = [];
      throw error;
    } finally {
      await stage.close();
    }
  };
}

export const by = (testid, more = "") => `[data-testid="${testid}"]${more}`;

export async function post(url, body) {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" } });
  return (await response.json()).data;
}

export async function get(url) {
  return (await (await fetch(url)).json()).data;
}

// The page fits: nothing has to be scrolled sideways but what says so.
export async function assertFits(page, width) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= width, `${page.url()} is ${wide} wide`);
}

// Waits until a condition on what the page shows holds.
export const until = (page, condition, given) => page.waitForFunction(condition, given);

// Goes on with the Tab key until an element has the focus, and fails if none ever has.
export async function tabTo(page, selector) {
  for (let presses = 0; presses < 200; presses += 1) {
    const there = await page.evaluate((wanted) => document.activeElement?.matches(wanted),
      selector);
    if (there) return;
    await page.keyboard.press("Tab");
  }
  assert.fail(`the Tab key never came to ${selector}`);
}
