import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BurstPlan, type BurstPorts, type BurstProgress, runBurst } from './burst.js';
import { count, milliseconds, signed } from './format.js';
import { LatencyStrip, LatencyWindow } from './latency.js';
import { describeProblem } from './problem.js';
import { Resumption } from './resumption.js';
import type { Command, Outcome } from './shop_api.js';
import { readChange, readLevel, Stock } from './stock.js';

test('a row collects how far it moved until it is taken', () => {
  const stock = new Stock();
  stock.set('A', { on_hand: 10, reserved: 0 }, 'e', 1);
  assert.deepEqual(stock.takeChanged(), [['A', { on_hand: 10, reserved: 0, epoch: 'e', version: 1, moved: 0 }]]);
  stock.set('A', { on_hand: 10, reserved: 1 }, 'e', 2);
  stock.set('A', { on_hand: 10, reserved: 4 }, 'e', 3);
  assert.deepEqual(stock.takeChanged(), [['A', { on_hand: 10, reserved: 4, epoch: 'e', version: 3, moved: -4 }]]);
  assert.deepEqual(stock.takeChanged(), []);
});

test('a new position keeps the levels', () => {
  const stock = new Stock();
  stock.set('A', { on_hand: 3, reserved: 1 }, 'e', 8);
  stock.move('A', 'f', 2);
  assert.deepEqual(stock.get('A'), { on_hand: 3, reserved: 1, epoch: 'f', version: 2, moved: 0 });
  assert.equal(stock.newest()?.article, 'A');
});

test('levels and changes are read only when they are whole', () => {
  assert.deepEqual(readLevel(undefined), { on_hand: 0, reserved: 0 });
  assert.deepEqual(readLevel({ on_hand: 2, reserved: 3 }), { on_hand: 2, reserved: 3 });
  assert.equal(readLevel({ on_hand: '2', reserved: 3 }), undefined);
  assert.deepEqual(readChange({ on_hand: 2, reserved: 3, cause: 'order', quantity: 1, at_us: 5 }), { on_hand: 2, reserved: 3, cause: 'order', quantity: 1, at_us: 5 });
  assert.equal(readChange({ on_hand: 2, reserved: 3, cause: 'theft', quantity: 1, at_us: 5 }), undefined);
  assert.equal(readChange(undefined), undefined);
});

test('percentiles are those of the last samples', () => {
  const window = new LatencyWindow(100);
  assert.equal(window.summary(), undefined);
  for (let value = 1; value <= 150; value += 1) window.add(value);
  assert.deepEqual(window.summary(), { count: 100, p50: 100, p99: 149 });
});

test('the strip keeps one step per slice of time and leaves quiet ones empty', () => {
  const strip = new LatencyStrip(4, 100);
  strip.add(5, 1_000);
  strip.add(7, 1_099);
  strip.add(9, 1_250);
  assert.deepEqual(strip.view(1_299), [undefined, { median: 5, highest: 7 }, undefined, { median: 9, highest: 9 }]);
  assert.deepEqual(strip.view(9_000), [undefined, undefined, undefined, undefined]);
});

test('a problem is told in words, also when the server sent none', () => {
  const problem = describeProblem(409, { title: 'Order differs', detail: 'Order 7 exists with quantity 2.', request_id: 'r1' });
  assert.deepEqual(problem, { status: 409, title: 'Order differs', detail: 'Order 7 exists with quantity 2.', request_id: 'r1' });
  assert.equal(describeProblem(503, undefined).title, 'The server is busy');
  assert.equal(describeProblem(500, 'oops').title, 'The server failed');
  assert.equal(describeProblem(418, { title: '' }).title, 'The server refused this');
});

