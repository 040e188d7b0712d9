/** A clock that moves only when told, and runs what is due in order of time. */

import type { ClientClock } from '../environment.js';

interface Timer {
  readonly due: number;
  readonly run: () => void;
}

export class VirtualClock implements ClientClock {
  private time = 1_000;
  private readonly timers = new Map<number, Timer>();
  private last_id = 0;

  now(): number {
    return this.time;
  }

  setTimeout(run: () => void, delay_ms: number): number {
    this.last_id += 1;
    this.timers.set(this.last_id, { due: this.time + Math.max(0, delay_ms), run });
    return this.last_id;
  }

  clearTimeout(timer: unknown): void {
    this.timers.delete(timer as number);
  }

  /** How many timers are armed. */
  get armed(): number {
    return this.timers.size;
  }

  advance(by_ms: number): void {
    const until = this.time + by_ms;
    for (;;) {
      const next = this.earliest(until);
      if (next === undefined) break;
      const [id, timer] = next;
      this.timers.delete(id);
      this.time = Math.max(this.time, timer.due);
      timer.run();
    }
    this.time = until;
  }

  /** Time passes without a timer running, as when a machine sleeps. */
  sleep(by_ms: number): void {
    this.time += by_ms;
  }

  private earliest(until: number): [number, Timer] | undefined {
    let found: [number, Timer] | undefined;
    for (const entry of this.timers) {
      if (entry[1].due <= until && (found === undefined || entry[1].due < found[1].due)) found = entry;
    }
    return found;
  }
}
