import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeServerMessage } from './protocol.js';

const delta = { type: 'delta', channel: 'projection/p/k', epoch: 'e', version: 7, data: { n: 1 } };
const subscribed = { type: 'subscribed', id: 1, channel: 'projection/p/k', epoch: 'e', version: 7, policy: 'evict' };

function decode(message: object) {
  return decodeServerMessage(JSON.stringify(message));
}

test('every message of the protocol is decoded with its members', () => {
  const messages = [
    { type: 'welcome', connection: 'c', ping_interval_ms: 25000, limits: { subscriptions: 256 } },
    { ...subscribed, state: { n: 0 } },
    { ...subscribed, frames: [{ ...delta, version: 6 }, delta] },
    delta,
    { ...delta, event: 'stock_changed' },
    { type: 'reset', channel: 'c', epoch: 'e', version: 0 },
    { type: 'position', channel: 'c', epoch: 'e', version: Number.MAX_SAFE_INTEGER },
    { type: 'error', id: 'x', code: 'forbidden', message: 'no', retry: false },
    { type: 'error', code: 'internal', message: 'no', retry: true },
    { type: 'bye', code: 4101, reason: 'draining', reconnect_after_ms: 120 },
    { type: 'ping' },
  ];
  for (const message of messages) assert.deepEqual(decode(message), { kind: 'message', message });
});

test('missed frames inherit what the answer says already', () => {
  const verdict = decode({ ...subscribed, frames: [{ version: 6, data: 1 }, { version: 7, event: 'moved', data: 2 }] });
  const whole = { type: 'delta', channel: subscribed.channel, epoch: 'e' };
  assert.deepEqual(verdict, {
    kind: 'message',
    message: { ...subscribed, frames: [{ ...whole, version: 6, data: 1 }, { ...whole, version: 7, event: 'moved', data: 2 }] },
  });
});

test('an answer for a channel without positions is told apart', () => {
  const verdict = decode({ type: 'subscribed', id: 3, channel: 'room/lobby', policy: 'evict' });
  assert.deepEqual(verdict, { kind: 'message', message: { type: 'unplaced', id: 3, channel: 'room/lobby' } });
});

test('unknown members are ignored and unknown types are passed over', () => {
  assert.equal(decode({ ...delta, colour: 'blue' }).kind, 'message');
  assert.deepEqual(decode({ type: 'joined', channel: 'c' }), { kind: 'unknown', type: 'joined' });
});

const violations: [string, string | object, RegExp][] = [
  ['no JSON', '{', /not JSON/],
  ['no object', '[]', /not a JSON object/],
  ['no type', {}, /^type: expected a string/],
  ['a version beyond 53 bits', { ...delta, version: 2 ** 53 }, /^delta\.version: expected an integer/],
  ['a negative version', { ...delta, version: -1 }, /^delta\.version/],
  ['a version as text', { ...delta, version: '7' }, /^delta\.version/],
  ['a number as epoch', { ...delta, epoch: 7 }, /^delta\.epoch/],
  ['an empty epoch', { ...delta, epoch: '' }, /^delta\.epoch/],
  ['a delta without data', { ...delta, data: undefined }, /^delta\.data: missing/],
  ['a delta without channel', { ...delta, channel: undefined }, /^delta\.channel/],
  ['an unknown policy', { ...subscribed, policy: 'hope' }, /^subscribed\.policy/],
  ['an answer with half a position', { ...subscribed, version: undefined }, /^subscribed\.version/],
  ['state and frames at once', { ...subscribed, state: {}, frames: [] }, /not both/],
  ['frames that are no array', { ...subscribed, frames: {} }, /^subscribed\.frames: expected an array/],
  ['a bad frame among the missed ones', { ...subscribed, frames: [delta, { ...delta, version: 0.5 }] }, /^subscribed\.frames\[1\]\.version/],
  ['a missed frame of another channel', { ...subscribed, frames: [{ ...delta, channel: 'other' }] }, /frames\[0\]\.channel: differs/],
  ['a missed frame of another type', { ...subscribed, frames: [{ ...delta, type: 'reset' }] }, /frames\[0\]: expected a delta/],
  ['a ping interval of zero', { type: 'welcome', connection: 'c', ping_interval_ms: 0, limits: {} }, /^welcome\.ping_interval_ms/],
  ['an error that does not say whether to retry', { type: 'error', code: 'x', message: 'y' }, /^error\.retry/],
];

for (const [name, message, reason] of violations) {
  test(`${name} is a violation that names the place`, () => {
    const verdict = typeof message === 'string' ? decodeServerMessage(message) : decode(message);
    assert.equal(verdict.kind, 'violation');
    assert.match(verdict.kind === 'violation' ? verdict.reason : '', reason);
  });
}
