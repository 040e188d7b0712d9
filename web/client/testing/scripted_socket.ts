/** Sockets without a network: the test plays the server on each one the client opens. */

import type { SocketLike } from '../environment.js';
import type { ClientMessage } from '../protocol.js';

export class ScriptedSocket implements SocketLike {
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly sent: ClientMessage[] = [];
  closed_with: number | undefined;

  constructor(
    readonly url: string,
    readonly protocol: string,
  ) {}

  send(text: string): void {
    this.sent.push(JSON.parse(text) as ClientMessage);
  }

  close(code?: number): void {
    this.closed_with ??= code;
  }

  /** Takes what the client has sent since the last call. */
  take(): ClientMessage[] {
    return this.sent.splice(0);
  }

  serverOpens(): void {
    this.onopen?.({} as never);
  }

  serverSends(message: object | string): void {
    this.onmessage?.({ data: typeof message === 'string' ? message : JSON.stringify(message) } as never);
  }

  serverSendsBinary(): void {
    this.onmessage?.({ data: new ArrayBuffer(1) } as never);
  }

  serverCloses(code: number, reason = ''): void {
    this.onclose?.({ code, reason } as never);
  }

  welcome(ping_interval_ms = 25_000): void {
    this.serverOpens();
    this.serverSends({ type: 'welcome', connection: 'c1', ping_interval_ms, limits: {} });
  }
}

/** A constructor for the client and the list of sockets it made, newest last. */
export function scriptedSockets(): { WebSocket: new (url: string, protocol: string) => ScriptedSocket; sockets: ScriptedSocket[] } {
  const sockets: ScriptedSocket[] = [];
  class Recorded extends ScriptedSocket {
    constructor(url: string, protocol: string) {
      super(url, protocol);
      sockets.push(this);
    }
  }
  return { WebSocket: Recorded, sockets };
}
