import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ChannelListener, ClientOptions, Status } from './api.js';
import { LiveClient } from './client.js';
import { MAX_ASKS_IN_FLIGHT } from './subscriptions.js';
import { type ScriptedSocket, scriptedSockets } from './testing/scripted_socket.js';
import { VirtualClock } from './testing/virtual_clock.js';

const channel = 'projection/p/k';

function setUp(options: Partial<ClientOptions> = {}) {
  const clock = new VirtualClock();
  const { WebSocket, sockets } = scriptedSockets();
  const statuses: Status[] = [];
  const client = new LiveClient({
    url: 'ws://test/live',
    WebSocket,
    clock,
    random: () => 0.5,
    onStatus: (status) => statuses.push(status),
    ...options,
  });
  const socket = () => sockets.at(-1) as ScriptedSocket;
  return { client, clock, sockets, socket, statuses };
}

function causeOf(client: LiveClient): string | undefined {
  return client.status.phase === 'waiting' ? client.status.cause : undefined;
}

function recorder() {
  const log: string[] = [];
  const listener: ChannelListener = {
    onState: (state, info) => log.push(`state ${JSON.stringify(state)} ${info.position.epoch}:${info.position.version} ${info.cause}`),
    onDelta: (delta, info) => log.push(`delta ${delta.epoch}:${delta.version}${info.replayed ? ' replayed' : ''}`),
    onPosition: (position) => log.push(`position ${position.epoch}:${position.version}`),
    onResumed: (info) => log.push(`resumed ${info.by} ${info.missed}`),
    onError: (error) => log.push(`error ${error.code} ${error.retry}`),
  };
  return { log, listener };
}

function answer(id: unknown, version: number, rest: object = { state: {} }) {
  return { type: 'subscribed', id, channel, epoch: 'e1', version, policy: 'evict', ...rest };
}

function delta(version: number) {
  return { type: 'delta', channel, epoch: 'e1', version, data: {} };
}

/** A connected client with one live subscription at (e1, 1). */
function connected(options: Partial<ClientOptions> = {}) {
  const parts = setUp(options);
  const { log, listener } = recorder();
  const subscription = parts.client.subscribe(channel, listener);
  parts.client.connect();
  parts.socket().welcome(1_000);
  const [ask] = parts.socket().take();
  parts.socket().serverSends(answer((ask as { id: number }).id, 1));
  return { ...parts, log, subscription };
}

test('subscribes after the welcome and tells state and deltas in order', () => {
  const { client, socket } = setUp();
  const { log, listener } = recorder();
  client.subscribe(channel, listener);
  client.connect();
  assert.equal(socket().protocol, 'sluice.v1.json');
  assert.deepEqual(socket().take(), []);
  socket().welcome();
  assert.deepEqual(socket().take(), [{ type: 'subscribe', id: 1, channel }]);
  socket().serverSends(answer(1, 4, { state: { n: 1 } }));
  socket().serverSends(delta(5));
  socket().serverSends({ type: 'position', channel, epoch: 'e2', version: 2 });
  socket().serverSends({ type: 'reset', channel, epoch: 'e3', version: 1, state: null });
  assert.deepEqual(log, ['state {"n":1} e1:4 snapshot', 'delta e1:5', 'position e2:2', 'state null e3:1 reset']);
});

test('a ping is answered with a pong', () => {
  const { socket } = connected();
  socket().serverSends({ type: 'ping' });
  assert.deepEqual(socket().take(), [{ type: 'pong' }]);
});

test('after a lost connection it comes back with jitter and resumes by position', () => {
  const { clock, sockets, socket, log, statuses } = connected();
  socket().serverSends(delta(2));
  socket().serverCloses(1006);
  assert.deepEqual(statuses.at(-1), { phase: 'waiting', attempt: 0, retry_in_ms: 125, cause: 'network', detail: 'closed with code 1006' });
  clock.advance(124);
  assert.equal(sockets.length, 1);
  clock.advance(1);
  assert.equal(sockets.length, 2);
  socket().welcome();
  const [ask] = socket().take();
  assert.deepEqual(ask, { type: 'subscribe', id: 2, channel, epoch: 'e1', version: 2 });
  socket().serverSends(answer(2, 4, { frames: [delta(3), delta(4)] }));
  assert.deepEqual(log.slice(1), ['delta e1:2', 'delta e1:3 replayed', 'delta e1:4 replayed', 'resumed frames 2']);
});

