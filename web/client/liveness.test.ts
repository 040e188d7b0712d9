import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Liveness } from './liveness.js';

test('silence for two intervals is death', () => {
  const liveness = new Liveness(100, 0);
  assert.equal(liveness.check(200), 'dead');
});

test('traffic moves the next check', () => {
  const liveness = new Liveness(100, 0);
  liveness.heard(150);
  assert.equal(liveness.check(200), 150);
  assert.equal(liveness.check(350), 'dead');
});

test('a check that comes far too late grants one more interval and then judges', () => {
  const liveness = new Liveness(100, 0);
  assert.equal(liveness.check(5_000), 100);
  assert.equal(liveness.check(5_100), 'dead');
});
