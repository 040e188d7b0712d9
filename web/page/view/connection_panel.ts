/** The state of the connection in words, where the page stands, and the button that cuts it. */

import type { Status } from '../../client/index.js';
import { count } from '../model/format.js';
import { byId, setText } from './dom.js';

export interface Standing {
  readonly epoch: string | undefined;
  readonly newest_version: number | undefined;
  readonly newest_article: string | undefined;
  readonly live: number;
  readonly wanted: number;
  readonly caught_up: boolean;
}

type Tone = 'live' | 'busy' | 'off';
type Press = 'cut' | 'return' | 'connect';

/** How long a cut lasts, unless the person ends it. */
export const CUT_MS = 8_000;

const BUTTONS: Readonly<Record<Press, string>> = { cut: 'Cut the connection', return: 'Reconnect now', connect: 'Connect again' };

export class ConnectionPanel {
  private readonly states = [byId('connection-state'), byId('bar-state')];
  private readonly words = [byId('connection-word'), byId('bar-word')];
  private readonly detail = byId('connection-detail');
  private readonly button = byId<HTMLButtonElement>('cut');
  private readonly resumption = byId('resumption');
  private readonly facts = { epoch: byId('fact-epoch'), version: byId('fact-version'), channels: byId('fact-channels'), connection: byId('fact-connection') };
  private status: Status = { phase: 'idle' };
  private waiting_until = 0;
  private countdown: ReturnType<typeof setInterval> | undefined;

  constructor(onPress: (what: Press) => void) {
    this.button.addEventListener('click', () => onPress(this.press()));
  }

  setStatus(status: Status): void {
    this.status = status;
    clearInterval(this.countdown);
    if (status.phase === 'waiting') {
      this.waiting_until = performance.now() + status.retry_in_ms;
      this.countdown = setInterval(() => this.drawDetail(), 250);
    }
    if (status.phase === 'open') setText(this.facts.connection, status.connection);
    setText(this.button, BUTTONS[this.press()]);
    this.drawDetail();
  }

  setResumption(text: string): void {
    setText(this.resumption, text);
  }

  draw(standing: Standing): void {
    const { caught_up } = standing;
    const tone = this.tone(caught_up);
    for (const state of this.states) if (state.dataset.tone !== tone) state.dataset.tone = tone;
    for (const word of this.words) setText(word, this.describe(caught_up));
    setText(this.facts.epoch, standing.epoch ?? '–');
    setText(this.facts.version, standing.newest_version === undefined ? '–' : `v${count(standing.newest_version)} · ${standing.newest_article}`);
    setText(this.facts.channels, standing.wanted === 0 ? '–' : `${standing.live} of ${standing.wanted}`);
  }

  private press(): Press {
    if (this.status.phase === 'waiting') return 'return';
    return this.status.phase === 'closed' ? 'connect' : 'cut';
  }

  private tone(caught_up: boolean): Tone {
    if (this.status.phase === 'open') return caught_up ? 'live' : 'busy';
    return this.status.phase === 'connecting' || this.status.phase === 'idle' ? 'busy' : 'off';
  }

  private describe(caught_up: boolean): string {
    switch (this.status.phase) {
      case 'open':
        return caught_up ? 'Live' : 'Catching up';
      case 'waiting':
        return this.status.cause === 'cut' ? 'Cut' : 'Connection lost';
      case 'closed':
        return 'Refused';
      default:
        return this.status.phase === 'connecting' && this.status.attempt > 0 ? 'Reconnecting' : 'Connecting';
    }
  }

  private drawDetail(): void {
    setText(this.detail, this.explain());
  }

  private explain(): string {
    if (this.status.phase === 'closed') return `The server refused this connection: ${this.status.detail}.`;
    if (this.status.phase !== 'waiting') return '';
    const left_s = Math.max(0, Math.ceil((this.waiting_until - performance.now()) / 1_000));
    const when = left_s === 0 ? 'now' : `in ${left_s} s`;
    if (this.status.cause === 'cut') return `Back ${when}. Orders still go through; this page will catch up on them.`;
    return `The numbers may be old. Trying again ${when}.`;
  }
}
