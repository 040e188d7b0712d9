// The page in a real browser: several windows, lost connections, a killed server, the keyboard, and how it looks.
// SLUICE_SCREENSHOTS names a folder for the pictures.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launchBrowser, openShop } from './browser.mjs';
import { readCommands, readProjection, readTotals } from './database.mjs';
import { startServer, waitFor } from './harness.mjs';
import { send } from './http.mjs';
import { checkLedger, checkProjection } from './ledger_checker.mjs';
import { Load } from './load.mjs';
import { checkRecording } from './recording_checker.mjs';
import { stockChannel, Watcher } from './watcher.mjs';

const suite = { cleanups: [], after: (run) => suite.cleanups.push(run) };
let browser;
let server;

before(async () => {
  browser = await launchBrowser(suite);
  server = await startServer(suite);
});

after(async () => {
  for (const run of suite.cleanups.reverse()) await run();
});

/** A window that closes with its test. */
async function open(t, tenant, options) {
  const shop = await openShop(browser, server.base, tenant, options);
  t.after(() => shop.page.context().close());
  return shop;
}

test('an order in one window is seen in two others of its shop and in none of the other shop', { timeout: 60_000 }, async (t) => {
  const [first, second, third, foreign] = await Promise.all([open(t, 'shop_a'), open(t, 'shop_a'), open(t, 'shop_a'), open(t, 'shop_b')]);
  const [article] = await first.articles();
  const [foreign_article] = await foreign.articles();
  const start = await first.row(article);

  await first.press('order', article);
  for (const shop of [first, second, third]) {
    await shop.shows(article, start.version + 1);
    assert.deepEqual(await shop.row(article), { ...start, reserved: start.reserved + 1, available: start.available - 1, version: start.version + 1 });
    assert.match(await shop.page.locator('#feed-list li').first().innerText(), /Order 1/);
  }

  const foreign_start = await foreign.row(foreign_article);
  await foreign.press('restock', foreign_article);
  await foreign.shows(foreign_article, foreign_start.version + 1);
  const own = new Set((await foreign.articles()).map(stockChannel));
  assert.deepEqual(foreign.recorder.channels.filter((channel) => !own.has(channel)), []);
  assert.equal(await foreign.page.locator('#feed-list li').count(), 1);
  for (const shop of [first, second, third, foreign]) await shop.assertUnharmed();
});

test('the colour of a row that lights up agrees with the number that moved', { timeout: 60_000 }, async (t) => {
  const shop = await open(t, 'shop_a');
  const [article] = await shop.articles();
  await shop.page.evaluate((id) => {
    const row = document.querySelector(`tr[data-article="${id}"]`);
    const moved = row.querySelector('.moved');
    const colours = getComputedStyle(document.documentElement);
    // The browser writes a colour in its own way; an element tells how.
    const written = (name) => {
      const probe = document.createElement('i');
      probe.style.backgroundColor = colours.getPropertyValue(name);
      return probe.style.backgroundColor;
    };
    const expected = { up: written('--flash-up'), down: written('--flash-down') };
    window.lit = { up: 0, down: 0, wrong: 0 };
    new MutationObserver(() => {
      const tone = moved.dataset.tone;
      queueMicrotask(() => {
        const light = row.getAnimations().at(-1)?.effect.getKeyframes()[0].backgroundColor;
        window.lit[light === expected[tone] ? tone : 'wrong'] += 1;
      });
    }).observe(moved, { attributes: true, attributeFilter: ['data-tone'] });
  }, article);
  for (let n = 0; n < 20; n += 1) {
    const { version } = await shop.row(article);
    await send(server.base, 'shop_a', { kind: n % 2 === 0 ? 'order' : 'restock', id: `lit-${n}`, article, quantity: 1 });
    await shop.shows(article, version + 1);
  }
  const lit = await shop.page.evaluate(() => window.lit);
  assert.equal(lit.wrong, 0, JSON.stringify(lit));
  assert.ok(lit.up >= 5 && lit.down >= 5, JSON.stringify(lit));
});

