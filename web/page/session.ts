/**
 * One shop on the page: its articles, its live connection and what the channels said. It knows no element of the page;
 * the page learns of news through the ports and reads the rest when it draws.
 */

import { channelAddress, type DeltaMessage, LiveClient, type Status, type Subscription } from '../client/index.js';
import { Resumption } from './model/resumption.js';
import { type Article, ShopApi } from './model/shop_api.js';
import type { Problem } from './model/problem.js';
import { available, readChange, readLevel, Stock, type StockChange } from './model/stock.js';
import type { Tenant } from './tenants.js';

/** A change of stock that arrived; `replayed` when it came with a resumption. */
export interface Arrival {
  readonly article: Article;
  readonly change: StockChange;
  readonly available: number;
  readonly version: number;
  readonly replayed: boolean;
}

export interface SessionPorts {
  readonly onStatus: (status: Status) => void;
  readonly onArticles: (articles: readonly Article[]) => void;
  readonly onArticlesFailed: (problem: Problem | undefined) => void;
  readonly onArrival: (arrival: Arrival) => void;
  readonly onResumed: (sentence: string) => void;
  readonly onChannelError: (article: Article, message: string) => void;
  /** Something that is drawn has changed. */
  readonly onNews: () => void;
}

export class Session {
  readonly stock = new Stock();
  readonly api: ShopApi;
  readonly client: LiveClient;
  private subscriptions: Subscription[] = [];
  private resumption: Resumption | undefined;
  private was_live = false;
  private articles: 'missing' | 'loading' | 'known' = 'missing';
  private ended = false;

  constructor(
    readonly tenant: Tenant,
    readonly url: string,
    private readonly ports: SessionPorts,
  ) {
    this.api = new ShopApi(tenant.id);
    this.client = new LiveClient({ url, reconnect: { max_ms: 4_000 }, handshake_timeout_ms: 5_000, onStatus: (status) => this.status(status) });
  }

  start(): void {
    this.client.connect();
    void this.loadArticles();
  }

  end(): void {
    this.ended = true;
    this.client.close();
  }

  /** Asks for the articles, unless they are known or asked for already. */
  async loadArticles(): Promise<void> {
    if (this.articles !== 'missing') return;
    this.articles = 'loading';
    const outcome = await this.api.articles();
    if (this.ended) return;
    this.articles = outcome.kind === 'done' ? 'known' : 'missing';
    if (outcome.kind !== 'done') return this.ports.onArticlesFailed(outcome.kind === 'refused' ? outcome.problem : undefined);
    this.ports.onArticles(outcome.value);
    this.subscriptions = outcome.value.map((article) => this.watch(article));
    this.ports.onNews();
  }

  /** Channels wanted, how many of them are live now, and whether that is all: the articles are known and every one is live. */
  standing(): { wanted: number; live: number; caught_up: boolean } {
    const wanted = this.subscriptions.length;
    const live = this.subscriptions.filter((subscription) => subscription.live).length;
    return { wanted, live, caught_up: this.articles === 'known' && live === wanted };
  }

  private status(status: Status): void {
    if (this.ended) return;
    if (status.phase === 'open') {
      this.resumption = this.was_live ? new Resumption(this.subscriptions.filter((subscription) => subscription.position !== undefined).length) : undefined;
    } else if (status.phase === 'waiting') {
      this.was_live ||= this.subscriptions.some((subscription) => subscription.position !== undefined);
    }
    this.ports.onStatus(status);
    this.ports.onNews();
  }

  private watch(article: Article): Subscription {
    const { ports, stock } = this;
    return this.client.subscribe(channelAddress('projection', 'stock_level', article.id), {
      onState: (state, { position }) => {
        const level = readLevel(state);
        if (level === undefined) return ports.onChannelError(article, 'The server sent a stock level that this page cannot read.');
        stock.set(article.id, level, position.epoch, position.version);
        ports.onNews();
      },
      onDelta: (delta, { replayed }) => this.changed(article, delta, replayed),
      onPosition: (position) => {
        stock.move(article.id, position.epoch, position.version);
        ports.onNews();
      },
      onResumed: (info) => {
        const sentence = this.resumption?.add(info);
        if (sentence !== undefined) ports.onResumed(sentence);
        ports.onNews();
      },
      onError: (error) => ports.onChannelError(article, error.message),
    });
  }

  private changed(article: Article, delta: DeltaMessage, replayed: boolean): void {
    const change = readChange(delta.data);
    if (change === undefined) return this.ports.onChannelError(article, 'The server sent a change that this page cannot read.');
    this.stock.set(article.id, change, delta.epoch, delta.version);
    this.ports.onArrival({ article, change, available: available(change), version: delta.version, replayed });
    this.ports.onNews();
  }
}
