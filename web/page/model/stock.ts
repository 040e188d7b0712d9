/** The stock of a shop as its channels tell it, and which articles changed since somebody last looked. Pure. */

export interface Level {
  readonly on_hand: number;
  readonly reserved: number;
}

export interface StockChange extends Level {
  readonly cause: 'order' | 'restock';
  readonly quantity: number;
  /** The server's wall clock right before the commit, in microseconds since 1970. */
  readonly at_us: number;
}

export interface StockRow extends Level {
  readonly epoch: string;
  readonly version: number;
  /** By how much `available` moved since the row was last taken. */
  readonly moved: number;
}

export function available(level: Level): number {
  return level.on_hand - level.reserved;
}

/** The state of a stock channel; an article that never moved has none. */
export function readLevel(state: unknown): Level | undefined {
  if (state === undefined || state === null) return { on_hand: 0, reserved: 0 };
  const { on_hand, reserved } = state as Record<string, unknown>;
  return Number.isSafeInteger(on_hand) && Number.isSafeInteger(reserved) ? { on_hand: on_hand as number, reserved: reserved as number } : undefined;
}

export function readChange(data: unknown): StockChange | undefined {
  const level = readLevel(data ?? {});
  if (level === undefined) return undefined;
  const { cause, quantity, at_us } = data as Record<string, unknown>;
  if ((cause !== 'order' && cause !== 'restock') || !Number.isSafeInteger(quantity) || !Number.isSafeInteger(at_us)) return undefined;
  return { ...level, cause, quantity: quantity as number, at_us: at_us as number };
}

export class Stock {
  private readonly rows = new Map<string, StockRow>();
  private readonly changed = new Set<string>();

  get(article: string): StockRow | undefined {
    return this.rows.get(article);
  }

  set(article: string, level: Level, epoch: string, version: number): void {
    const before = this.rows.get(article);
    const moved = before === undefined ? 0 : before.moved + available(level) - available(before);
    this.rows.set(article, { on_hand: level.on_hand, reserved: level.reserved, epoch, version, moved });
    this.changed.add(article);
  }

  /** The state stays, its position moves. */
  move(article: string, epoch: string, version: number): void {
    const row = this.rows.get(article);
    if (row !== undefined) this.set(article, row, epoch, version);
  }

  /** The rows that changed since the last call, each with how far it moved meanwhile. */
  takeChanged(): [string, StockRow][] {
    const taken: [string, StockRow][] = [];
    for (const article of this.changed) {
      const row = this.rows.get(article);
      if (row === undefined) continue;
      taken.push([article, row]);
      this.rows.set(article, { ...row, moved: 0 });
    }
    this.changed.clear();
    return taken;
  }

  /** The newest position of all rows, for the connection panel. */
  newest(): { article: string; row: StockRow } | undefined {
    let newest: { article: string; row: StockRow } | undefined;
    for (const [article, row] of this.rows) {
      if (newest === undefined || row.version > newest.row.version) newest = { article, row };
    }
    return newest;
  }
}
