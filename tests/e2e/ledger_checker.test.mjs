// The checker of the ledger itself: each way to lose, double or invent an order is found.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkLedger, checkProjection } from './ledger_checker.mjs';

const command = { kind: 'order', id: 'a', article: 'A-1', quantity: 2 };
const row = { article: 'A-1', quantity: 2 };

function judge(status, found, id = 'order a') {
  return checkLedger(new Map([['order a', { command, status }]]), new Map(found.length > 0 ? [[id, found]] : []));
}

test('what may be is accepted', () => {
  assert.deepEqual(judge('acknowledged', [row]), []);
  assert.deepEqual(judge('unanswered', [row]), []);
  assert.deepEqual(judge('unanswered', []), []);
  assert.deepEqual(judge('refused', []), []);
});

const faults = {
  'an acknowledged order that is lost': ['acknowledged', []],
  'an acknowledged order that is there twice': ['acknowledged', [row, row]],
  'an unanswered order that is there twice': ['unanswered', [row, row]],
  'a refused order that is there': ['refused', [row]],
  'an order with another quantity': ['acknowledged', [{ ...row, quantity: 3 }]],
  'an order of another article': ['unanswered', [{ ...row, article: 'A-2' }]],
  'an order that nobody sent': ['unanswered', [row], 'order b'],
};

for (const [name, given] of Object.entries(faults)) {
  test(`${name} is found`, () => assert.equal(judge(...given).length, 1));
}

test('a projection is compared with its rows in version, totals and keys', () => {
  const totals = new Map([['A-1', { on_hand: 10, reserved: 3, changes: 4 }]]);
  const at = (version, on_hand, reserved) => new Map([['A-1', { version, state: { on_hand, reserved } }]]);
  assert.deepEqual(checkProjection(at(4, 10, 3), totals), []);
  assert.equal(checkProjection(at(5, 10, 3), totals).length, 1);
  assert.equal(checkProjection(at(4, 10, 4), totals).length, 1);
  assert.equal(checkProjection(new Map(), totals).length, 1);
  assert.equal(checkProjection(at(4, 10, 3), new Map()).length, 1);
});