test('a connection that is cut resumes with exactly what it missed', { timeout: 60_000 }, async (t) => {
  const shop = await open(t, 'shop_a');
  const articles = await shop.articles();
  const start = await shop.row(articles[0]);
  const other = await shop.row(articles[1]);
  const witness = new Watcher(server.live('shop_a'), articles.slice(0, 2));
  t.after(() => witness.close());

  await shop.page.click('#cut');
  assert.match(await shop.text('connection-word'), /Cut/);
  // Until the old connection is gone its last frames would be recorded beside the ones that are sent again.
  await waitFor('the old connection is closed', () => shop.socket.isClosed());
  const order = (_, n) => send(server.base, 'shop_a', { kind: 'order', id: `cut-${n}`, article: articles[n % 2], quantity: 1 });
  const answers = await Promise.all(Array.from({ length: 37 }, order));
  assert.ok(answers.every(({ status }) => status === 201));
  // An answer comes with the commit; what is published only after the page is back it has not missed.
  await waitFor('every change is published', () => witness.at(articles[0], start.version + 19) && witness.at(articles[1], other.version + 18));
  assert.equal((await shop.row(articles[0])).version, start.version, 'the page changed while it was cut');
  await shop.page.click('#cut');
  await shop.live();
  await shop.page.waitForFunction(() => document.getElementById('resumption').textContent !== '');
  assert.equal(await shop.text('resumption'), 'Missed 37 changes, resumed without a reload.');

  await shop.shows(articles[0], start.version + 19);
  const projection = await readProjection(server.database('shop_a'));
  for (const article of articles.filter((id) => projection.has(id))) {
    assert.deepEqual(checkRecording(shop.recorder.of(stockChannel(article)), { final: projection.get(article) }), [], article);
  }
  await shop.assertUnharmed();
});

test('a thousand orders run through, and the page ends where the database is', { timeout: 120_000 }, async (t) => {
  const shop = await open(t, 'shop_b');
  const { length } = [...(await readCommands(server.database('shop_b')))];
  await shop.page.click('#burst');
  await shop.page.waitForFunction(() => /^1,000 orders in .* per second$/.test(document.getElementById('burst-text').textContent), null, { timeout: 100_000 });
  assert.equal([...(await readCommands(server.database('shop_b')))].length, length + 1_000);
  await endsWhereTheDatabaseIs(shop, 'shop_b');
  assert.match(await shop.text('latency-p50'), /^[\d.,]+$/);
  assert.ok((await shop.page.locator('#feed-list li').count()) <= 60, 'the list of changes is not bounded');
  await shop.assertUnharmed();
});

test('a server killed under load comes back and the pages recover by themselves', { timeout: 120_000 }, async (t) => {
  const own = await startServer(t);
  const shops = await Promise.all([openShop(browser, own.base, 'shop_a'), openShop(browser, own.base, 'shop_a')]);
  t.after(() => Promise.all(shops.map((shop) => shop.page.context().close())));
  const articles = await shops[0].articles();
  const seeded = new Set((await readCommands(own.database('shop_a'))).keys());
  const load = new Load(own, { next: (n) => ({ kind: 'order', id: `kill-${n}`, article: articles[n % articles.length], quantity: 1 }) });
  t.after(() => load.stop());
  load.start(8);
  await waitFor('the load is under way', () => load.acknowledged >= 50);

  load.hold();
  await own.kill9();
  await Promise.all(shops.map((shop) => shop.page.waitForFunction(() => document.getElementById('connection-state').dataset.tone !== 'live')));
  await own.restart();
  await Promise.all(shops.map((shop) => shop.live()));
  const before = load.acknowledged;
  load.release();
  await waitFor('the load goes on', () => load.acknowledged >= before + 50);
  await load.stop();

  assert.deepEqual(checkLedger(load.ledger, await readCommands(own.database('shop_a')), { known: (key) => seeded.has(key) }), []);
  for (const shop of shops) {
    await endsWhereTheDatabaseIs(shop, 'shop_a', own);
    const projection = await readProjection(own.database('shop_a'));
    for (const article of articles) assert.deepEqual(checkRecording(shop.recorder.of(stockChannel(article)), { final: projection.get(article), snapshots: true }), [], article);
    await shop.assertUnharmed({ outage: true });
  }
  await own.stop();
});

test('the keyboard alone is enough: choose the shop, order, see it, with a visible focus', { timeout: 60_000 }, async (t) => {
  const { page } = await open(t, 'shop_a');
  await focusOn(page, (element) => element.getAttribute('name') === 'tenant');
  await page.keyboard.press('ArrowRight');
  await page.waitForFunction(() => document.getElementById('shop-name').textContent === 'Birch Market' && document.getElementById('connection-word').textContent === 'Live');
  const article = await page.locator('#stock-rows tr').first().getAttribute('data-article');
  const version = () => page.locator(`tr[data-article="${article}"] .version .value`).innerText();
  await page.waitForFunction((id) => /^v/.test(document.querySelector(`tr[data-article="${id}"] .version .value`).textContent), article);
  const start = await version();
  await focusOn(page, (element, id) => element.dataset.command === 'order' && element.closest('tr').dataset.article === id, article);
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineWidth);
  assert.ok(Number.parseFloat(outline) >= 2, `the focus is not visible: outline ${outline}`);
  await page.keyboard.press('Enter');
  await waitFor('the order shows', async () => (await version()) !== start);
});

