/**
 * Random schedules of commits, faults, lost connections, rebuilds and late events of old connections. After every step
 * the client's state must be the true one at the position it names, and in the end the newest: never a silent gap.
 * SLUICE_SEED repeats one run, SLUICE_RUNS sets how many are tried.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Position } from './protocol.js';
import { LiveClient } from './client.js';
import { fold, ModelServer } from './testing/model_server.js';
import { seededRandom } from './testing/random.js';
import { type ScriptedSocket, scriptedSockets } from './testing/scripted_socket.js';
import { VirtualClock } from './testing/virtual_clock.js';

const names = ['projection/p/a', 'projection/p/b', 'projection/p/c'];
const STEPS = 400;

interface View {
  state: number;
  position: Position | undefined;
}

class Run {
  readonly random: () => number;
  readonly clock = new VirtualClock();
  readonly sockets: ScriptedSocket[];
  readonly client: LiveClient;
  readonly server: ModelServer;
  readonly views = new Map<string, View>();
  readonly stale: ScriptedSocket[] = [];
  applied = 0;
  replayed = 0;
  snapshots = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    const { WebSocket, sockets } = scriptedSockets();
    this.sockets = sockets;
    this.server = new ModelServer(names, this.random);
    this.client = new LiveClient({ url: 'ws://model', WebSocket, clock: this.clock, random: this.random });
    for (const name of names) this.watch(name);
    this.client.connect();
  }

  private watch(name: string): void {
    const view: View = { state: 0, position: undefined };
    this.views.set(name, view);
    this.client.subscribe(name, {
      onState: (state, info) => {
        view.state = state as number;
        view.position = info.position;
        this.snapshots += 1;
        this.judge(name);
      },
      onDelta: (delta, info) => {
        assert.equal(delta.epoch, view.position?.epoch, 'a delta of another epoch was applied');
        assert.equal(delta.version, (view.position?.version ?? -2) + 1, 'a delta was applied out of its place');
        view.state = fold(view.state, delta.data as number);
        view.position = { epoch: delta.epoch, version: delta.version };
        this.applied += 1;
        if (info.replayed) this.replayed += 1;
        this.judge(name);
      },
      onPosition: (position) => {
        view.position = position;
        this.judge(name);
      },
    });
  }

  private judge(name: string): void {
    const view = this.views.get(name) as View;
    assert.equal(view.state, this.server.truthAt(name, view.position as Position), `${name} is wrong at ${JSON.stringify(view.position)}`);
  }

  private pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.random() * from.length)] as T;
  }

  step(): void {
    const name = this.pick(names);
    const chance = this.random();
    if (chance < 0.55) this.server.commit(name, 'none');
    else if (chance < 0.6) this.server.commit(name, 'lost');
    else if (chance < 0.65) this.server.commit(name, 'twice');
    else if (chance < 0.68) this.server.commit(name, 'late');
    else if (chance < 0.7) this.server.rebuild(name, this.random() < 0.5);
    else if (chance < 0.73) this.lose();
    else if (chance < 0.75) this.haunt(name);
    else if (chance < 0.9) this.server.answerAll();
    else this.comeBack();
  }

  private lose(): void {
    const socket = this.server.serving;
    if (socket === undefined) return;
    this.stale.push(socket);
    if (this.random() < 0.3) this.client.cut(10);
    this.server.drop(this.pick([1001, 1006, 4100, 4101, 4103]));
  }

  /** A connection that was given up comes back to life and says something untrue. */
  private haunt(name: string): void {
    if (this.stale.length === 0) return;
    const ghost = this.pick(this.stale);
    const { position } = this.server.now(name);
    ghost.serverSends({ type: 'delta', channel: name, ...position, version: position.version + 1, data: 1 });
    if (this.random() < 0.5) ghost.serverCloses(4403);
  }

  comeBack(): void {
    this.clock.advance(500);
    const newest = this.sockets.at(-1);
    if (this.client.status.phase === 'connecting' && newest !== undefined && newest !== this.server.serving) this.server.accept(newest);
  }

  /** Heals everything and lets the last frames arrive. */
  quiesce(): void {
    for (let round = 0; round < 40; round += 1) {
      this.clock.advance(20_000);
      this.comeBack();
      this.server.answerAll();
    }
    for (const name of names) this.server.commit(name, 'none');
    this.server.answerAll();
  }
}

function play(seed: number): Run {
  const run = new Run(seed);
  for (let step = 0; step < STEPS; step += 1) run.step();
  run.quiesce();
  for (const name of names) {
    const { position, state } = run.server.now(name);
    assert.deepEqual(run.views.get(name), { state, position }, `${name} did not arrive at the newest state`);
  }
  return run;
}

test('random drops, duplicates, late frames, lost connections and rebuilds never leave a silent gap', () => {
  const fixed = process.env.SLUICE_SEED;
  const first = fixed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(fixed);
  const runs = fixed === undefined ? Number(process.env.SLUICE_RUNS ?? 200) : 1;
  const total = { applied: 0, replayed: 0, snapshots: 0, connections: 0 };
  for (let seed = first; seed < first + runs; seed += 1) {
    try {
      const run = play(seed);
      total.applied += run.applied;
      total.replayed += run.replayed;
      total.snapshots += run.snapshots;
      total.connections += run.sockets.length;
    } catch (error) {
      throw new Error(`failed with SLUICE_SEED=${seed}: ${String(error)}`, { cause: error });
    }
  }
  console.log(`# seeds ${first}…${first + runs - 1}: ${JSON.stringify(total)}`);
  assert.ok(total.replayed > 0 && total.snapshots > runs * names.length, 'the schedules provoked too little');
});
