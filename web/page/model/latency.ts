/** How long changes took from the commit to the screen: percentiles of the last ones and a strip of time. Pure. */

export interface LatencySummary {
  readonly count: number;
  readonly p50: number;
  readonly p99: number;
}

/** One step of the strip: median and highest of its samples, undefined where nothing happened. */
export interface LatencyStep {
  readonly median: number;
  readonly highest: number;
}

/** Samples per step that count; more in one step change the picture no further. */
const SAMPLES_PER_STEP = 2_000;

export class LatencyWindow {
  private readonly samples: number[] = [];
  private next = 0;

  constructor(readonly capacity: number) {}

  add(latency_ms: number): void {
    this.samples[this.next] = latency_ms;
    this.next = (this.next + 1) % this.capacity;
  }

  summary(): LatencySummary | undefined {
    const { length } = this.samples;
    if (length === 0) return undefined;
    const sorted = Float64Array.from(this.samples).sort();
    return { count: length, p50: percentile(sorted, 0.5), p99: percentile(sorted, 0.99) };
  }
}

export class LatencyStrip {
  private readonly steps: (LatencyStep | undefined)[] = [];
  private current: number[] = [];
  private step = 0;

  constructor(
    readonly length: number,
    readonly step_ms: number,
  ) {}

  add(latency_ms: number, now_ms: number): void {
    this.moveTo(now_ms);
    if (this.current.length < SAMPLES_PER_STEP) this.current.push(latency_ms);
  }

  /** The last `length` steps up to now, oldest first; the one under way comes last. */
  view(now_ms: number): readonly (LatencyStep | undefined)[] {
    this.moveTo(now_ms);
    const all = [...this.steps, summarize(this.current)];
    return [...new Array<undefined>(Math.max(0, this.length - all.length)).fill(undefined), ...all].slice(-this.length);
  }

  private moveTo(now_ms: number): void {
    const step = Math.floor(now_ms / this.step_ms);
    if (this.step === 0) this.step = step;
    const passed = Math.min(step - this.step, this.length);
    for (let index = 0; index < passed; index += 1) {
      this.steps.push(summarize(this.current));
      this.current = [];
    }
    if (passed > 0) this.step = step;
    this.steps.splice(0, this.steps.length - this.length);
  }
}

function summarize(samples: readonly number[]): LatencyStep | undefined {
  if (samples.length === 0) return undefined;
  const sorted = Float64Array.from(samples).sort();
  return { median: percentile(sorted, 0.5), highest: sorted[sorted.length - 1] ?? 0 };
}

/** Nearest rank. */
function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}
