/**
 * What the client takes from outside: sockets, time and chance. The defaults are the browser's; tests and Node hand in
 * their own.
 */

/** The part of the WebSocket interface that is used; the browser's and the one of `ws` both have it. */
export interface SocketLike {
  readonly protocol: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(code?: number, reason?: string): void;
}

export type SocketConstructor = new (url: string, protocols: string) => SocketLike;

/** `now` is monotonic, in milliseconds. */
export interface ClientClock {
  now(): number;
  setTimeout(run: () => void, delay_ms: number): unknown;
  clearTimeout(timer: unknown): void;
}

export const systemClock: ClientClock = {
  now: () => performance.now(),
  setTimeout: (run, delay_ms) => setTimeout(run, delay_ms),
  clearTimeout: (timer) => clearTimeout(timer as number),
};
