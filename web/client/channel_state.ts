/**
 * Where one subscription stands in its channel, and the rule that never lets a gap pass unseen. Pure: messages in,
 * effects out; no socket, no clock.
 *
 * Inside an epoch a delta is applied when its version is the next one, ignored when it is old, and taken as a gap when
 * it jumps: then the channel is asked for again from the position held. Between an ask and its answer nothing else is
 * believed, because the answer says exactly what lies between.
 *
 *     const state = new ChannelState('projection/stock_level/A-1');
 *     const from = state.ask();                       // send subscribe{channel, ...from}
 *     for (const effect of state.subscribed(answer)) perform(effect);
 */

import type { DeltaMessage, Position, PositionMessage, ResetMessage, SubscribedMessage } from './protocol.js';

/** What to do next. `ask`: send subscribe again. `violation`: this connection cannot be trusted any more. */
export type Effect =
  | { readonly kind: 'state'; readonly state: unknown; readonly known: boolean; readonly cause: 'snapshot' | 'reset' }
  | { readonly kind: 'delta'; readonly delta: DeltaMessage; readonly replayed: boolean; readonly skipped: number }
  | { readonly kind: 'position' }
  | { readonly kind: 'resumed'; readonly by: ResumedBy; readonly missed: number | undefined }
  | { readonly kind: 'ask' }
  | { readonly kind: 'violation'; readonly reason: string };

/** How a subscription came back: with the missed frames, with a whole new state, or nothing had happened. */
export type ResumedBy = 'frames' | 'state' | 'nothing';

/** Gaps without one delta applied in between, after which the position is given up for a fresh state. */
export const GAPS_BEFORE_FRESH_STATE = 3;
/** Gaps without one delta applied in between, after which the connection is given up. */
export const GAPS_BEFORE_VIOLATION = 6;

export class ChannelState {
  private held: Position | undefined;
  private standing: 'detached' | 'asked' | 'live' = 'detached';
  private lossy = false;
  private gaps = 0;

  constructor(readonly channel: string) {}

  /** The last position whose state the application has, or undefined before the first answer. */
  get position(): Position | undefined {
    return this.held;
  }

  get live(): boolean {
    return this.standing === 'live';
  }

  /** Marks the subscription as asked for and answers the position to name in `subscribe`. */
  ask(): Position | undefined {
    this.standing = 'asked';
    return this.held;
  }

  /** The connection is gone; the position is kept for the next one. */
  detached(): void {
    this.standing = 'detached';
    this.gaps = 0;
  }

  subscribed(answer: SubscribedMessage): Effect[] {
    this.standing = 'live';
    this.lossy = answer.policy === 'drop_oldest';
    if (answer.frames !== undefined && answer.frames.length > 0) return this.catchUp(answer, answer.frames);
    const from = this.held;
    if (from !== undefined && samePosition(from, answer) && !('state' in answer)) {
      return [{ kind: 'resumed', by: 'nothing', missed: 0 }];
    }
    if (from !== undefined && answer.frames !== undefined) return this.gap(`an answer without frames leads from version ${from.version} to ${answer.version}`);
    this.held = { epoch: answer.epoch, version: answer.version };
    const effects: Effect[] = [{ kind: 'state', state: answer.state, known: 'state' in answer, cause: 'snapshot' }];
    if (from !== undefined) effects.push({ kind: 'resumed', by: 'state', missed: distance(from, answer) });
    return effects;
  }

  delta(frame: DeltaMessage): Effect[] {
    if (this.standing !== 'live' || this.held === undefined) return [];
    if (frame.epoch !== this.held.epoch) return this.gap(`epoch ${frame.epoch} came without a reset`);
    if (frame.version <= this.held.version) return [];
    const skipped = frame.version - this.held.version - 1;
    if (skipped > 0 && !this.lossy) return this.gap(`version ${frame.version} came after ${this.held.version}`);
    this.gaps = 0;
    return [this.apply(frame, false, skipped)];
  }

  reset(message: ResetMessage): Effect[] {
    if (this.standing !== 'live') return [];
    this.held = { epoch: message.epoch, version: message.version };
    return [{ kind: 'state', state: message.state, known: 'state' in message, cause: 'reset' }];
  }

  moved(message: PositionMessage): Effect[] {
    if (this.standing !== 'live') return [];
    this.held = { epoch: message.epoch, version: message.version };
    return [{ kind: 'position' }];
  }

  private catchUp(answer: SubscribedMessage, frames: readonly DeltaMessage[]): Effect[] {
    if (this.held === undefined) return [{ kind: 'violation', reason: 'missed frames were sent to a subscriber that named no position' }];
    const effects: Effect[] = [];
    for (const frame of frames) {
      if (frame.epoch !== this.held.epoch) return [...effects, ...this.gap(`a missed frame has the foreign epoch ${frame.epoch}`)];
      if (frame.version <= this.held.version) continue;
      const skipped = frame.version - this.held.version - 1;
      if (skipped > 0 && !this.lossy) return [...effects, ...this.gap(`among missed frames version ${frame.version} came after ${this.held.version}`)];
      effects.push(this.apply(frame, true, skipped));
    }
    if (!samePosition(this.held, answer)) {
      return [...effects, ...this.gap(`missed frames end at version ${this.held.version}, the answer stands at ${answer.version}`)];
    }
    return [...effects, { kind: 'resumed', by: 'frames', missed: effects.length }];
  }

  private apply(frame: DeltaMessage, replayed: boolean, skipped: number): Effect {
    this.held = { epoch: frame.epoch, version: frame.version };
    return { kind: 'delta', delta: frame, replayed, skipped };
  }

  private gap(reason: string): Effect[] {
    this.gaps += 1;
    this.standing = 'detached';
    if (this.gaps > GAPS_BEFORE_VIOLATION) return [{ kind: 'violation', reason: `${this.gaps} gaps in a row, the last: ${reason}` }];
    if (this.gaps > GAPS_BEFORE_FRESH_STATE) this.held = undefined;
    return [{ kind: 'ask' }];
  }
}

function samePosition(one: Position, other: Position): boolean {
  return one.epoch === other.epoch && one.version === other.version;
}

/** Versions between two positions, or undefined where they cannot be compared. */
function distance(from: Position, to: Position): number | undefined {
  return from.epoch === to.epoch && to.version >= from.version ? to.version - from.version : undefined;
}
