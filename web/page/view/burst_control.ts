/** The button for a thousand orders, its progress, and the same button to stop. */

import { type BurstProgress, runBurst } from '../model/burst.js';
import { count } from '../model/format.js';
import { type Article, newCommandId, type ShopApi } from '../model/shop_api.js';
import { byId, setText } from './dom.js';

const TOTAL = 1_000;
const IN_FLIGHT = 16;
const TRIES = 12;
/** Progress is written and spoken at these paces, not per order. */
const WRITTEN_EVERY_MS = 100;
const SPOKEN_EVERY_MS = 2_000;

export class BurstControl {
  private readonly button = byId<HTMLButtonElement>('burst');
  private readonly track = byId('burst-track');
  private readonly bar = byId<HTMLProgressElement>('burst-bar');
  private readonly text = byId('burst-text');
  private readonly announcer = byId('announcer');
  private running: AbortController | undefined;
  private shop: { readonly api: ShopApi; readonly articles: readonly Article[] } | undefined;

  constructor() {
    this.button.addEventListener('click', () => {
      if (this.running === undefined) void this.run();
      else this.running.abort();
    });
    this.use(undefined);
  }

  /** Belongs to one shop from now on; what runs for another is stopped. */
  use(shop: { readonly api: ShopApi; readonly articles: readonly Article[] } | undefined): void {
    this.running?.abort();
    this.shop = shop;
    this.track.hidden = true;
    this.button.disabled = shop === undefined || shop.articles.length === 0;
  }

  private async run(): Promise<void> {
    const { shop } = this;
    if (shop === undefined) return;
    const stop = new AbortController();
    this.running = stop;
    setText(this.button, 'Stop');
    this.bar.value = 0;
    this.track.hidden = false;
    setText(this.text, `0 of ${count(TOTAL)}`);
    const started = performance.now();
    let written = started;
    let spoken = started;
    const end = await runBurst(
      { total: TOTAL, in_flight: IN_FLIGHT, tries: TRIES, pause_ms: (attempt) => Math.random() * Math.min(4_000, 200 * 2 ** attempt) },
      {
        send: (command) => shop.api.send(command),
        next: () => ({ kind: 'order', id: newCommandId(), article: pick(shop.articles).id, quantity: 1 }),
        sleep,
        onProgress: (progress) => {
          if (this.shop !== shop) return;
          this.bar.value = progress.done + progress.refused + progress.unanswered;
          const now = performance.now();
          if (now - written < WRITTEN_EVERY_MS) return;
          written = now;
          setText(this.text, describe(progress));
          if (now - spoken < SPOKEN_EVERY_MS) return;
          spoken = now;
          setText(this.announcer, describe(progress));
        },
      },
      stop.signal,
    );
    this.running = undefined;
    setText(this.button, `Send ${count(TOTAL)} orders`);
    if (this.shop !== shop) return;
    const conclusion = conclude(end, (performance.now() - started) / 1_000);
    setText(this.text, conclusion);
    setText(this.announcer, conclusion);
  }
}

function describe(progress: BurstProgress): string {
  return `${count(progress.done)} of ${count(progress.total)}${trouble(progress)}`;
}

function conclude(end: BurstProgress, seconds: number): string {
  return `${count(end.done)} orders in ${seconds.toFixed(1)} s, ${count(end.done / seconds)} per second${trouble(end)}`;
}

function trouble(progress: BurstProgress): string {
  let text = '';
  if (progress.resent > 0) text += ` · ${count(progress.resent)} sent again`;
  if (progress.unanswered > 0) text += ` · ${count(progress.unanswered)} without an answer`;
  if (progress.refused > 0) text += ` · ${count(progress.refused)} refused: ${progress.last_problem}`;
  return text;
}

function pick(articles: readonly Article[]): Article {
  const article = articles[Math.floor(Math.random() * articles.length)];
  if (article === undefined) throw new Error('a burst needs at least one article');
  return article;
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
