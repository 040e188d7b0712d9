/**
 * A live connection to a Sluice server: it subscribes to channels, comes back by itself when the connection is lost,
 * and resumes every channel where it stood.
 *
 *     const client = new LiveClient({ url: 'ws://127.0.0.1:8080/t/shop_a/live' });
 *     client.subscribe(channelAddress('projection', 'stock_level', 'A-1'), {
 *       onState: (state) => show(state),
 *       onDelta: (delta) => change(delta.data),
 *     });
 *     client.connect();
 *
 * This file is the driver: one socket and one timer. What a message means is decided in `channel_state.ts`, when to
 * come back in `reconnect.ts`, whether the server lives in `liveness.ts`.
 */

import type { ChannelListener, ClientOptions, LossCause, Status, Subscription } from './api.js';
import type { Effect } from './channel_state.js';
import { type ClientClock, type SocketConstructor, type SocketLike, systemClock } from './environment.js';
import { Liveness } from './liveness.js';
import {
  type ByeMessage,
  type ClientMessage,
  decodeServerMessage,
  encodeClientMessage,
  type ErrorMessage,
  type Position,
  type ServerMessage,
  SUBPROTOCOL,
} from './protocol.js';
import { classifyClose, type CloseClass, DEFAULT_RECONNECT, reconnectDelay, type ReconnectSettings } from './reconnect.js';
import { type Entry, Subscriptions } from './subscriptions.js';

/** The close code this client uses for a peer that breaks the protocol; scripts may only send 1000 and 3000–4999. */
const CLOSE_VIOLATION = 3002;
const CLOSE_GIVEN_UP = 3001;

interface Loss {
  readonly class: CloseClass;
  readonly cause: LossCause;
  readonly detail: string;
  readonly delay_ms?: number;
  readonly reconnect_after_ms?: number | undefined;
}

export class LiveClient {
  private readonly clock: ClientClock;
  private readonly random: () => number;
  private readonly settings: ReconnectSettings;
  private readonly subscriptions: Subscriptions<ChannelListener>;
  private current: Status = { phase: 'idle' };
  private socket: SocketLike | undefined;
  /** Raised with every attempt, so that what belongs to an earlier one is told apart. */
  private generation = 0;
  private timer: unknown;
  private attempt = 0;
  private opened_at = 0;
  private liveness: Liveness | undefined;
  private bye: ByeMessage | undefined;
  private fresh_token = false;

  constructor(private readonly options: ClientOptions) {
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? Math.random;
    this.settings = { ...DEFAULT_RECONNECT, ...options.reconnect };
    this.subscriptions = new Subscriptions(options.max_subscriptions ?? 256);
  }

  get status(): Status {
    return this.current;
  }

  /** Starts connecting; from then on the client keeps itself connected. Does nothing when it already does. */
  connect(): void {
    if (this.current.phase === 'idle' || this.current.phase === 'closed') this.begin();
  }

  /** Ends a pause before the next attempt, for instance because the machine is online again. */
  reconnectNow(): void {
    if (this.current.phase === 'waiting') this.begin();
  }

  /** Cuts the connection as a network failure would, and stays away for `for_ms` (default: the usual first delay). */
  cut(for_ms?: number): void {
    if (this.current.phase !== 'open' && this.current.phase !== 'connecting') return;
    this.lose({ class: 'resume', cause: 'cut', detail: 'the connection was cut on purpose', ...(for_ms === undefined ? {} : { delay_ms: for_ms }) });
  }

  /** Ends the connection for good; subscriptions are kept and come back with `connect()`. */
  close(): void {
    if (this.current.phase !== 'closed') this.lose({ class: 'stop', cause: 'closed', detail: 'closed by the program' });
  }

  /** Wants a channel, now and after every reconnect. Throws when it is subscribed already or there are too many. */
  subscribe(channel: string, listener: ChannelListener): Subscription {
    const entry = this.subscriptions.add(channel, listener);
    this.pump();
    return {
      channel,
      get position() {
        return entry.state.position;
      },
      get live() {
        return entry.state.live;
      },
      close: () => this.unsubscribe(entry),
    };
  }

  private unsubscribe(entry: Entry<ChannelListener>): void {
    if (!this.subscriptions.remove(entry) || this.current.phase !== 'open') return;
    this.send({ type: 'unsubscribe', id: this.subscriptions.nextId(), channel: entry.state.channel });
  }

