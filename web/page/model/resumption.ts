/**
 * What a resumption amounts to over all channels of a page, in one sentence. Pure: begin with the number of channels
 * that will come back, add each one's answer, read the sentence when all are in.
 */

import type { ResumedInfo } from '../../client/index.js';

export class Resumption {
  private readonly answers: ResumedInfo[] = [];

  constructor(private readonly channels: number) {}

  /** Answers the sentence when this was the last channel. */
  add(info: ResumedInfo): string | undefined {
    this.answers.push(info);
    return this.answers.length === this.channels ? this.sentence() : undefined;
  }

  private sentence(): string {
    const missed = this.answers.reduce((sum, answer) => sum + (answer.missed ?? 0), 0);
    if (this.answers.some((answer) => answer.missed === undefined)) return 'The server numbers anew: took a fresh snapshot, without a reload.';
    if (missed === 0) return 'Missed nothing, resumed without a reload.';
    const changes = `${missed.toLocaleString('en')} ${missed === 1 ? 'change' : 'changes'}`;
    if (this.answers.some((answer) => answer.by === 'state')) return `Was ${changes} behind: took a fresh snapshot, without a reload.`;
    return `Missed ${changes}, resumed without a reload.`;
  }
}
