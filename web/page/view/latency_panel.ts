/** Commit-to-screen latency: two figures and a strip of the last half minute. */

import { count, milliseconds } from '../model/format.js';
import { LatencyStrip, type LatencyStep, LatencyWindow } from '../model/latency.js';
import { byId, setText } from './dom.js';

const WINDOW = 1_000;
const STEPS = 120;
const STEP_MS = 250;
const WIDTH = 320;
const HEIGHT = 64;
/** The strip shows at least this much, so that a quiet machine does not look dramatic. */
const LEAST_TOP_MS = 20;

export class LatencyPanel {
  private readonly p50 = byId('latency-p50');
  private readonly p99 = byId('latency-p99');
  private readonly note = byId('latency-note');
  private readonly top = byId('strip-top');
  private readonly strip_view = byId<SVGElement>('latency-strip');
  private readonly high = byId<SVGPathElement>('strip-high');
  private readonly median = byId<SVGPathElement>('strip-median');
  private samples = new LatencyWindow(WINDOW);
  private strip = new LatencyStrip(STEPS, STEP_MS);

  constructor() {
    setInterval(() => this.draw(), STEP_MS);
  }

  clear(): void {
    this.samples = new LatencyWindow(WINDOW);
    this.strip = new LatencyStrip(STEPS, STEP_MS);
    this.draw();
  }

  add(latency_ms: number): void {
    this.samples.add(latency_ms);
    this.strip.add(latency_ms, performance.now());
  }

  /** Four times a second: percentiles of a thousand samples are not worth computing for every frame. */
  private draw(): void {
    if (document.hidden) return;
    const summary = this.samples.summary();
    setText(this.p50, summary === undefined ? '–' : milliseconds(summary.p50));
    setText(this.p99, summary === undefined ? '–' : milliseconds(summary.p99));
    if (summary !== undefined) {
      setText(this.note, `Last ${count(summary.count)} ${summary.count === 1 ? 'change' : 'changes'}, from just before the commit to the frame that shows it.`);
    }
    this.drawStrip();
  }

  private drawStrip(): void {
    const steps = this.strip.view(performance.now());
    const highest = Math.max(0, ...steps.map((step) => step?.highest ?? 0));
    const top = Math.max(LEAST_TOP_MS, highest);
    this.high.setAttribute('d', bars(steps, (step) => step.highest / top));
    this.median.setAttribute('d', bars(steps, (step) => step.median / top));
    setText(this.top, highest === 0 ? '' : `peak ${milliseconds(highest)} ms`);
    const label = highest === 0 ? 'No changes in the last 30 seconds' : `Latency over the last 30 seconds, peak ${milliseconds(highest)} milliseconds`;
    if (this.strip_view.getAttribute('aria-label') !== label) this.strip_view.setAttribute('aria-label', label);
  }
}

function bars(steps: readonly (LatencyStep | undefined)[], share: (step: LatencyStep) => number): string {
  const step_width = WIDTH / steps.length;
  let path = '';
  for (const [index, step] of steps.entries()) {
    if (step === undefined) continue;
    const x = ((index + 0.5) * step_width).toFixed(1);
    const rise = Math.max(1.5, share(step) * (HEIGHT - 4));
    path += `M${x} ${HEIGHT - 1}v${(-rise).toFixed(1)}`;
  }
  return path;
}