test('a connection that held clears the count of failures, a short one does not', () => {
  const { clock, socket, statuses } = connected();
  const lastWait = () => {
    const last = statuses.at(-1);
    return last?.phase === 'waiting' ? last.retry_in_ms : undefined;
  };
  socket().serverCloses(1006);
  clock.advance(125);
  socket().welcome(60_000);
  clock.advance(1_000);
  socket().serverCloses(1006);
  assert.equal(lastWait(), 250);
  clock.advance(250);
  socket().welcome(60_000);
  clock.advance(5_000);
  socket().serverCloses(1006);
  assert.equal(lastWait(), 125);
});

test('attempts double their bound', () => {
  const { client, clock, socket, statuses } = setUp();
  client.connect();
  for (let attempt = 0; attempt < 8; attempt += 1) {
    socket().serverCloses(1006);
    const last = statuses.at(-1);
    assert.equal(last?.phase, 'waiting');
    clock.advance(last?.phase === 'waiting' ? last.retry_in_ms : 0);
  }
  const waits = statuses.flatMap((status) => (status.phase === 'waiting' ? [status.retry_in_ms] : []));
  assert.deepEqual(waits, [125, 250, 500, 1_000, 2_000, 4_000, 7_500, 7_500]);
});

test('a bye decides when to come back, also when the close frame got lost', () => {
  const { socket, statuses } = connected();
  socket().serverSends({ type: 'bye', code: 4101, reason: 'draining', reconnect_after_ms: 900 });
  socket().serverCloses(1006);
  assert.deepEqual(statuses.at(-1), { phase: 'waiting', attempt: 0, retry_in_ms: 900, cause: 'server', detail: 'draining (code 4101)' });
});

test('44xx ends the client and connect() starts it again with its subscriptions', () => {
  const { client, clock, sockets, socket } = connected();
  socket().serverCloses(4403, 'suspended');
  assert.deepEqual(client.status, { phase: 'closed', cause: 'server', detail: 'suspended (code 4403)' });
  clock.advance(3_600_000);
  assert.equal(sockets.length, 1);
  client.connect();
  socket().welcome();
  assert.deepEqual(socket().take(), [{ type: 'subscribe', id: 2, channel, epoch: 'e1', version: 1 }]);
});

test('43xx keeps its distance', () => {
  const { socket, statuses } = connected();
  socket().serverCloses(4301, 'too many connections');
  const last = statuses.at(-1);
  assert.ok(last?.phase === 'waiting' && last.retry_in_ms >= 5_000);
});

test('42xx fetches a fresh token, and without a source of tokens it ends', async () => {
  const asked: boolean[] = [];
  const { client, clock, socket } = setUp({
    getToken: (fresh) => {
      asked.push(fresh);
      return Promise.resolve(`token ${asked.length}`);
    },
  });
  client.connect();
  await Promise.resolve();
  socket().welcome();
  assert.deepEqual(socket().take(), [{ type: 'hello', token: 'token 1' }]);
  socket().serverCloses(4200, 'expired');
  clock.advance(1_000);
  await Promise.resolve();
  socket().serverOpens();
  assert.deepEqual(socket().take(), [{ type: 'hello', token: 'token 2' }]);
  assert.deepEqual(asked, [false, true]);

  const without = connected();
  without.socket().serverCloses(4200, 'expired');
  assert.equal(without.client.status.phase, 'closed');
});

test('a token that cannot be fetched is tried again later', async () => {
  let tries = 0;
  const { client, clock, sockets } = setUp({
    getToken: () => {
      tries += 1;
      return tries === 1 ? Promise.reject(new Error('login is down')) : Promise.resolve('t');
    },
  });
  client.connect();
  await Promise.resolve();
  await Promise.resolve();
  assert.equal(client.status.phase, 'waiting');
  clock.advance(1_000);
  await Promise.resolve();
  assert.equal(sockets.length, 1);
});

