/**
 * Whether the server still lives, from the time of its last message. Pure.
 *
 * A server sends something at least every ping interval; silence for two of them means it is gone. A check that comes
 * much too late (the machine slept, the tab was frozen) proves nothing, since messages may wait unread behind it: it
 * grants one more interval.
 */
export class Liveness {
  private heard_at: number;
  private check_due: number;

  /** Times are monotonic milliseconds. */
  constructor(
    private readonly ping_interval_ms: number,
    now: number,
  ) {
    this.heard_at = now;
    this.check_due = now + this.limit_ms;
  }

  get limit_ms(): number {
    return 2 * this.ping_interval_ms;
  }

  heard(now: number): void {
    this.heard_at = now;
  }

  /** At a due check: `dead`, or the milliseconds until the next check. */
  check(now: number): 'dead' | number {
    const late = now - this.check_due > this.ping_interval_ms / 2;
    const silence = now - this.heard_at;
    if (silence >= this.limit_ms && !late) return 'dead';
    const next = silence >= this.limit_ms ? this.ping_interval_ms : this.limit_ms - silence;
    this.check_due = now + next;
    return next;
  }
}
