// 10,000 orders from 16 clients over 4 articles, watched by 100 real WebSocket clients: everybody ends where the database
// is, and everybody has received every version once, in order. SLUICE_ORDERS and SLUICE_WATCHERS change the numbers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readProjection, readTotals, readCommands } from './database.mjs';
import { startServer, waitFor } from './harness.mjs';
import { articleIds } from './http.mjs';
import { checkLedger, checkProjection } from './ledger_checker.mjs';
import { Load } from './load.mjs';
import { checkRecording } from './recording_checker.mjs';
import { stockChannel, Watcher } from './watcher.mjs';

const ORDERS = Number(process.env.SLUICE_ORDERS ?? 10_000);
const WATCHERS = Number(process.env.SLUICE_WATCHERS ?? 100);
const CLIENTS = 16;
const ARTICLES = 4;

test(`${ORDERS} orders reach ${WATCHERS} clients, every version once and in order`, { timeout: 600_000 }, async (t) => {
  const server = await startServer(t);
  const articles = (await articleIds(server.base, 'shop_a')).slice(0, ARTICLES);
  const seeded = new Set((await readCommands(server.database('shop_a'))).keys());
  const watchers = Array.from({ length: WATCHERS }, () => new Watcher(server.live('shop_a'), articles));
  t.after(() => watchers.forEach((watcher) => watcher.close()));
  await waitFor('every client has subscribed', () => watchers.every((watcher) => watcher.live), { deadline_ms: 60_000 });

  const started = performance.now();
  const load = new Load(server, {
    next: (n) => (n < ORDERS ? { kind: 'order', id: `fanout-${n}`, article: articles[n % articles.length], quantity: 1 + (n % 3) } : undefined),
  });
  load.start(CLIENTS);
  await load.finish();
  const sent_s = (performance.now() - started) / 1_000;
  assert.equal(load.acknowledged, ORDERS, `only ${load.acknowledged} of ${ORDERS} orders were acknowledged`);

  const totals = await readTotals(server.database('shop_a'));
  await waitFor('the projection has folded every order', async () => checkProjection(await readProjection(server.database('shop_a')), totals).length === 0, { deadline_ms: 60_000, every_ms: 200 });
  const projection = await readProjection(server.database('shop_a'));
  await waitFor(
    'every client stands where the database is',
    () => watchers.every((watcher) => articles.every((article) => watcher.at(article, projection.get(article).version))),
    { deadline_ms: 120_000, every_ms: 100 },
  );
  const all_s = (performance.now() - started) / 1_000;

  assert.deepEqual(checkLedger(load.ledger, await readCommands(server.database('shop_a')), { known: (key) => seeded.has(key) }), []);
  let frames = 0;
  for (const [index, watcher] of watchers.entries()) {
    assert.deepEqual(watcher.errors, [], `client ${index} was told of errors`);
    for (const article of articles) {
      const final = projection.get(article);
      const records = watcher.recorder.of(stockChannel(article));
      assert.deepEqual(checkRecording(records, { final }), [], `client ${index}, article ${article}`);
      const { version, state } = watcher.views.get(article);
      assert.deepEqual({ version, state }, final, `what client ${index} applied for ${article}`);
      frames += records.filter((record) => record.kind === 'frame').length;
    }
  }
  assert.equal(frames, ORDERS * WATCHERS);
  assertCheckerBites(watchers[0].recorder.of(stockChannel(articles[0])), projection.get(articles[0]));

  const returned = watchers.filter((watcher) => watcher.connections > 1).length;
  t.diagnostic(`${ORDERS} orders in ${sent_s.toFixed(1)} s; ${frames} frames at ${WATCHERS} clients after ${all_s.toFixed(1)} s; ${returned} clients had to come back`);
  watchers.forEach((watcher) => watcher.close());
  await server.stop();
});

/** The same judgement over the same recording, with one frame dropped, repeated or swapped on purpose, has to fail. */
function assertCheckerBites(records, final) {
  const middle = records.findIndex((record, index) => index > records.length / 2 && record.kind === 'frame' && records[index + 1]?.kind === 'frame');
  const [head, one, two, tail] = [records.slice(0, middle), records[middle], records[middle + 1], records.slice(middle + 2)];
  for (const [name, faulty] of Object.entries({ dropped: [...head, two, ...tail], repeated: [...head, one, one, two, ...tail], swapped: [...head, two, one, ...tail] })) {
    assert.notDeepEqual(checkRecording(faulty, { final }), [], `a ${name} frame went unnoticed`);
  }
}