test('a server that says nothing for two ping intervals is given up', () => {
  const { client, clock, socket } = connected();
  clock.advance(1_500);
  socket().serverSends({ type: 'ping' });
  clock.advance(1_999);
  assert.equal(client.status.phase, 'open');
  clock.advance(1);
  assert.equal(causeOf(client), 'silent');
});

test('a machine that slept does not take its own sleep for silence', () => {
  const { client, clock, socket } = connected();
  clock.sleep(60_000);
  clock.advance(0);
  assert.equal(client.status.phase, 'open');
  socket().serverSends({ type: 'ping' });
  clock.advance(1_999);
  assert.equal(client.status.phase, 'open');
});

test('a server that never welcomes or never answers is given up', () => {
  const late = setUp();
  late.client.connect();
  late.clock.advance(10_000);
  assert.equal(late.client.status.phase, 'waiting');

  const mute = setUp();
  mute.client.subscribe(channel, {});
  mute.client.connect();
  mute.socket().welcome(1_000);
  for (let tick = 0; tick < 4; tick += 1) {
    mute.clock.advance(499);
    mute.socket().serverSends({ type: 'ping' });
  }
  assert.equal(mute.client.status.phase, 'open');
  mute.clock.advance(4);
  assert.equal(mute.statuses.at(-1)?.phase, 'waiting');
  assert.match(JSON.stringify(mute.statuses.at(-1)), /the server did not answer a subscribe/);
});

for (const [name, play] of [
  ['a message that is no JSON', (socket: ScriptedSocket) => socket.serverSends('nonsense')],
  ['a binary message', (socket: ScriptedSocket) => socket.serverSendsBinary()],
  ['a second welcome', (socket: ScriptedSocket) => socket.welcome()],
] as const) {
  test(`${name} ends the connection as a violation and keeps distance`, () => {
    const { client, socket } = connected();
    const first = socket();
    play(first);
    assert.equal(first.closed_with, 3002);
    assert.ok(client.status.phase === 'waiting' && client.status.cause === 'violation' && client.status.retry_in_ms >= 5_000);
  });
}

test('events of a connection that was given up are ignored', () => {
  const { client, clock, sockets, socket, log } = connected();
  const old = socket();
  client.cut(50);
  clock.advance(50);
  socket().welcome();
  old.serverSends(delta(2));
  old.serverCloses(4403);
  assert.equal(client.status.phase, 'open');
  assert.equal(sockets.length, 2);
  assert.deepEqual(log, ['state {} e1:1 snapshot']);
});

test('a cut stays away as long as asked, or until it is told to come back', () => {
  const { client, clock, sockets } = connected();
  client.cut(5_000);
  clock.advance(4_999);
  assert.equal(sockets.length, 1);
  client.reconnectNow();
  assert.equal(sockets.length, 2);
  clock.advance(1);
  assert.equal(sockets.length, 2);
});

test('a gap on the wire asks again on the same connection', () => {
  const { socket, log } = connected();
  socket().serverSends(delta(3));
  assert.deepEqual(socket().take(), [{ type: 'subscribe', id: 2, channel, epoch: 'e1', version: 1 }]);
  socket().serverSends(answer(2, 3, { frames: [delta(2), delta(3)] }));
  assert.deepEqual(log.slice(1), ['delta e1:2 replayed', 'delta e1:3 replayed', 'resumed frames 2']);
});

test('a refused subscription is told and dropped, one that may retry is asked again', () => {
  const { client, clock, socket } = setUp();
  const { log, listener } = recorder();
  client.subscribe(channel, listener);
  client.connect();
  socket().welcome();
  socket().take();
  socket().serverSends({ type: 'error', id: 1, code: 'overloaded', message: 'later', retry: true });
  assert.deepEqual(socket().take(), []);
  clock.advance(125);
  assert.deepEqual(socket().take(), [{ type: 'subscribe', id: 2, channel }]);
  socket().serverSends({ type: 'error', id: 2, code: 'forbidden', message: 'no', retry: false });
  socket().serverCloses(1006);
  clock.advance(125);
  socket().welcome();
  assert.deepEqual(socket().take(), []);
  assert.deepEqual(log, ['error overloaded true', 'error forbidden false']);
});