test('a refusal is told in words, and an order without an answer can be sent again without doubling', { timeout: 60_000 }, async (t) => {
  const shop = await open(t, 'shop_a');
  const { page } = shop;
  const [article] = await shop.articles();
  const problem = { type: 'about:blank', title: 'Order differs', status: 409, detail: 'Order 7 exists with quantity 2; choose another id.', request_id: 'req-7' };
  await page.route('**/orders', (route) => route.fulfill({ status: 409, contentType: 'application/problem+json', body: JSON.stringify(problem) }));
  await shop.press('order', article);
  await page.getByText('Order 7 exists with quantity 2; choose another id. (request req-7)').waitFor();
  await page.unroute('**/orders');

  // The order arrives, its answer does not.
  const ids = [];
  await page.route('**/orders', async (route) => {
    ids.push(route.request().postDataJSON().id);
    await route.fetch();
    await route.abort();
  });
  const start = await shop.row(article);
  await shop.press('order', article);
  const again = page.getByRole('button', { name: 'Send again' });
  await again.waitFor();
  await page.unroute('**/orders');
  await page.route('**/orders', async (route) => {
    ids.push(route.request().postDataJSON().id);
    await route.continue();
  });
  await again.click();
  await page.locator('.notice').waitFor({ state: 'detached' });
  await shop.press('order', article);
  await shop.shows(article, start.version + 2);
  assert.equal(ids[0], ids[1], 'it was sent again under another id');
});

test('without a server the page says so, and it comes to life when there is one', { timeout: 60_000 }, async (t) => {
  const context = await browser.newContext();
  t.after(() => context.close());
  const page = await context.newPage();
  await page.route('**/articles', (route) => route.abort());
  await page.goto(server.base);
  await page.getByText('The server does not answer. Is it running?').waitFor();
  await page.unroute('**/articles');
  await page.getByRole('button', { name: 'Try again' }).click();
  await page.locator('#stock-rows tr').first().waitFor();
});

test('any channel can be watched by its address, and one that is closed says why', { timeout: 60_000 }, async (t) => {
  const shop = await open(t, 'shop_a');
  const { page } = shop;
  const [article] = await shop.articles();
  await page.getByText('Watch another channel').click();
  await page.fill('#watch-address', stockChannel(article));
  await page.getByRole('button', { name: 'Watch', exact: true }).click();
  await page.waitForFunction(() => /version[^]*on_hand/.test(document.getElementById('watch-result').textContent));
  await page.fill('#watch-address', 'nothing/here');
  await page.getByRole('button', { name: 'Watch', exact: true }).click();
  await page.waitForFunction(() => /\(forbidden\)[^]*check the spelling/.test(document.getElementById('watch-result').textContent));
});

for (const width of [360, 1440]) {
  for (const colorScheme of ['light', 'dark']) {
    test(`it fits ${width} px in ${colorScheme} and holds nothing wider than the window`, { timeout: 60_000 }, async (t) => {
      const shop = await open(t, 'shop_a', { viewport: { width, height: width === 360 ? 780 : 1_000 }, colorScheme, reducedMotion: 'reduce' });
      const [article, other] = await shop.articles();
      const { version } = await shop.row(other);
      await shop.press('order', article);
      await shop.press('restock', other);
      await shop.shows(other, version + 1);
      const path = process.env.SLUICE_SCREENSHOTS;
      if (path !== undefined) mkdirSync(path, { recursive: true });
      const picture = await shop.page.screenshot({ fullPage: true, ...(path === undefined ? {} : { path: join(path, `shop-${width}-${colorScheme}.png`) }) });
      assert.ok(picture.length > 10_000, 'the picture is empty');
      for (const summary of await shop.page.locator('summary').all()) await summary.click();
      const overflow = await shop.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      assert.equal(overflow, 0, `the page is ${overflow} px wider than the window`);
      await shop.assertUnharmed();
    });
  }
}

/** Presses Tab until the focus is where `isThere` says; the page has far fewer stops than the bound. */
async function focusOn(page, isThere, argument) {
  for (let presses = 0; presses < 60; presses += 1) {
    await page.keyboard.press('Tab');
    const there = await page.evaluate(([source, value]) => new Function(`return (${source})`)()(document.activeElement, value), [isThere.toString(), argument]);
    if (there) return;
  }
  throw new Error(`Tab does not reach ${isThere}`);
}

async function endsWhereTheDatabaseIs(shop, tenant, of = server) {
  const totals = await readTotals(of.database(tenant));
  await waitFor('the projection has folded every order', async () => checkProjection(await readProjection(of.database(tenant)), totals).length === 0, { every_ms: 100 });
  for (const [article, { version, state }] of await readProjection(of.database(tenant))) {
    await shop.shows(article, version);
    assert.deepEqual(await shop.row(article), { ...state, available: state.on_hand - state.reserved, version });
  }
}
