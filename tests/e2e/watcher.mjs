/** A client of the shop on a real WebSocket (`ws`) that records every message before the client module sees it. */

import { channelAddress, LiveClient, WebSocket } from './packages.mjs';
import { Recorder } from './recorder.mjs';

export const stockChannel = (article) => channelAddress('projection', 'stock_level', article);

export class Watcher {
  #client;
  #subscriptions;

  constructor(url, articles, { seed_random = Math.random } = {}) {
    this.recorder = new Recorder();
    this.errors = [];
    this.connections = 0;
    /** article → { epoch, version, state } as the client module applied it. */
    this.views = new Map();
    const { recorder } = this;
    class RecordingSocket extends WebSocket {
      constructor(address, protocol) {
        super(address, protocol, { perMessageDeflate: false });
        this.addEventListener('message', ({ data }) => recorder.take(data));
      }
    }
    this.#client = new LiveClient({
      url,
      WebSocket: RecordingSocket,
      random: seed_random,
      reconnect: { base_ms: 50, max_ms: 500 },
      onStatus: (status) => {
        if (status.phase === 'open') this.connections += 1;
        if (status.phase === 'waiting' || status.phase === 'closed') this.last_loss = status;
      },
      onError: (error) => this.errors.push(error),
    });
    this.#subscriptions = articles.map((article) => this.#watch(article));
    this.#client.connect();
  }

  #watch(article) {
    return this.#client.subscribe(stockChannel(article), {
      onState: (state, { position }) => this.views.set(article, { ...position, state }),
      onDelta: ({ epoch, version, data }) => this.views.set(article, { epoch, version, state: { on_hand: data.on_hand, reserved: data.reserved } }),
      onPosition: (position) => this.views.set(article, { ...this.views.get(article), ...position }),
      onError: (error) => this.errors.push(error),
    });
  }

  /** Whether frames of every channel are flowing. */
  get live() {
    return this.#subscriptions.every((subscription) => subscription.live);
  }

  /** Whether the client module stands at this version of an article. */
  at(article, version) {
    return this.views.get(article)?.version === version;
  }

  close() {
    this.#client.close();
  }
}