test('a resumption is summed up when the last channel is back', () => {
  const both = new Resumption(2);
  assert.equal(both.add({ by: 'frames', missed: 30 }), undefined);
  assert.equal(both.add({ by: 'frames', missed: 7 }), 'Missed 37 changes, resumed without a reload.');
  assert.equal(new Resumption(1).add({ by: 'nothing', missed: 0 }), 'Missed nothing, resumed without a reload.');
  assert.equal(new Resumption(1).add({ by: 'frames', missed: 1 }), 'Missed 1 change, resumed without a reload.');
  assert.match(new Resumption(1).add({ by: 'state', missed: 1_200 }) ?? '', /^Was 1,200 changes behind/);
  assert.match(new Resumption(1).add({ by: 'state', missed: undefined }) ?? '', /numbers anew/);
});

test('numbers carry a real minus sign and an explicit plus', () => {
  assert.equal(count(-1_234), '\u22121,234');
  assert.equal(signed(5), '+5');
  assert.equal(milliseconds(3.14), '3.1');
  assert.equal(milliseconds(1_234.4), '1,234');
});

const plan: BurstPlan = { total: 40, in_flight: 4, tries: 3, pause_ms: () => 1 };

function burst(answer: (command: Command, attempt: number) => Outcome<true>) {
  const attempts = new Map<string, number>();
  const seen = { under_way: 0, most: 0, attempts, last: undefined as BurstProgress | undefined };
  let made = 0;
  const ports: BurstPorts = {
    next: () => ({ kind: 'order', id: `o${(made += 1)}`, article: 'A', quantity: 1 }),
    send: async (command) => {
      seen.under_way += 1;
      seen.most = Math.max(seen.most, seen.under_way);
      const attempt = (attempts.get(command.id) ?? 0) + 1;
      attempts.set(command.id, attempt);
      await Promise.resolve();
      seen.under_way -= 1;
      return answer(command, attempt);
    },
    sleep: () => Promise.resolve(),
    onProgress: (progress) => {
      seen.last = progress;
    },
  };
  return { ports, seen };
}

const done: Outcome<true> = { kind: 'done', value: true };
const busy: Outcome<true> = { kind: 'refused', problem: describeProblem(503, undefined), retry_after_ms: undefined };
const wrong: Outcome<true> = { kind: 'refused', problem: describeProblem(409, { title: 'No', detail: 'It differs.' }), retry_after_ms: undefined };

test('a burst sends every order once and never more at a time than allowed', async () => {
  const { ports, seen } = burst(() => done);
  const end = await runBurst(plan, ports, new AbortController().signal);
  assert.equal(end.done, 40);
  assert.equal(seen.attempts.size, 40);
  assert.equal(seen.most, 4);
});

test('an order without an answer or with a busy server is sent again under the same id', async () => {
  const { ports, seen } = burst((_, attempt) => [{ kind: 'unanswered' } as const, busy, done][attempt - 1] ?? done);
  const end = await runBurst(plan, ports, new AbortController().signal);
  assert.deepEqual({ done: end.done, resent: end.resent, refused: end.refused }, { done: 40, resent: 80, refused: 0 });
  assert.ok([...seen.attempts.values()].every((attempts) => attempts === 3));
});

test('an order that is refused for good is not sent again and its reason is kept', async () => {
  const { ports } = burst(() => wrong);
  const end = await runBurst(plan, ports, new AbortController().signal);
  assert.deepEqual({ refused: end.refused, resent: end.resent, why: end.last_problem }, { refused: 40, resent: 0, why: 'It differs.' });
});

test('orders that never get an answer are given up and counted', async () => {
  const { ports } = burst(() => ({ kind: 'unanswered' }));
  const end = await runBurst({ ...plan, total: 5 }, ports, new AbortController().signal);
  assert.deepEqual({ unanswered: end.unanswered, resent: end.resent }, { unanswered: 5, resent: 10 });
});

test('a burst that is stopped begins no further order', async () => {
  const stop = new AbortController();
  const { ports, seen } = burst(() => {
    stop.abort();
    return done;
  });
  await runBurst(plan, ports, stop.signal);
  assert.ok(seen.attempts.size <= 4);
});
