/** The table of articles: its rows, their buttons, and the flash of a change. */

import { count, price, signed } from '../model/format.js';
import type { Article, CommandKind } from '../model/shop_api.js';
import { available, type Stock, type StockRow } from '../model/stock.js';
import { byId, create, flash, setText } from './dom.js';

export const QUANTITIES: Readonly<Record<CommandKind, number>> = { order: 1, restock: 10 };

interface RowView {
  readonly row: HTMLTableRowElement;
  readonly on_hand: HTMLElement;
  readonly reserved: HTMLElement;
  readonly available: HTMLElement;
  readonly moved: HTMLElement;
  readonly badge: HTMLElement;
  readonly gauge: HTMLElement;
  readonly version: HTMLElement;
}

export class StockTable {
  private readonly body = byId('stock-rows');
  private readonly table = byId('stock-table');
  private readonly empty = byId('stock-empty');
  private readonly section = byId('stock');
  private readonly rows = new Map<string, RowView>();
  private readonly colours = getComputedStyle(document.documentElement);

  constructor(private readonly onCommand: (kind: CommandKind, article: Article) => void) {}

  show(articles: readonly Article[]): void {
    this.rows.clear();
    this.body.replaceChildren(...articles.map((article) => this.build(article)));
    this.table.hidden = articles.length === 0;
    this.empty.hidden = articles.length > 0;
    if (articles.length === 0) this.empty.replaceChildren('This shop has no articles yet.');
  }

  showLoading(): void {
    this.rows.clear();
    this.body.replaceChildren();
    this.table.hidden = true;
    this.empty.hidden = false;
    this.empty.replaceChildren('Loading the articles');
  }

  showFailure(text: string, onRetry: () => void): void {
    this.showLoading();
    const retry = create('button', { type: 'button', class: 'button' }, 'Try again');
    retry.addEventListener('click', onRetry);
    this.empty.replaceChildren(create('p', {}, text), retry);
  }

  /** Marks the numbers as old while nothing new can arrive. */
  setStale(stale: boolean): void {
    this.section.classList.toggle('stale', stale);
  }

  draw(stock: Stock, animate: boolean): void {
    for (const [article, row] of stock.takeChanged()) {
      const view = this.rows.get(article);
      if (view !== undefined) this.update(view, row, animate);
    }
  }

  private update(view: RowView, row: StockRow, animate: boolean): void {
    const free = available(row);
    setText(view.on_hand, count(row.on_hand));
    setText(view.reserved, count(row.reserved));
    setText(view.available, count(free));
    setText(view.version, `v${count(row.version)}`);
    view.version.title = `Epoch ${row.epoch}`;
    view.row.classList.toggle('short', free < 0);
    setText(view.badge, free < 0 ? 'backorder' : '');
    view.gauge.style.transform = `scaleX(${row.on_hand > 0 ? Math.min(1, Math.max(0, free / row.on_hand)) : 0})`;
    if (row.moved === 0 || !animate) return;
    setText(view.moved, signed(row.moved));
    view.moved.dataset.tone = row.moved > 0 ? 'up' : 'down';
    flash(view.row, this.colours.getPropertyValue(row.moved > 0 ? '--flash-up' : '--flash-down'));
  }

  private build(article: Article): HTMLTableRowElement {
    const number = (name: string) => create('td', { role: 'cell', class: `cell-number ${name}` });
    const value = () => create('span', { class: 'value' }, '–');
    const [on_hand, reserved, free, version] = [value(), value(), value(), value()];
    const moved = create('span', { class: 'moved', 'aria-hidden': 'true' });
    const badge = create('span', { class: 'badge' });
    const gauge = create('span', { class: 'gauge-fill' });
    const cells = { on_hand: number('on-hand'), reserved: number('reserved'), free: number('cell-available'), version: number('version') };
    cells.on_hand.append(label('On hand'), on_hand);
    cells.reserved.append(label('Reserved'), reserved);
    cells.free.append(label('Available'), create('span', { class: 'available-line' }, moved, free), badge);
    cells.version.append(label('Version'), version);
    const name = create(
      'th',
      { role: 'rowheader', scope: 'row', class: 'cell-article' },
      create('span', { class: 'article-name' }, article.name),
      create('span', { class: 'article-meta' }, `${article.id} · ${price(article.price_cents)}`),
      create('span', { class: 'gauge', 'aria-hidden': 'true' }, gauge),
    );
    const actions = create('td', { role: 'cell', class: 'cell-actions' }, this.button('order', article), this.button('restock', article));
    const row = create('tr', { role: 'row', 'data-article': article.id }, name, cells.on_hand, cells.reserved, cells.free, cells.version, actions);
    this.rows.set(article.id, { row, on_hand, reserved, available: free, moved, badge, gauge, version });
    return row;
  }

  private button(kind: CommandKind, article: Article): HTMLButtonElement {
    const verb = kind === 'order' ? 'Order' : 'Restock';
    const attributes = { type: 'button', class: kind === 'order' ? 'button tinted' : 'button', 'data-command': kind, 'aria-label': `${verb} ${QUANTITIES[kind]} ${article.name}` };
    const button = create('button', attributes, `${verb} ${QUANTITIES[kind]}`);
    button.addEventListener('click', () => this.onCommand(kind, article));
    return button;
  }
}

/** Names a number where the column heads are not shown. */
function label(text: string): HTMLElement {
  return create('span', { class: 'cell-label' }, text);
}
