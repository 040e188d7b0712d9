/** The page: wires the session of the chosen shop to the views. */

import type { Status } from '../client/index.js';
import { count } from './model/format.js';
import { type Article, type Command, newCommandId } from './model/shop_api.js';
import { WallClock } from './model/wall_clock.js';
import { type Arrival, Session } from './session.js';
import { type Tenant, TENANTS, tenantOf } from './tenants.js';
import { BurstControl } from './view/burst_control.js';
import { ChannelWatch } from './view/channel_watch.js';
import { ConnectionPanel, CUT_MS } from './view/connection_panel.js';
import { byId, create, FrameLoop, setText } from './view/dom.js';
import { Feed } from './view/feed.js';
import { LatencyPanel } from './view/latency_panel.js';
import { Notices } from './view/notices.js';
import { QUANTITIES, StockTable } from './view/stock_table.js';

/** Changes kept between two frames; a hidden page draws none, and must not grow meanwhile. */
const MOST_ARRIVALS = 5_000;
/** Orders and restocks under way by hand. */
const MOST_COMMANDS = 16;

class Page {
  private readonly clock = new WallClock();
  private readonly frames = new FrameLoop(() => this.draw());
  private readonly notices = new Notices();
  private readonly table = new StockTable((kind, article) => void this.command({ kind, id: newCommandId(), article: article.id, quantity: QUANTITIES[kind] }, article.name));
  private readonly feed = new Feed();
  private readonly latency = new LatencyPanel();
  private readonly burst = new BurstControl();
  private readonly watch = new ChannelWatch(() => this.frames.request());
  private readonly panel = new ConnectionPanel((what) => this.press(what));
  private readonly announcer = byId('announcer');
  private readonly note = byId('stock-note');
  private session: Session | undefined;
  private arrivals: Arrival[] = [];
  private under_way = 0;
  /** Whether the page was shown ever since the last frame; else the age of what waited says nothing. */
  private shown_since_frame = !document.hidden;

  constructor() {
    document.addEventListener('visibilitychange', () => {
      this.shown_since_frame = false;
      this.frames.request();
    });
    addEventListener('online', () => this.session?.client.reconnectNow());
    addEventListener('hashchange', () => this.open(tenantOf(location.hash)));
    this.buildTenants();
    this.open(tenantOf(location.hash));
  }

  private buildTenants(): void {
    byId('tenants').append(
      ...TENANTS.map((tenant) => {
        const radio = create('input', { type: 'radio', name: 'tenant', value: tenant.id, id: `tenant-${tenant.id}` });
        radio.addEventListener('change', () => {
          location.hash = tenant.id;
        });
        return create('div', { class: 'segment' }, radio, create('label', { for: radio.id }, tenant.name));
      }),
    );
  }

  private open(tenant: Tenant): void {
    if (this.session?.tenant.id === tenant.id) return;
    this.session?.end();
    document.documentElement.dataset.tenant = tenant.id;
    document.title = `${tenant.name} · stock, live`;
    setText(byId('shop-name'), tenant.name);
    byId<HTMLInputElement>(`tenant-${tenant.id}`).checked = true;
    setText(byId('terminal-text'), '');
    this.arrivals = [];
    this.notices.clear();
    this.feed.clear();
    this.latency.clear();
    this.burst.use(undefined);
    this.table.showLoading();
    this.panel.setResumption('');
    const session = this.newSession(tenant);
    this.session = session;
    this.watch.use(session.url);
    session.start();
  }

  private newSession(tenant: Tenant): Session {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const session: Session = new Session(tenant, `${scheme}://${location.host}/t/${tenant.id}/live`, {
      onStatus: (status) => this.status(session, status),
      onArticles: (articles) => this.articles(session, articles),
      onArticlesFailed: (problem) => {
        const why = problem === undefined ? 'The server does not answer. Is it running?' : problem.detail || problem.title;
        this.table.showFailure(why, () => {
          this.table.showLoading();
          void session.loadArticles();
        });
      },
      onArrival: (arrival) => {
        this.arrivals.push(arrival);
        if (this.arrivals.length > MOST_ARRIVALS) this.arrivals.splice(0, this.arrivals.length - MOST_ARRIVALS / 2);
      },
      onResumed: (sentence) => this.panel.setResumption(sentence),
      onChannelError: (article, message) => this.notices.show(`channel ${article.id}`, `${article.name} is not live.`, message),
      onNews: () => this.frames.request(),
    });
    return session;
  }

