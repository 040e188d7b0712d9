/**
 * Many orders at once: a bounded number under way, each with an id of its own that it keeps when it has to be sent
 * again, so that no order is lost or doubled when the server goes away in the middle.
 */

import type { Command, Outcome } from './shop_api.js';

export interface BurstPlan {
  readonly total: number;
  readonly in_flight: number;
  /** Sends of one order before it is given up. */
  readonly tries: number;
  readonly pause_ms: (attempt: number) => number;
}

export interface BurstProgress {
  readonly total: number;
  readonly done: number;
  readonly refused: number;
  /** Orders that never got an answer. */
  readonly unanswered: number;
  /** Sends beyond the first of an order. */
  readonly resent: number;
  /** The last refusal in words. */
  readonly last_problem: string | undefined;
}

export interface BurstPorts {
  readonly send: (command: Command) => Promise<Outcome<true>>;
  readonly next: () => Command;
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly onProgress: (progress: BurstProgress) => void;
}

/** Statuses that ask for another try. */
const TRY_AGAIN = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Sends `plan.total` orders; ends early when `signal` is aborted. Resolves with the final count. */
export async function runBurst(plan: BurstPlan, ports: BurstPorts, signal: AbortSignal): Promise<BurstProgress> {
  let progress: BurstProgress = { total: plan.total, done: 0, refused: 0, unanswered: 0, resent: 0, last_problem: undefined };
  const report = (change: Partial<BurstProgress>) => {
    progress = { ...progress, ...change };
    ports.onProgress(progress);
  };
  let started = 0;

  const sendOne = async (command: Command): Promise<void> => {
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await ports.send(command);
      if (outcome.kind === 'done') return report({ done: progress.done + 1 });
      const final = attempt + 1 >= plan.tries || signal.aborted;
      if (outcome.kind === 'refused' && (final || !TRY_AGAIN.has(outcome.problem.status))) {
        return report({ refused: progress.refused + 1, last_problem: outcome.problem.detail || outcome.problem.title });
      }
      if (final) return report({ unanswered: progress.unanswered + 1 });
      const asked_ms = outcome.kind === 'refused' ? (outcome.retry_after_ms ?? 0) : 0;
      await ports.sleep(Math.max(asked_ms, plan.pause_ms(attempt)), signal);
      report({ resent: progress.resent + 1 });
    }
  };
  const worker = async (): Promise<void> => {
    while (started < plan.total && !signal.aborted) {
      started += 1;
      await sendOne(ports.next());
    }
  };
  await Promise.all(Array.from({ length: Math.min(plan.in_flight, plan.total) }, worker));
  return progress;
}