test('a channel without positions is refused in words and given back', () => {
  const { client, socket } = setUp();
  const { log, listener } = recorder();
  client.subscribe('room/lobby', listener);
  client.connect();
  socket().welcome();
  socket().take();
  socket().serverSends({ type: 'subscribed', id: 1, channel: 'room/lobby', policy: 'evict' });
  assert.deepEqual(log, ['error unplaced false']);
  assert.deepEqual(socket().take(), [{ type: 'unsubscribe', id: 2, channel: 'room/lobby' }]);
});

test('asks in flight are bounded and the rest follows the answers', () => {
  const { client, socket } = setUp();
  const total = MAX_ASKS_IN_FLIGHT + 3;
  for (let index = 0; index < total; index += 1) client.subscribe(`projection/p/k${index}`, {});
  client.connect();
  socket().welcome();
  const asks = socket().take();
  assert.equal(asks.length, MAX_ASKS_IN_FLIGHT);
  const first = asks[0] as { id: number; channel: string };
  socket().serverSends({ ...answer(first.id, 1), channel: first.channel });
  assert.equal(socket().take().length, 1);
});

test('subscriptions are bounded and unique', () => {
  const { client } = setUp({ max_subscriptions: 1 });
  client.subscribe(channel, {});
  assert.throws(() => client.subscribe(channel, {}), /subscribed already/);
  assert.throws(() => client.subscribe('projection/p/other', {}), /max_subscriptions/);
});

test('a closed subscription hears nothing more, and the channel can be subscribed anew', () => {
  const { client, socket, log, subscription } = connected();
  subscription.close();
  subscription.close();
  assert.deepEqual(socket().take(), [{ type: 'unsubscribe', id: 2, channel }]);
  socket().serverSends(delta(2));
  assert.deepEqual(log, ['state {} e1:1 snapshot']);
  client.subscribe(channel, {});
  assert.deepEqual(socket().take(), [{ type: 'subscribe', id: 3, channel }]);
});

test('a late answer to a closed subscription does not reach the new one of the same channel', () => {
  const { client, socket } = setUp();
  client.connect();
  socket().welcome();
  client.subscribe(channel, {}).close();
  const { log, listener } = recorder();
  client.subscribe(channel, listener);
  socket().serverSends(answer(1, 9));
  assert.deepEqual(log, []);
  socket().serverSends(answer(3, 10));
  assert.deepEqual(log, ['state {} e1:10 snapshot']);
});

test('a listener that throws stops nothing and its error surfaces by itself', () => {
  const { client, clock, socket } = setUp();
  const seen: number[] = [];
  client.subscribe(channel, {
    onDelta: (frame) => {
      seen.push(frame.version);
      if (frame.version === 2) throw new Error('listener failed');
    },
  });
  client.connect();
  socket().welcome();
  socket().serverSends(answer(1, 1));
  socket().serverSends(delta(2));
  socket().serverSends(delta(3));
  assert.deepEqual(seen, [2, 3]);
  assert.throws(() => clock.advance(0), /listener failed/);
});

test('a listener that cuts the connection amid missed frames still gets them all', () => {
  const { client, clock, socket } = setUp();
  const seen: number[] = [];
  client.subscribe(channel, {
    onDelta: (frame) => {
      seen.push(frame.version);
      if (frame.version === 2) client.cut(10);
    },
  });
  client.connect();
  socket().welcome();
  socket().serverSends(answer(1, 1));
  socket().serverSends(delta(4));
  socket().serverSends(answer(2, 4, { frames: [delta(2), delta(3), delta(4)] }));
  assert.deepEqual(seen, [2, 3, 4]);
  clock.advance(10);
  socket().welcome();
  assert.deepEqual(socket().take(), [{ type: 'subscribe', id: 3, channel, epoch: 'e1', version: 4 }]);
});

test('close ends everything and leaves no timer', () => {
  const { client, clock, socket } = connected();
  client.close();
  assert.equal(client.status.phase, 'closed');
  assert.equal(clock.armed, 0);
  assert.notEqual(socket().closed_with, undefined);
});

test('an error without a subscription reaches the client', () => {
  const errors: string[] = [];
  const { socket } = connected({ onError: (error) => errors.push(error.code) });
  socket().serverSends({ type: 'error', code: 'rate', message: 'slow down', retry: true });
  assert.deepEqual(errors, ['rate']);
});
