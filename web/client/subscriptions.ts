/**
 * The subscriptions of a client: which are wanted, which still have to be asked for on this connection, and which ask
 * an answer belongs to. Pure. Asks in flight are bounded, because a server stops reading behind its own bound.
 */

import { ChannelState } from './channel_state.js';
import type { ClientMessage, MessageId } from './protocol.js';

/** Commands without an answer at one time; the protocol allows 16 per connection. */
export const MAX_ASKS_IN_FLIGHT = 8;

/** One wanted channel with what the application listens with. */
export interface Entry<Listener> {
  readonly state: ChannelState;
  readonly listener: Listener;
  /** Refusals in a row that allowed a retry. */
  refusals: number;
}

export class Subscriptions<Listener> {
  private readonly entries = new Map<string, Entry<Listener>>();
  private readonly waiting = new Set<Entry<Listener>>();
  private readonly in_flight = new Map<MessageId, { entry: Entry<Listener>; asked_at: number }>();
  private last_id = 0;

  constructor(private readonly max_subscriptions: number) {}

  /** Throws when the channel is subscribed already or the limit is reached: both are errors of the program. */
  add(channel: string, listener: Listener): Entry<Listener> {
    if (this.entries.has(channel)) throw new Error(`channel ${channel} is subscribed already: close that subscription first`);
    if (this.entries.size >= this.max_subscriptions) {
      throw new Error(`${this.entries.size} subscriptions are open: close some, or raise max_subscriptions`);
    }
    const entry = { state: new ChannelState(channel), listener, refusals: 0 };
    this.entries.set(channel, entry);
    this.waiting.add(entry);
    return entry;
  }

  /** Answers whether the entry was still there. */
  remove(entry: Entry<Listener>): boolean {
    this.waiting.delete(entry);
    if (!this.has(entry)) return false;
    return this.entries.delete(entry.state.channel);
  }

  has(entry: Entry<Listener>): boolean {
    return this.entries.get(entry.state.channel) === entry;
  }

  find(channel: string): Entry<Listener> | undefined {
    return this.entries.get(channel);
  }

  nextId(): number {
    this.last_id += 1;
    return this.last_id;
  }

  /** Puts an entry back in line. */
  want(entry: Entry<Listener>): void {
    if (this.has(entry)) this.waiting.add(entry);
  }

  /** The next `subscribe` to send, or undefined when nothing waits or too many answers are outstanding. */
  nextAsk(now: number): ClientMessage | undefined {
    if (this.in_flight.size >= MAX_ASKS_IN_FLIGHT) return undefined;
    for (const entry of this.waiting) {
      this.waiting.delete(entry);
      const id = this.nextId();
      this.in_flight.set(id, { entry, asked_at: now });
      const from = entry.state.ask();
      const { channel } = entry.state;
      return from === undefined ? { type: 'subscribe', id, channel } : { type: 'subscribe', id, channel, ...from };
    }
    return undefined;
  }

  /** The entry whose ask has this id, taken off the list; undefined when it was removed meanwhile or never asked. */
  answered(id: MessageId): Entry<Listener> | undefined {
    const ask = this.in_flight.get(id);
    this.in_flight.delete(id);
    return ask !== undefined && this.has(ask.entry) ? ask.entry : undefined;
  }

  /** How long the oldest ask has waited, 0 when there is none. */
  oldestAsk(now: number): number {
    for (const ask of this.in_flight.values()) return now - ask.asked_at;
    return 0;
  }

  /** The connection is gone: every entry has to be asked for again. */
  detachAll(): void {
    this.in_flight.clear();
    for (const entry of this.entries.values()) {
      entry.state.detached();
      this.waiting.add(entry);
    }
  }
}
