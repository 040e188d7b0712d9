import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ChannelState, type Effect, GAPS_BEFORE_FRESH_STATE, GAPS_BEFORE_VIOLATION } from './channel_state.js';
import type { DeltaMessage, OverflowPolicy, SubscribedMessage } from './protocol.js';

const channel = 'projection/p/k';

function delta(version: number, epoch = 'e1'): DeltaMessage {
  return { type: 'delta', channel, epoch, version, data: version };
}

function answer(version: number, rest: Partial<SubscribedMessage> = {}): SubscribedMessage {
  return { type: 'subscribed', id: 1, channel, epoch: 'e1', version, policy: 'evict', ...rest };
}

/** A subscription that is live with the state at (e1, version). */
function liveAt(version: number, policy: OverflowPolicy = 'evict'): ChannelState {
  const state = new ChannelState(channel);
  state.ask();
  state.subscribed(answer(version, { state: {}, policy }));
  return state;
}

function kinds(effects: readonly Effect[]): string[] {
  return effects.map((effect) => effect.kind);
}

test('the first answer gives the state and the position', () => {
  const state = new ChannelState(channel);
  assert.equal(state.ask(), undefined);
  const effects = state.subscribed(answer(5, { state: { n: 1 } }));
  assert.deepEqual(effects, [{ kind: 'state', state: { n: 1 }, known: true, cause: 'snapshot' }]);
  assert.deepEqual(state.position, { epoch: 'e1', version: 5 });
});

test('the next version is applied, older ones are ignored', () => {
  const state = liveAt(5);
  assert.deepEqual(kinds(state.delta(delta(6))), ['delta']);
  assert.deepEqual(state.delta(delta(6)), []);
  assert.deepEqual(state.delta(delta(2)), []);
  assert.deepEqual(state.position, { epoch: 'e1', version: 6 });
});

test('a jump asks again from the position held, and nothing is believed until the answer', () => {
  const state = liveAt(5);
  assert.deepEqual(state.delta(delta(8)), [{ kind: 'ask' }]);
  assert.deepEqual(state.ask(), { epoch: 'e1', version: 5 });
  assert.deepEqual(state.delta(delta(6)), []);
  const effects = state.subscribed(answer(8, { frames: [delta(6), delta(7), delta(8)] }));
  assert.deepEqual(kinds(effects), ['delta', 'delta', 'delta', 'resumed']);
  assert.deepEqual(effects.at(-1), { kind: 'resumed', by: 'frames', missed: 3 });
});

test('jumps are normal under drop_oldest and are counted', () => {
  const state = liveAt(5, 'drop_oldest');
  assert.deepEqual(state.delta(delta(8)), [{ kind: 'delta', delta: delta(8), replayed: false, skipped: 2 }]);
});

test('a delta of another epoch without a reset is a gap', () => {
  const state = liveAt(5);
  assert.deepEqual(state.delta(delta(6, 'e2')), [{ kind: 'ask' }]);
});

test('a reset replaces state and epoch, with and without the state itself', () => {
  const state = liveAt(5);
  const effects = state.reset({ type: 'reset', channel, epoch: 'e2', version: 1, state: { n: 9 } });
  assert.deepEqual(effects, [{ kind: 'state', state: { n: 9 }, known: true, cause: 'reset' }]);
  assert.deepEqual(kinds(state.delta(delta(2, 'e2'))), ['delta']);
  const bare = state.reset({ type: 'reset', channel, epoch: 'e3', version: 4 });
  assert.deepEqual(bare, [{ kind: 'state', state: undefined, known: false, cause: 'reset' }]);
});

test('a position moves without touching the state', () => {
  const state = liveAt(5);
  assert.deepEqual(kinds(state.moved({ type: 'position', channel, epoch: 'e2', version: 3 })), ['position']);
  assert.deepEqual(kinds(state.delta(delta(4, 'e2'))), ['delta']);
});

test('a resumption that missed nothing says so', () => {
  for (const rest of [{}, { frames: [] }]) {
    const state = liveAt(5);
    state.detached();
    state.ask();
    assert.deepEqual(state.subscribed(answer(5, rest)), [{ kind: 'resumed', by: 'nothing', missed: 0 }]);
  }
});

test('a resumption by state counts the versions that passed, where the epoch allows it', () => {
  const same = liveAt(5);
  same.detached();
  same.ask();
  assert.deepEqual(same.subscribed(answer(42, { state: {} })).at(-1), { kind: 'resumed', by: 'state', missed: 37 });
  const moved = liveAt(5);
  moved.detached();
  moved.ask();
  assert.deepEqual(moved.subscribed(answer(7, { epoch: 'e2', state: {} })).at(-1), { kind: 'resumed', by: 'state', missed: undefined });
});

const badAnswers: [string, Partial<SubscribedMessage>, number][] = [
  ['with a hole among the missed frames', { frames: [delta(6), delta(8)] }, 8],
  ['that begins too late', { frames: [delta(7), delta(8)] }, 8],
  ['that ends before its own position', { frames: [delta(6), delta(7)] }, 8],
  ['with a foreign epoch among the missed frames', { frames: [delta(6), delta(7, 'e2')] }, 7],
  ['without the frames it owes', { frames: [] }, 8],
];

for (const [name, rest, version] of badAnswers) {
  test(`an answer ${name} is a gap`, () => {
    const state = liveAt(5);
    state.detached();
    state.ask();
    assert.equal(state.subscribed(answer(version, rest)).at(-1)?.kind, 'ask');
    assert.equal(state.live, false);
  });
}

test('missed frames for a subscriber without a position are a violation', () => {
  const state = new ChannelState(channel);
  state.ask();
  assert.deepEqual(kinds(state.subscribed(answer(8, { frames: [delta(8)] }))), ['violation']);
});

test('gaps without progress first give up the position and then the connection', () => {
  const state = liveAt(5);
  let asks = 0;
  let effects = state.delta(delta(9));
  while (effects[0]?.kind === 'ask') {
    asks += 1;
    const from = state.ask();
    assert.equal(from === undefined, asks > GAPS_BEFORE_FRESH_STATE);
    effects = from === undefined ? state.subscribed(answer(5, { state: {} })) : state.subscribed(answer(5));
    effects = state.delta(delta(9));
  }
  assert.equal(asks, GAPS_BEFORE_VIOLATION);
  assert.deepEqual(kinds(effects), ['violation']);
});

test('frames before the first answer are not believed', () => {
  const state = new ChannelState(channel);
  assert.deepEqual(state.delta(delta(1)), []);
  assert.deepEqual(state.reset({ type: 'reset', channel, epoch: 'e1', version: 1, state: {} }), []);
  assert.deepEqual(state.moved({ type: 'position', channel, epoch: 'e1', version: 1 }), []);
  assert.equal(state.position, undefined);
});
