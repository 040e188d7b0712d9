/** The list of changes, newest first: bounded in memory and on the page, written once per frame. */

import { clockTime, count, milliseconds } from '../model/format.js';
import { byId, create, setText } from './dom.js';

export interface FeedEntry {
  readonly at_us: number;
  readonly cause: 'order' | 'restock';
  readonly quantity: number;
  readonly article: string;
  readonly available: number;
  readonly version: number;
  /** Came with a resumption instead of live. */
  readonly replayed: boolean;
  /** Undefined for what was replayed or came while the page was hidden: that says nothing about speed. */
  readonly latency_ms: number | undefined;
}

const SHOWN = 60;
const VERBS = { order: 'Order', restock: 'Restock' } as const;

export class Feed {
  private readonly list = byId('feed-list');
  private readonly scroll = byId('feed-scroll');
  private readonly empty = byId('feed-empty');
  private readonly note = byId('feed-note');
  private fresh: FeedEntry[] = [];
  private total = 0;

  clear(): void {
    this.fresh = [];
    this.total = 0;
    this.list.replaceChildren();
    this.scroll.hidden = true;
    this.empty.hidden = false;
    setText(this.note, '');
  }

  add(entry: FeedEntry): void {
    this.total += 1;
    this.fresh.push(entry);
    if (this.fresh.length > 2 * SHOWN) this.fresh.splice(0, this.fresh.length - SHOWN);
  }

  draw(): void {
    if (this.fresh.length === 0) return;
    const newest = this.fresh.slice(-SHOWN).reverse();
    this.fresh = [];
    this.list.prepend(...newest.map(line));
    while (this.list.childElementCount > SHOWN) this.list.lastElementChild?.remove();
    this.scroll.hidden = false;
    this.empty.hidden = true;
    const hidden = this.total - this.list.childElementCount;
    setText(this.note, hidden > 0 ? `The last ${SHOWN} of ${count(this.total)}` : `${count(this.total)} since the page was opened`);
  }
}

function line(entry: FeedEntry): HTMLLIElement {
  const speed = entry.latency_ms === undefined ? (entry.replayed ? 'caught up' : '') : `${milliseconds(entry.latency_ms)} ms`;
  return create(
    'li',
    { 'data-cause': entry.cause },
    create('time', {}, clockTime(entry.at_us)),
    create('span', { class: 'feed-what' }, create('span', { class: 'feed-verb' }, `${VERBS[entry.cause]} ${count(entry.quantity)}`), ` ${entry.article}`),
    create('span', { class: 'feed-available' }, `${count(entry.available)} available`),
    create('span', { class: 'feed-version' }, `v${count(entry.version)}`),
    create('span', { class: entry.replayed ? 'feed-speed replayed' : 'feed-speed' }, speed),
  );
}