  private articles(session: Session, articles: readonly Article[]): void {
    this.table.show(articles);
    setText(this.note, articles.length === 0 ? '' : `${count(articles.length)} articles`);
    this.burst.use({ api: session.api, articles });
    if (articles[0] !== undefined) setText(byId('terminal-text'), curlLines(session.tenant, articles[0]));
  }

  private status(session: Session, status: Status): void {
    this.panel.setStatus(status);
    if (status.phase === 'waiting') this.panel.setResumption('');
    this.table.setStale(status.phase === 'waiting' || status.phase === 'closed');
    // A server that is back can also be asked for the articles that it did not give before.
    if (status.phase === 'open') void session.loadArticles();
  }

  private press(what: 'cut' | 'return' | 'connect'): void {
    if (what === 'cut') this.session?.client.cut(CUT_MS);
    else if (what === 'return') this.session?.client.reconnectNow();
    else this.session?.client.connect();
  }

  private async command(command: Command, article_name: string): Promise<void> {
    const { session } = this;
    if (session === undefined) return;
    const noun = command.kind === 'order' ? 'order' : 'restocking';
    if (this.under_way >= MOST_COMMANDS) {
      return this.notices.show('command', `${count(MOST_COMMANDS)} requests are under way.`, 'Wait for their answers first.');
    }
    this.under_way += 1;
    const outcome = await session.api.send(command);
    this.under_way -= 1;
    if (session !== this.session) return;
    if (outcome.kind === 'done') {
      this.notices.dismiss('command');
      return setText(this.announcer, `${command.kind === 'order' ? 'Ordered' : 'Restocked'} ${command.quantity} ${article_name}`);
    }
    if (outcome.kind === 'refused') return this.notices.showProblem('command', `The ${noun} of ${article_name} was refused.`, outcome.problem);
    this.notices.show('command', `No answer to the ${noun} of ${article_name}.`, 'It may or may not have arrived. It keeps its number, so sending it again cannot double it.', {
      label: 'Send again',
      run: () => void this.command(command, article_name),
    });
  }

  private draw(): void {
    const { session } = this;
    if (session === undefined) return;
    const now_ms = this.clock.now_ms();
    const measured = this.shown_since_frame && !document.hidden;
    this.shown_since_frame = !document.hidden;
    for (const arrival of this.arrivals) this.arrived(arrival, measured ? Math.max(0, now_ms - arrival.change.at_us / 1_000) : undefined);
    this.arrivals = [];
    this.table.draw(session.stock, true);
    this.feed.draw();
    this.watch.draw();
    const newest = session.stock.newest();
    this.panel.draw({ ...session.standing(), epoch: newest?.row.epoch, newest_version: newest?.row.version, newest_article: newest?.article });
  }

  private arrived({ article, change, available, version, replayed }: Arrival, age_ms: number | undefined): void {
    const latency_ms = replayed ? undefined : age_ms;
    if (latency_ms !== undefined) this.latency.add(latency_ms);
    this.feed.add({ at_us: change.at_us, cause: change.cause, quantity: change.quantity, article: article.name, available, version, replayed, latency_ms });
  }
}

function curlLines(tenant: Tenant, article: Article): string {
  return [
    `curl ${location.origin}/orders \\`,
    `  -H 'X-Tenant: ${tenant.id}' \\`,
    `  -H 'Content-Type: application/json' \\`,
    `  -d '{"id":"by-hand-1","article":"${article.id}","quantity":1}'`,
  ].join('\n');
}

new Page();
