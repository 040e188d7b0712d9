/** Reads a tenant's database with the sqlite3 command line: what is true, by a program that is not ours. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The rows of a query. The file may be in use by a running server. */
export async function query(file, sql) {
  const { stdout } = await run('sqlite3', ['-readonly', '-json', '-cmd', '.timeout 10000', file, sql], { maxBuffer: 512 * 1024 * 1024 });
  return stdout.trim() === '' ? [] : JSON.parse(stdout);
}

/** The stock projection of the newest generation: key → { version, state }. */
export async function readProjection(file) {
  const rows = await query(
    file,
    `SELECT key, version, CAST(state AS TEXT) AS state FROM sluice_projection_state AS s
     WHERE projection = 'stock_level' AND generation =
       (SELECT max(generation) FROM sluice_projection_state WHERE projection = 'stock_level')`,
  );
  return new Map(rows.map((row) => [row.key, { version: row.version, state: JSON.parse(row.state) }]));
}

/** What the business rows amount to: article → { on_hand, reserved, changes }. */
export async function readTotals(file) {
  const rows = await query(
    file,
    `SELECT article, sum(on_hand) AS on_hand, sum(reserved) AS reserved, count(*) AS changes FROM
       (SELECT article, quantity AS on_hand, 0 AS reserved FROM restocks
        UNION ALL SELECT article, 0, quantity FROM orders)
     GROUP BY article`,
  );
  return new Map(rows.map((row) => [row.article, { on_hand: row.on_hand, reserved: row.reserved, changes: row.changes }]));
}

/** Every business row: `kind id` → list of { article, quantity }, so that a doubled one shows. */
export async function readCommands(file) {
  const rows = await query(
    file,
    `SELECT 'order' AS kind, id, article, quantity FROM orders UNION ALL SELECT 'restock', id, article, quantity FROM restocks`,
  );
  const found = new Map();
  for (const row of rows) {
    const key = `${row.kind} ${row.id}`;
    found.set(key, [...(found.get(key) ?? []), { article: row.article, quantity: row.quantity }]);
  }
  return found;
}