  private begin(): void {
    this.generation += 1;
    const generation = this.generation;
    this.bye = undefined;
    this.arm(this.options.handshake_timeout_ms ?? 10_000, () =>
      this.lose({ class: 'resume', cause: 'silent', detail: 'the server did not welcome this connection in time' }),
    );
    this.setStatus({ phase: 'connecting', attempt: this.attempt });
    if (generation !== this.generation) return;
    const { getToken } = this.options;
    if (getToken === undefined) return this.open(generation, undefined);
    getToken(this.fresh_token).then(
      (token) => this.open(generation, token),
      (error: unknown) => {
        if (generation === this.generation) this.lose({ class: 'resume', cause: 'token', detail: `no token could be fetched: ${String(error)}` });
      },
    );
  }

  private open(generation: number, token: string | undefined): void {
    if (generation !== this.generation) return;
    const Socket = this.options.WebSocket ?? (globalThis.WebSocket as unknown as SocketConstructor);
    const socket = new Socket(this.options.url, SUBPROTOCOL);
    this.socket = socket;
    const mine = (run: () => void) => {
      if (generation === this.generation) run();
    };
    socket.onopen = () => mine(() => token !== undefined && this.send({ type: 'hello', token }));
    socket.onmessage = (event: { data: unknown }) => mine(() => this.receive(event.data));
    socket.onerror = () => undefined;
    socket.onclose = (event: { code: number; reason: string }) => mine(() => this.closed(event.code, event.reason));
  }

  private closed(socket_code: number, socket_reason: string): void {
    const code = this.bye?.code ?? socket_code;
    const reason = this.bye?.reason ?? socket_reason;
    const cause: LossCause = this.bye !== undefined || code >= 4000 ? 'server' : 'network';
    const detail = reason === '' ? `closed with code ${code}` : `${reason} (code ${code})`;
    const verdict = classifyClose(code);
    this.fresh_token = verdict === 'token';
    const hopeless = verdict === 'token' && this.options.getToken === undefined;
    this.lose({ class: hopeless ? 'stop' : verdict, cause, detail, reconnect_after_ms: this.bye?.reconnect_after_ms });
  }

  /** The one way out of a connection or an attempt: drops the socket and decides when to come back. */
  private lose(loss: Loss): void {
    this.generation += 1;
    this.disarm();
    const held_ms = this.current.phase === 'open' ? this.clock.now() - this.opened_at : 0;
    if (held_ms >= (this.options.stable_after_ms ?? 5_000)) this.attempt = 0;
    this.dropSocket(loss.cause === 'violation' ? CLOSE_VIOLATION : CLOSE_GIVEN_UP);
    this.liveness = undefined;
    this.subscriptions.detachAll();
    const { cause, detail } = loss;
    if (loss.class === 'stop') {
      this.attempt = 0;
      return this.setStatus({ phase: 'closed', cause, detail });
    }
    const { attempt } = this;
    const retry_in_ms =
      loss.delay_ms ?? reconnectDelay(this.settings, { class: loss.class, attempt, reconnect_after_ms: loss.reconnect_after_ms }, this.random);
    this.attempt += 1;
    this.arm(retry_in_ms, () => this.begin());
    this.setStatus({ phase: 'waiting', attempt, retry_in_ms, cause, detail });
  }

  private dropSocket(code: number): void {
    const socket = this.socket;
    this.socket = undefined;
    try {
      socket?.close(code);
    } catch {
      // A socket that cannot be closed is closed.
    }
  }

  private receive(data: unknown): void {
    this.liveness?.heard(this.clock.now());
    if (typeof data !== 'string') return this.violation('a binary message came, sluice.v1.json is text');
    const verdict = decodeServerMessage(data);
    if (verdict.kind === 'violation') return this.violation(verdict.reason);
    if (verdict.kind === 'message') this.handle(verdict.message);
  }

  private violation(reason: string): void {
    this.lose({ class: 'back_off', cause: 'violation', detail: `the server broke the protocol: ${reason}` });
  }

  private handle(message: ServerMessage): void {
    switch (message.type) {
      case 'welcome':
        return this.welcome(message.connection, message.ping_interval_ms);
      case 'ping':
        return this.send({ type: 'pong' });
      case 'bye':
        this.bye = message;
        return;
      case 'error':
        return this.refused(message);
      case 'subscribed': {
        const entry = this.subscriptions.answered(message.id);
        if (entry !== undefined) {
          entry.refusals = 0;
          this.perform(entry, entry.state.subscribed(message));
        }
        return this.pump();
      }
      case 'unplaced': {
        const entry = this.subscriptions.answered(message.id);
        if (entry !== undefined) this.unplaced(entry);
        return this.pump();
      }
      default: {
        const entry = this.subscriptions.find(message.channel);
        if (entry === undefined) return;
        if (message.type === 'delta') this.perform(entry, entry.state.delta(message));
        else if (message.type === 'reset') this.perform(entry, entry.state.reset(message));
        else this.perform(entry, entry.state.moved(message));
      }
    }
  }

