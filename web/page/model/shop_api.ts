/**
 * The shop's HTTP interface. Outcomes are values: what the server refused comes back as a problem in words, and a
 * request that got no answer says so, because then nobody knows whether it was carried out.
 */

import { describeProblem, type Problem } from './problem.js';

export interface Article {
  readonly id: string;
  readonly name: string;
  readonly price_cents: number;
}

/** The two commands of the shop; both are carried out once per id, however often they are sent. */
export type CommandKind = 'order' | 'restock';

export interface Command {
  readonly kind: CommandKind;
  readonly id: string;
  readonly article: string;
  readonly quantity: number;
}

export type Outcome<T> =
  | { readonly kind: 'done'; readonly value: T }
  | { readonly kind: 'refused'; readonly problem: Problem; readonly retry_after_ms: number | undefined }
  | { readonly kind: 'unanswered' };

const PATHS: Readonly<Record<CommandKind, string>> = { order: 'orders', restock: 'restock' };
const TIMEOUT_MS = 10_000;

export class ShopApi {
  constructor(private readonly tenant: string) {}

  async articles(): Promise<Outcome<readonly Article[]>> {
    return this.request('articles', { method: 'GET' }, (body) => (isArticles(body) ? body : undefined));
  }

  async send(command: Command): Promise<Outcome<true>> {
    const { kind, ...body } = command;
    const init = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
    return this.request(PATHS[kind], init, () => true as const);
  }

  private async request<T>(path: string, init: RequestInit, read: (body: unknown) => T | undefined): Promise<Outcome<T>> {
    let response: Response;
    let body: unknown;
    try {
      const headers = { Accept: 'application/json, application/problem+json', 'X-Tenant': this.tenant, ...init.headers };
      response = await fetch(`/${path}`, { ...init, headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
      body = await response.json().catch(() => undefined);
    } catch {
      return { kind: 'unanswered' };
    }
    const value = response.ok ? read(body) : undefined;
    if (value !== undefined) return { kind: 'done', value };
    const wait_s = Number(response.headers.get('Retry-After') ?? Number.NaN);
    return { kind: 'refused', problem: describeProblem(response.status, body), retry_after_ms: Number.isFinite(wait_s) ? wait_s * 1_000 : undefined };
  }
}

/** An id no other client chooses: 96 random bits, in the alphabet the server accepts. */
export function newCommandId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return `web-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

function isArticles(body: unknown): body is readonly Article[] {
  return (
    Array.isArray(body) &&
    body.every((item: Partial<Article> | null) => typeof item?.id === 'string' && typeof item.name === 'string' && Number.isFinite(item.price_cents))
  );
}
