// kill -9 at random moments under load. After each restart every acknowledged order is there once, unanswered ones at most
// once; in the end totals, versions and the rebuild of the projection agree, and watching clients saw no gap.
// SLUICE_KILLS sets how many (10 here, 200 in the campaign); SLUICE_SEED repeats the moments.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCommands, readProjection, readTotals } from './database.mjs';
import { pause, startServer, waitFor } from './harness.mjs';
import { articleIds } from './http.mjs';
import { checkLedger, checkProjection } from './ledger_checker.mjs';
import { Load } from './load.mjs';
import { chooseSeed, seededRandom } from './random.mjs';
import { checkRecording } from './recording_checker.mjs';
import { stockChannel, Watcher } from './watcher.mjs';

const KILLS = Number(process.env.SLUICE_KILLS ?? 10);
const CLIENTS = 16;
/** A kill comes this long after the first answer of its round, at most. */
const ROUND_MS = 250;
const LEAST_SHARE_IN_FLIGHT = 0.75;

test(`${KILLS} kills lose, double and invent nothing`, { timeout: 120_000 + KILLS * 15_000 }, async (t) => {
  const seed = chooseSeed();
  t.diagnostic(`seed ${seed} (SLUICE_SEED repeats it)`);
  const random = seededRandom(seed);
  const content = seededRandom(seed + 1);
  const server = await startServer(t);
  const database = server.database('shop_a');
  const articles = await articleIds(server.base, 'shop_a');
  const seeded = new Set((await readCommands(database)).keys());
  const known = (key) => seeded.has(key);
  const watchers = Array.from({ length: 2 }, () => new Watcher(server.live('shop_a'), articles));
  t.after(() => watchers.forEach((watcher) => watcher.close()));
  await waitFor('the watchers have subscribed', () => watchers.every((watcher) => watcher.live));

  const load = new Load(server, { next: (n) => command(n, articles, content) });
  t.after(() => load.stop());
  load.start(CLIENTS);
  let in_flight = 0;
  for (let kill = 1; kill <= KILLS; kill += 1) {
    const before = load.acknowledged;
    await waitFor(`the server answers before kill ${kill}`, () => load.acknowledged > before, { deadline_ms: 30_000, every_ms: 2 });
    // lint: allow sleep: the moment of the kill is meant to be random, nothing is waited for
    await pause(random() * ROUND_MS);
    load.hold();
    if (load.in_flight > 0) in_flight += 1;
    await server.kill9();
    await waitFor('every request knows its end', () => load.in_flight === 0);
    await server.restart();
    assert.deepEqual(checkLedger(load.ledger, await readCommands(database), { known }), [], `after kill ${kill} (seed ${seed})`);
    await resendSome(load, random, kill, seed);
    load.release();
  }
  await load.stop();

  t.diagnostic(`kills with a request in flight: ${in_flight} of ${KILLS}`);
  t.diagnostic(`commands: ${summary(load)}`);
  assert.ok(in_flight >= LEAST_SHARE_IN_FLIGHT * KILLS, `only ${in_flight} of ${KILLS} kills met a request in flight`);
  assert.deepEqual(checkLedger(load.ledger, await readCommands(database), { known }), [], `in the end (seed ${seed})`);
  await judgeProjection(server, watchers, articles, seed);
  watchers.forEach((watcher) => watcher.close());
  await server.stop();
  const verdict = server.verifyProjections();
  t.diagnostic(verdict.output.trim());
  assert.equal(verdict.code, 0, verdict.output);
  assert.match(verdict.output, /projections equal their rebuild: [1-9]\d* keys/);
});

function command(n, articles, random) {
  const kind = random() < 0.15 ? 'restock' : 'order';
  return { kind, id: `k9-${n}`, article: articles[Math.floor(random() * articles.length)], quantity: 1 + Math.floor(random() * 4) };
}

/** Half of what got no answer is sent again under its id: that must be answered and must not double it. */
async function resendSome(load, random, kill, seed) {
  const unanswered = [...load.ledger.values()].filter((entry) => entry.status === 'unanswered' && entry.tried !== true);
  for (const entry of unanswered) {
    entry.tried = true;
    if (random() < 0.5) continue;
    await load.resend(entry);
    assert.equal(entry.status, 'acknowledged', `${entry.command.id} sent again after kill ${kill} was answered ${entry.answer?.status} (seed ${seed})`);
  }
}

async function judgeProjection(server, watchers, articles, seed) {
  const totals = await readTotals(server.database('shop_a'));
  const judge = async () => checkProjection(await readProjection(server.database('shop_a')), totals);
  await waitFor('the projection has folded everything', async () => (await judge()).length === 0, { every_ms: 100 }).catch(async () => undefined);
  assert.deepEqual(await judge(), [], `projection against rows (seed ${seed})`);
  const projection = await readProjection(server.database('shop_a'));
  const touched = articles.filter((article) => projection.has(article));
  await waitFor('the watchers stand where the database is', () => watchers.every((watcher) => touched.every((article) => watcher.at(article, projection.get(article).version))));
  for (const [index, watcher] of watchers.entries()) {
    for (const article of touched) {
      const problems = checkRecording(watcher.recorder.of(stockChannel(article)), { final: projection.get(article), snapshots: true });
      assert.deepEqual(problems, [], `watcher ${index}, article ${article} (seed ${seed})`);
    }
  }
}

function summary(load) {
  const counts = {};
  for (const { status } of load.ledger.values()) counts[status] = (counts[status] ?? 0) + 1;
  return JSON.stringify(counts);
}
