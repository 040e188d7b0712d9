/** What went wrong, in words, until the person dismisses it or a newer notice of the same topic replaces it. */

import type { Problem } from '../model/problem.js';
import { byId, create } from './dom.js';

export interface NoticeAction {
  readonly label: string;
  readonly run: () => void;
}

const MOST = 3;

export class Notices {
  private readonly host = byId('notices');
  private readonly shown = new Map<string, HTMLElement>();

  /** `topic` groups notices: the newest of a topic replaces the one before. */
  show(topic: string, title: string, text: string, action?: NoticeAction): void {
    const notice = create('div', { class: 'notice' }, create('div', { class: 'notice-text' }, create('strong', {}, title), ...(text === '' ? [] : [' ', create('span', {}, text)])));
    const buttons = create('div', { class: 'notice-actions' });
    if (action !== undefined) buttons.append(this.button(action.label, topic, action.run));
    buttons.append(this.button('Dismiss', topic, () => undefined));
    notice.append(buttons);
    this.dismiss(topic);
    this.shown.set(topic, notice);
    this.host.append(notice);
    for (const oldest of this.shown.keys()) {
      if (this.shown.size <= MOST) break;
      this.dismiss(oldest);
    }
  }

  showProblem(topic: string, title: string, problem: Problem): void {
    const request = problem.request_id === undefined ? '' : ` (request ${problem.request_id})`;
    const said = problem.detail === '' ? `${problem.title}.` : problem.detail;
    this.show(topic, title, `${said}${request}`);
  }

  dismiss(topic: string): void {
    this.shown.get(topic)?.remove();
    this.shown.delete(topic);
  }

  clear(): void {
    for (const topic of [...this.shown.keys()]) this.dismiss(topic);
  }

  private button(text: string, topic: string, run: () => void): HTMLButtonElement {
    const button = create('button', { type: 'button', class: 'button plain' }, text);
    button.addEventListener('click', () => {
      this.dismiss(topic);
      run();
    });
    return button;
  }
}