  private welcome(connection: string, ping_interval_ms: number): void {
    if (this.current.phase !== 'connecting') return this.violation('welcome came twice');
    const now = this.clock.now();
    this.opened_at = now;
    this.fresh_token = false;
    const liveness = new Liveness(ping_interval_ms, now);
    this.liveness = liveness;
    this.watch(liveness, liveness.limit_ms);
    this.setStatus({ phase: 'open', connection, ping_interval_ms });
    this.pump();
  }

  private watch(liveness: Liveness, delay_ms: number): void {
    this.arm(delay_ms, () => {
      const now = this.clock.now();
      const verdict = liveness.check(now);
      if (verdict === 'dead') return this.lose({ class: 'resume', cause: 'silent', detail: `the server said nothing for ${liveness.limit_ms} ms` });
      if (this.subscriptions.oldestAsk(now) >= liveness.limit_ms) return this.lose({ class: 'resume', cause: 'silent', detail: 'the server did not answer a subscribe' });
      this.watch(liveness, verdict);
    });
  }

  private refused(error: ErrorMessage): void {
    if (error.id === undefined) {
      this.guard(() => this.options.onError?.(error));
      return;
    }
    const entry = this.subscriptions.answered(error.id);
    if (entry !== undefined) {
      if (error.retry) this.askLater(entry);
      else this.subscriptions.remove(entry);
      this.guard(() => entry.listener.onError?.(error));
    }
    this.pump();
  }

  private unplaced(entry: Entry<ChannelListener>): void {
    const message = `channel ${entry.state.channel} has no position, and this client only follows channels that have one`;
    this.unsubscribe(entry);
    this.guard(() => entry.listener.onError?.({ type: 'error', code: 'unplaced', message, retry: false }));
  }

  private askLater(entry: Entry<ChannelListener>): void {
    const { generation } = this;
    const delay_ms = reconnectDelay(this.settings, { class: 'resume', attempt: entry.refusals }, this.random);
    entry.refusals += 1;
    this.clock.setTimeout(() => {
      if (generation !== this.generation) return;
      this.subscriptions.want(entry);
      this.pump();
    }, delay_ms);
  }

  private perform(entry: Entry<ChannelListener>, effects: readonly Effect[]): void {
    for (const effect of effects) {
      if (!this.subscriptions.has(entry)) return;
      if (effect.kind === 'ask') this.subscriptions.want(entry);
      else if (effect.kind === 'violation') return this.violation(effect.reason);
      else this.guard(() => this.tell(entry, effect));
    }
    this.pump();
  }

  private tell({ listener, state }: Entry<ChannelListener>, effect: Exclude<Effect, { kind: 'ask' | 'violation' }>): void {
    switch (effect.kind) {
      case 'delta':
        return listener.onDelta?.(effect.delta, { replayed: effect.replayed, skipped: effect.skipped });
      case 'state':
        return listener.onState?.(effect.state, { position: state.position as Position, known: effect.known, cause: effect.cause });
      case 'position':
        return listener.onPosition?.(state.position as Position);
      case 'resumed':
        return listener.onResumed?.({ by: effect.by, missed: effect.missed });
    }
  }

  private pump(): void {
    while (this.current.phase === 'open') {
      const ask = this.subscriptions.nextAsk(this.clock.now());
      if (ask === undefined) return;
      this.send(ask);
    }
  }

  private send(message: ClientMessage): void {
    try {
      this.socket?.send(encodeClientMessage(message));
    } catch {
      // A socket that is closing refuses to send; its close event follows and decides.
    }
  }

  private setStatus(status: Status): void {
    this.current = status;
    this.guard(() => this.options.onStatus?.(status));
  }

  /** A listener that fails must not stop the frames behind it; its error surfaces as an uncaught one. */
  private guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.clock.setTimeout(() => {
        throw error;
      }, 0);
    }
  }

  private arm(delay_ms: number, run: () => void): void {
    this.disarm();
    this.timer = this.clock.setTimeout(run, delay_ms);
  }

  private disarm(): void {
    if (this.timer !== undefined) this.clock.clearTimeout(this.timer);
    this.timer = undefined;
  }
}
