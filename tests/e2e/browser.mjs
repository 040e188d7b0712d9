/** Headless Chromium and the page of the shop as a test sees it. */

import assert from 'node:assert/strict';
import { chromium } from './packages.mjs';
import { Recorder } from './recorder.mjs';

const FLAGS = [
  '--headless=new',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What Chromium itself reports about a server that is away; nothing else may appear in a console. */
const OUTAGE = /WebSocket connection to .* failed|net::ERR_(CONNECTION_REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|SOCKET_NOT_CONNECTED)/;

export async function launchBrowser(t) {
  const root = process.getuid?.() === 0;
  const browser = await chromium.launch({
    executablePath: process.env.SLUICE_CHROMIUM ?? '/usr/bin/chromium',
    args: root ? [...FLAGS, '--no-sandbox'] : FLAGS,
  });
  t.after(() => browser.close());
  return browser;
}

/** Opens a shop in a window of its own and waits until it is live. */
export async function openShop(browser, base, tenant, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options });
  const shop = new Shop(await context.newPage());
  await shop.open(base, tenant);
  return shop;
}

class Shop {
  #marked = false;

  constructor(page) {
    this.page = page;
    this.recorder = new Recorder();
    this.console_errors = [];
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.console_errors.push(message.text());
    });
    page.on('pageerror', (error) => this.console_errors.push(`uncaught: ${error.message}`));
    page.on('websocket', (socket) => {
      this.socket = socket;
      socket.on('framereceived', ({ payload }) => this.recorder.take(payload.toString()));
    });
  }

  async open(base, tenant) {
    await this.page.goto(`${base}/#${tenant}`);
    await this.live();
    await this.page.evaluate(() => {
      window.same_page = true;
    });
    this.#marked = true;
  }

  async live(timeout = 30_000) {
    await this.page.waitForFunction(() => document.getElementById('connection-word')?.textContent === 'Live' && document.querySelector('#stock-rows tr') !== null, null, { timeout });
  }

  /** The ids of the articles on the page, in its order. */
  async articles() {
    return this.page.locator('#stock-rows tr').evaluateAll((rows) => rows.map((row) => row.dataset.article));
  }

  async press(kind, article) {
    await this.page.locator(`tr[data-article="${article}"] [data-command="${kind}"]`).click();
  }

  /** The numbers of a row, as a person reads them. */
  async row(article) {
    return this.page.locator(`tr[data-article="${article}"]`).evaluate((row) => {
      const number = (cell) => Number(row.querySelector(`.${cell} .value`).textContent.replace(/[v,]/g, '').replace('\u2212', '-'));
      return { on_hand: number('on-hand'), reserved: number('reserved'), available: number('cell-available'), version: number('version') };
    });
  }

  /** Waits until a row shows this version. */
  async shows(article, version, timeout = 15_000) {
    await this.page.waitForFunction(
      ([id, text]) => document.querySelector(`tr[data-article="${id}"] .version .value`)?.textContent.replaceAll(',', '') === text,
      [article, `v${version}`],
      { timeout },
    );
  }

  async text(id) {
    return this.page.locator(`#${id}`).innerText();
  }

  /** That nobody reloaded the page, and that its console is clean; `outage` excuses what Chromium says of a lost server. */
  async assertUnharmed({ outage = false } = {}) {
    assert.equal(this.#marked && (await this.page.evaluate(() => window.same_page)), true, 'the page was reloaded');
    assert.deepEqual(outage ? this.console_errors.filter((text) => !OUTAGE.test(text)) : this.console_errors, [], 'errors in the console');
  }
}
