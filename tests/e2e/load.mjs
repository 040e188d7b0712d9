/**
 * The load generator: clients that each send one command after the other, and the ledger of what was intended and what
 * was acknowledged. Every command has an id of its own, so that the database can be asked about it.
 */

import http from 'node:http';
import { send } from './http.mjs';

/** One command that was sent, as the ledger has it. */
class Entry {
  constructor(command) {
    this.command = command;
    /** sent → acknowledged | refused | unanswered */
    this.status = 'sent';
    this.answer = undefined;
  }
}

export class Load {
  #server;
  #tenant;
  #next;
  #clients = [];
  #stopping = false;
  #gate = Promise.resolve();
  #openGate = () => undefined;

  /** `next(n)` makes the n-th command, or answers undefined when there are no more. */
  constructor(server, { tenant = 'shop_a', next }) {
    this.#server = server;
    this.#tenant = tenant;
    this.#next = next;
    this.ledger = new Map();
    this.made = 0;
    this.in_flight = 0;
    this.acknowledged = 0;
  }

  start(clients) {
    for (let index = 0; index < clients; index += 1) this.#clients.push(this.#run());
  }

  /** Holds the clients back before their next command. */
  hold() {
    this.#gate = new Promise((resolve) => {
      this.#openGate = resolve;
    });
  }

  release() {
    this.#openGate();
  }

  /** Resolves when every client has sent its last command and knows its end. */
  async finish() {
    await Promise.all(this.#clients);
  }

  async stop() {
    this.#stopping = true;
    this.release();
    await this.finish();
  }

  /** Sends an entry again under its id and notes the answer. */
  async resend(entry) {
    await this.#attempt(entry, undefined);
  }

  async #run() {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (;;) {
        await this.#gate;
        const command = this.#stopping ? undefined : this.#next(this.made);
        if (command === undefined) return;
        this.made += 1;
        const entry = new Entry(command);
        this.ledger.set(`${command.kind} ${command.id}`, entry);
        await this.#attempt(entry, agent);
      }
    } finally {
      agent.destroy();
    }
  }

  async #attempt(entry, agent) {
    this.in_flight += 1;
    try {
      entry.answer = await send(this.#server.base, this.#tenant, entry.command, agent);
      const done = entry.answer.status === 201 || entry.answer.status === 200;
      entry.status = done ? 'acknowledged' : 'refused';
      if (done) this.acknowledged += 1;
    } catch {
      entry.status = 'unanswered';
      // A server that is gone refuses at once; yield, so that the test can act before the next command.
      await new Promise((resolve) => setImmediate(resolve));
    } finally {
      this.in_flight -= 1;
    }
  }
}
