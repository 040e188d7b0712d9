/**
 * Reads a tenant's database by the command line of its own kind, sqlite3, psql or mariadb: what is true, by a program that is not
 * ours. SLUICE_TEST_DATABASE says which kind the run is on: `sqlite`, also when it is not set, or `postgres` or `mariadb`, on the
 * private server of tools/servers.
 */

import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const MOST_OUTPUT = 512 * 1024 * 1024;
const TENANTS = ['shop_a', 'shop_b'];

export const KIND = process.env.SLUICE_TEST_DATABASE ?? 'sqlite';
if (!['sqlite', 'postgres', 'mariadb'].includes(KIND)) throw new Error(`SLUICE_TEST_DATABASE is '${KIND}'; it may be sqlite, postgres or mariadb`);

/** The address called `name` in the file that SLUICE_TEST_SERVERS names. */
export function serverAddress(name) {
  const path = process.env.SLUICE_TEST_SERVERS ?? '';
  const lines = path === '' ? [] : readFileSync(path, 'utf8').split('\n');
  const line = lines.find((each) => each.startsWith(`${name} `));
  if (line === undefined) throw new Error(`no server '${name}' is running: ctest starts it, and so does \`tools/servers run ${name.split('.')[0]} -- COMMAND\``);
  return line.slice(name.length + 1);
}

/** `address` with another database at its end. */
export function withDatabase(address, database) {
  return address.replace(/\/[^/]*$/, `/${database}`);
}

/** What psql prints. The password goes by the environment: everybody can read a command's words. */
async function psql(address, sql) {
  const url = new URL(address);
  const password = decodeURIComponent(url.password);
  url.password = '';
  const words = ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-d', url.href, '-c', sql];
  const { stdout } = await run('psql', words, { maxBuffer: MOST_OUTPUT, env: { ...process.env, PGPASSWORD: password, PGCLIENTENCODING: 'UTF8' } });
  return stdout;
}

/** What mariadb prints. Its session is set as our driver sets its own, so that one text means the same on every database. */
async function mariadb(address, sql) {
  const url = new URL(address);
  const env = { ...process.env, MYSQL_PWD: decodeURIComponent(url.password) };
  const session = "set sql_mode = concat(@@sql_mode, ',ANSI_QUOTES,PIPES_AS_CONCAT')";
  const words = ['--no-defaults', '--batch', '--raw', '--skip-column-names', '--default-character-set=utf8mb4', '--protocol=tcp', `--init-command=${session}`];
  words.push(`--host=${url.hostname}`, `--port=${url.port}`, `--user=${url.username}`, `--execute=${sql}`, url.pathname.slice(1));
  const { stdout } = await run('mariadb', words, { maxBuffer: MOST_OUTPUT, env });
  return stdout;
}

/** A kind of server: how a database is made for sluice_app and removed, how rows come as objects, how stored bytes become text. */
const SERVERS = {
  postgres: {
    run: psql,
    creation: (name) => `create database ${name} owner sluice_app`,
    removal: (name) => `drop database ${name} with (force)`,
    rows: async (address, columns, sql) => JSON.parse(await psql(address, `select coalesce(json_agg(q), '[]') from (${sql}) as q`)),
    text: (column) => `CAST(${column} AS TEXT)`,
  },
  mariadb: {
    run: mariadb,
    // In a grant `_` stands for any character.
    creation: (name) => `create database ${name}; grant all privileges on "${name.replaceAll('_', '\\_')}".* to sluice_app@'127.0.0.1'`,
    removal: (name) => `drop database ${name}`,
    // A row a line: an aggregate of all rows would have a limit.
    rows: async (address, columns, sql) => {
      const members = columns.map((column) => `'${column}', "${column}"`).join(', ');
      const lines = (await mariadb(address, `select json_object(${members}) from (${sql}) as q`)).split('\n');
      return lines.filter((line) => line !== '').map((line) => JSON.parse(line));
    },
    text: (column) => `CONVERT(${column} USING utf8mb4)`,
  },
};
const SERVER = SERVERS[KIND];
const textOf = SERVER?.text ?? SERVERS.postgres.text;

let made = 0;

/** Empty databases for the tenants of one server: of(tenant) for `query`, `environment` for the server's process. They go with the test. */
export async function makeDatabases(t, folder) {
  if (KIND === 'sqlite') return { of: (tenant) => ({ file: join(folder, `${tenant}.sqlite3`) }), environment: {} };
  made += 1;
  const prefix = `e2e_${process.pid}_${made}`;
  const admin = serverAddress(`${KIND}.admin`);
  for (const tenant of TENANTS) {
    await SERVER.run(admin, SERVER.creation(`${prefix}_${tenant}`));
    t.after(() => SERVER.run(admin, SERVER.removal(`${prefix}_${tenant}`)));
  }
  return databasesAt(withDatabase(serverAddress(`${KIND}.app`), `${prefix}_{tenant}`));
}

/** Databases that are there, or are not, under an address with {tenant}. */
export function databasesAt(address) {
  return { of: (tenant) => ({ address: address.replace('{tenant}', tenant) }), environment: { SLUICE_DATABASE_URL: address } };
}

/** The rows of a query, which has these columns. A server may be using the database. */
async function query(database, columns, sql) {
  if (database.address !== undefined) return SERVER.rows(database.address, columns, sql);
  const { stdout } = await run('sqlite3', ['-readonly', '-json', '-cmd', '.timeout 10000', database.file, sql], { maxBuffer: MOST_OUTPUT });
  return stdout.trim() === '' ? [] : JSON.parse(stdout);
}

/** The stock projection of the newest generation: key → { version, state }. */
export async function readProjection(database) {
  const rows = await query(
    database,
    ['key', 'version', 'state'],
    `SELECT "key", version, ${textOf('state')} AS state FROM sluice_projection_state AS s
     WHERE projection = 'stock_level' AND generation =
       (SELECT max(generation) FROM sluice_projection_state WHERE projection = 'stock_level')`,
  );
  return new Map(rows.map((row) => [row.key, { version: row.version, state: JSON.parse(row.state) }]));
}

/** What the business rows amount to: article → { on_hand, reserved, changes }. */
export async function readTotals(database) {
  const rows = await query(
    database,
    ['article', 'on_hand', 'reserved', 'changes'],
    `SELECT article, sum(on_hand) AS on_hand, sum(reserved) AS reserved, count(*) AS changes FROM
       (SELECT article, quantity AS on_hand, 0 AS reserved FROM restocks
        UNION ALL SELECT article, 0, quantity FROM orders) AS changes
     GROUP BY article`,
  );
  return new Map(rows.map((row) => [row.article, { on_hand: row.on_hand, reserved: row.reserved, changes: row.changes }]));
}

/** Every business row: `kind id` → list of { article, quantity }, so that a doubled one shows. */
export async function readCommands(database) {
  const rows = await query(
    database,
    ['kind', 'id', 'article', 'quantity'],
    `SELECT 'order' AS kind, id, article, quantity FROM orders UNION ALL SELECT 'restock', id, article, quantity FROM restocks`,
  );
  const found = new Map();
  for (const row of rows) {
    const key = `${row.kind} ${row.id}`;
    found.set(key, [...(found.get(key) ?? []), { article: row.article, quantity: row.quantity }]);
  }
  return found;
}
