/**
 * A model of the server for the randomized test: channels with a true history, resumed from a short memory, plus the
 * faults that no real server should have (frames lost, repeated or delayed on a connection that lives on).
 *
 * The state of a channel is a fold that does not commute, so that a missed, repeated or swapped frame shows at once.
 */

import type { ClientMessage, Position } from '../protocol.js';
import type { ScriptedSocket } from './scripted_socket.js';

export const MEMORY = 12;

export function fold(state: number, data: number): number {
  return (Math.imul(state, 31) + data) >>> 0;
}

interface ModelChannel {
  epoch: number;
  version: number;
  state: number;
  /** The newest deltas of this epoch, at most MEMORY. */
  frames: object[];
  /** A frame was lost and none has followed it: the members cannot know yet. */
  hidden_loss: boolean;
}

export class ModelServer {
  private readonly channels = new Map<string, ModelChannel>();
  private readonly members = new Set<string>();
  /** What every position that ever was means, by channel:epoch:version. */
  private readonly truth = new Map<string, number>();
  private connected: ScriptedSocket | undefined;

  constructor(
    names: readonly string[],
    private readonly random: () => number,
  ) {
    for (const name of names) {
      this.channels.set(name, { epoch: 1, version: 0, state: 0, frames: [], hidden_loss: false });
      this.remember(name);
    }
  }

  truthAt(name: string, position: Position): number | undefined {
    return this.truth.get(`${name}:${position.epoch}:${position.version}`);
  }

  now(name: string): { position: Position; state: number } {
    const { epoch, version, state } = this.channel(name);
    return { position: { epoch: `e${epoch}`, version }, state };
  }

  accept(socket: ScriptedSocket): void {
    this.connected = socket;
    this.members.clear();
    socket.welcome(1_000_000);
  }

  drop(code: number): void {
    const socket = this.connected;
    this.connected = undefined;
    this.members.clear();
    socket?.serverCloses(code);
  }

  get serving(): ScriptedSocket | undefined {
    return this.connected;
  }

  /** Commits one change; `fault` says what becomes of its frame on the way. */
  commit(name: string, fault: 'none' | 'lost' | 'twice' | 'late'): void {
    const channel = this.channel(name);
    const data = Math.floor(this.random() * 1_000);
    channel.version += 1;
    channel.state = fold(channel.state, data);
    const frame = { type: 'delta', channel: name, epoch: `e${channel.epoch}`, version: channel.version, data };
    const before = channel.frames.at(-1);
    channel.frames = [...channel.frames, frame].slice(-MEMORY);
    this.remember(name);
    channel.hidden_loss = fault === 'lost';
    if (fault === 'lost') return;
    this.tell(name, frame);
    if (fault === 'twice') this.tell(name, frame);
    if (fault === 'late' && before !== undefined) this.tell(name, before);
  }

  /**
   * A rebuild: a new epoch whose state differs (`reset`) or not (`position`). `position` says "what you have stands", so
   * a member cannot notice a frame lost right before it; even this model does not do that to its members.
   */
  rebuild(name: string, differs: boolean): void {
    const channel = this.channel(name);
    const changed = differs || channel.hidden_loss;
    channel.hidden_loss = false;
    channel.epoch += 1;
    channel.version = Math.floor(this.random() * 20);
    if (changed) channel.state = fold(channel.state, 7);
    channel.frames = [];
    this.remember(name);
    const place = { channel: name, epoch: `e${channel.epoch}`, version: channel.version };
    this.tell(name, changed ? { type: 'reset', ...place, state: channel.state } : { type: 'position', ...place });
  }

  /** Answers what the client has asked on the connection that lives. */
  answerAll(): void {
    const socket = this.connected;
    for (let asks = socket?.take() ?? []; asks.length > 0; asks = socket?.take() ?? []) {
      for (const ask of asks) if (ask.type === 'subscribe') this.answer(ask);
    }
  }

  private answer(ask: ClientMessage & { type: 'subscribe' }): void {
    const channel = this.channel(ask.channel);
    this.members.add(ask.channel);
    const head = { type: 'subscribed', id: ask.id, channel: ask.channel, epoch: `e${channel.epoch}`, version: channel.version, policy: 'evict' };
    const missed = ask.epoch === head.epoch && ask.version !== undefined ? channel.version - ask.version : -1;
    const known = missed >= 0 && missed <= channel.frames.length;
    this.connected?.serverSends(known ? { ...head, frames: missed === 0 ? [] : channel.frames.slice(-missed) } : { ...head, state: channel.state });
  }

  private tell(name: string, message: object): void {
    if (this.members.has(name)) this.connected?.serverSends(message);
  }

  private channel(name: string): ModelChannel {
    const channel = this.channels.get(name);
    if (channel === undefined) throw new Error(`the model has no channel ${name}`);
    return channel;
  }

  private remember(name: string): void {
    const { epoch, version, state } = this.channel(name);
    this.truth.set(`${name}:e${epoch}:${version}`, state);
  }
}
