/** Wall-clock time with the resolution of the monotonic clock; follows when the machine's clock is set. */
export class WallClock {
  private origin_ms = performance.timeOrigin;

  now_ms(): number {
    const coarse = Date.now();
    if (Math.abs(this.origin_ms + performance.now() - coarse) > 5) this.origin_ms = coarse - performance.now();
    return this.origin_ms + performance.now();
  }
}
