/** What an application sees of the client: its options, its status and the listeners of a channel. */

import type { ResumedBy } from './channel_state.js';
import type { ClientClock, SocketConstructor } from './environment.js';
import type { DeltaMessage, ErrorMessage, Position } from './protocol.js';
import type { ReconnectSettings } from './reconnect.js';

/** Why a connection ended. */
export type LossCause = 'network' | 'server' | 'silent' | 'violation' | 'token' | 'cut' | 'closed';

export type Status =
  | { readonly phase: 'idle' }
  | { readonly phase: 'connecting'; readonly attempt: number }
  | { readonly phase: 'open'; readonly connection: string; readonly ping_interval_ms: number }
  | { readonly phase: 'waiting'; readonly attempt: number; readonly retry_in_ms: number; readonly cause: LossCause; readonly detail: string }
  | { readonly phase: 'closed'; readonly cause: LossCause; readonly detail: string };

export interface StateInfo {
  readonly position: Position;
  /** False when the server announced a new state without sending it: load it by other means. */
  readonly known: boolean;
  /** `snapshot`: the answer to a subscribe. `reset`: the server replaced the state. */
  readonly cause: 'snapshot' | 'reset';
}

export interface DeltaInfo {
  /** True for a frame that was missed and came with the answer to a resumption. */
  readonly replayed: boolean;
  /** Versions lost before this one; above 0 only where the channel's policy is `drop_oldest`. */
  readonly skipped: number;
}

export interface ResumedInfo {
  readonly by: ResumedBy;
  /** Versions that passed while away; undefined when the epoch changed. */
  readonly missed: number | undefined;
}

/** Called in the order of the channel. What a callback throws reaches the global error handler, never the client. */
export interface ChannelListener {
  onState?(state: unknown, info: StateInfo): void;
  onDelta?(delta: DeltaMessage, info: DeltaInfo): void;
  /** The same state has a new position. */
  onPosition?(position: Position): void;
  /** The channel was resumed after a loss; comes after the missed frames or the new state. */
  onResumed?(info: ResumedInfo): void;
  /** With `retry` false the subscription is over; else the client asks again by itself. */
  onError?(error: ErrorMessage): void;
}

export interface Subscription {
  readonly channel: string;
  readonly position: Position | undefined;
  /** Whether frames are flowing now. */
  readonly live: boolean;
  close(): void;
}

export interface ClientOptions {
  readonly url: string;
  readonly onStatus?: (status: Status) => void;
  /** Errors that belong to no subscription. */
  readonly onError?: (error: ErrorMessage) => void;
  /** Supplies the token for `hello`; `fresh` when the server refused the last one. Without it 42xx ends the client. */
  readonly getToken?: (fresh: boolean) => Promise<string>;
  readonly reconnect?: Partial<ReconnectSettings>;
  /** From the start of an attempt to `welcome`. */
  readonly handshake_timeout_ms?: number;
  /** A connection that held this long clears the count of failures. */
  readonly stable_after_ms?: number;
  readonly max_subscriptions?: number;
  readonly WebSocket?: SocketConstructor;
  readonly clock?: ClientClock;
  readonly random?: () => number;
}
