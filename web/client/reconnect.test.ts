import assert from 'node:assert/strict';
import { test } from 'node:test';
import { classifyClose, DEFAULT_RECONNECT, MAX_SERVER_DELAY_MS, reconnectDelay } from './reconnect.js';

const always = () => 0.999_999;
const never = () => 0;

test('close codes are classed by their hundreds', () => {
  for (const code of [4100, 4101, 4199, 1000, 1001, 1006, 1011, 1012, 1013, 3000]) assert.equal(classifyClose(code), 'resume', `${code}`);
  for (const code of [4200, 4201]) assert.equal(classifyClose(code), 'token', `${code}`);
  for (const code of [4300, 4301, 1002, 1003, 1007, 1008, 1009]) assert.equal(classifyClose(code), 'back_off', `${code}`);
  for (const code of [4400, 4401, 4403, 4404, 4499]) assert.equal(classifyClose(code), 'stop', `${code}`);
});

test('delays are jittered from zero up to a bound that doubles and is capped', () => {
  const bounds = [0, 1, 2, 3, 10, 1_000].map((attempt) => reconnectDelay(DEFAULT_RECONNECT, { class: 'resume', attempt }, always));
  assert.deepEqual(bounds, [250, 500, 1_000, 2_000, 15_000, 15_000]);
  assert.equal(reconnectDelay(DEFAULT_RECONNECT, { class: 'resume', attempt: 5 }, never), 0);
});

test('the delay the server asks for is kept exactly at first and never undercut later', () => {
  assert.equal(reconnectDelay(DEFAULT_RECONNECT, { class: 'resume', attempt: 0, reconnect_after_ms: 700 }, always), 700);
  assert.equal(reconnectDelay(DEFAULT_RECONNECT, { class: 'resume', attempt: 2, reconnect_after_ms: 700 }, never), 700);
  assert.ok(reconnectDelay(DEFAULT_RECONNECT, { class: 'resume', attempt: 2, reconnect_after_ms: 700 }, always) > 700);
});

test('an absurd delay from the server is bounded', () => {
  assert.equal(reconnectDelay(DEFAULT_RECONNECT, { class: 'resume', attempt: 0, reconnect_after_ms: 10 ** 12 }, never), MAX_SERVER_DELAY_MS);
});

test('a close that asks for distance is not answered at once', () => {
  assert.ok(reconnectDelay(DEFAULT_RECONNECT, { class: 'back_off', attempt: 0 }, never) >= DEFAULT_RECONNECT.back_off_ms);
});
