/**
 * When to come back: what a close code asks for, and how long to wait. Pure; randomness is handed in.
 *
 *     let attempt = 0;
 *     const verdict = classifyClose(4101);                  // "resume"
 *     const delay_ms = reconnectDelay(settings, { class: verdict, attempt }, Math.random);
 */

/**
 * - `resume`: come back and resume (41xx, network failures, a server that goes away);
 * - `token`: fetch a new token first (42xx);
 * - `back_off`: the server asks for distance (43xx), or this client broke a rule and would do so again at once;
 * - `stop`: do not come back (44xx).
 */
export type CloseClass = 'resume' | 'token' | 'back_off' | 'stop';

export interface ReconnectSettings {
  /** Upper bound of the first delay. */
  readonly base_ms: number;
  /** Upper bound of every delay the client chooses by itself. */
  readonly max_ms: number;
  /** Least delay after a close that asks for distance. */
  readonly back_off_ms: number;
}

export const DEFAULT_RECONNECT: ReconnectSettings = { base_ms: 250, max_ms: 15_000, back_off_ms: 5_000 };

/** The longest `reconnect_after_ms` that is believed: a wrong unit must not silence a page for a day. */
export const MAX_SERVER_DELAY_MS = 5 * 60_000;

/** Codes that blame this client (RFC 6455, 7.4.1): protocol error, wrong data, wrong text, policy, too big, extension. */
const BLAMED = new Set([1002, 1003, 1007, 1008, 1009, 1010]);

export function classifyClose(code: number): CloseClass {
  if (code >= 4200 && code < 4300) return 'token';
  if (code >= 4300 && code < 4400) return 'back_off';
  if (code >= 4400 && code < 4500) return 'stop';
  return BLAMED.has(code) ? 'back_off' : 'resume';
}

export interface ReconnectCase {
  readonly class: CloseClass;
  /** Failures since the last connection that held, from 0. */
  readonly attempt: number;
  /** What the server's `bye` asked for; already jittered by the server. */
  readonly reconnect_after_ms?: number | undefined;
}

/** Milliseconds until the next attempt: full jitter under an exponential bound, never below what the server asked for. */
export function reconnectDelay(settings: ReconnectSettings, what: ReconnectCase, random: () => number): number {
  const bound = Math.min(settings.max_ms, settings.base_ms * 2 ** Math.min(what.attempt, 30));
  const asked = Math.min(what.reconnect_after_ms ?? 0, MAX_SERVER_DELAY_MS);
  const distance = what.class === 'back_off' ? settings.back_off_ms : 0;
  // A first return on the server's own schedule is spread by the server; ours would only delay it.
  const own = asked > 0 && what.attempt === 0 ? 0 : random() * bound;
  return Math.round(Math.max(asked, distance) + own);
}
