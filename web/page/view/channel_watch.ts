/**
 * Watches any one channel by its address and shows what it says: for projections this page knows nothing about. It has a
 * connection of its own, so that it can watch a channel the table watches too.
 */

import { LiveClient, type Subscription } from '../../client/index.js';
import { count } from '../model/format.js';
import { byId, create } from './dom.js';

/** The server answers a channel that does not exist as one that may not be watched; a person has to hear of both. */
const UNKNOWN_OR_CLOSED = '\nThe answer is the same when there is no such projection: check the spelling of its name.';

export class ChannelWatch {
  private readonly form = byId<HTMLFormElement>('watch-form');
  private readonly input = byId<HTMLInputElement>('watch-address');
  private readonly result = byId('watch-result');
  private client: LiveClient | undefined;
  private subscription: Subscription | undefined;
  private text = '';
  private dirty = false;

  constructor(private readonly requestFrame: () => void) {
    this.form.addEventListener('submit', (event) => {
      event.preventDefault();
      this.watch(this.input.value.trim());
    });
  }

  /** Belongs to the shop behind this address from now on. */
  use(url: string): void {
    this.client?.close();
    this.client = new LiveClient({ url });
    this.subscription = undefined;
    this.say('');
  }

  draw(): void {
    if (!this.dirty) return;
    this.dirty = false;
    this.result.replaceChildren(...(this.text === '' ? [] : [create('pre', {}, this.text)]));
  }

  private watch(address: string): void {
    this.subscription?.close();
    this.subscription = undefined;
    const where = (epoch: string, version: number) => `epoch ${epoch}, version ${count(version)}`;
    try {
      this.say('Waiting for the first answer');
      this.client?.connect();
      this.subscription = this.client?.subscribe(address, {
        onState: (state, info) => this.say(`${where(info.position.epoch, info.position.version)}\nstate ${pretty(state)}`),
        onDelta: (delta) => this.say(`${where(delta.epoch, delta.version)}\n${delta.event ?? 'delta'} ${pretty(delta.data)}`),
        onPosition: (position) => this.say(`${where(position.epoch, position.version)}\nthe same state`),
        onError: (error) => this.say(`${error.message} (${error.code})${error.code === 'forbidden' ? UNKNOWN_OR_CLOSED : ''}`),
      });
    } catch (error) {
      this.say(error instanceof Error ? `${error.message}.` : String(error));
    }
  }

  private say(text: string): void {
    this.text = text;
    this.dirty = true;
    this.requestFrame();
  }
}

function pretty(value: unknown): string {
  return value === undefined ? '(not sent)' : JSON.stringify(value, undefined, 2);
}
