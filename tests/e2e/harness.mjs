/**
 * Runs the demo server for a test: on a port of its own, on a folder or databases of its own, and never longer than the test.
 *
 *     const server = await startServer(t);            // SLUICE_DEMO_BIN names the program
 *     await server.kill9();
 *     await server.restart();                         // same data, same port
 *
 * A server dies with its test (t.after), with this process (exit handler) and, where setpriv exists, also when this
 * process is killed.
 */

import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { makeDatabases } from './database.mjs';
import { WEB_DIST } from './packages.mjs';

const START_DEADLINE_MS = 30_000;
const STOP_DEADLINE_MS = 15_000;
const KEPT_OUTPUT = 64 * 1024;

const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(1));

/** The lines of setpriv that tie a child's life to ours; empty where the tool is missing. */
const tether = spawnSync('setpriv', ['--pdeathsig', 'KILL', 'true']).status === 0 ? ['setpriv', '--pdeathsig', 'KILL'] : [];

export function demoBinary() {
  const path = process.env.SLUICE_DEMO_BIN;
  if (path === undefined || path === '') throw new Error('SLUICE_DEMO_BIN is not set: name the program of examples/orders');
  return path;
}

/** Waits until `probe` answers something other than undefined, false or null, and answers that. */
export async function waitFor(what, probe, { deadline_ms = 15_000, every_ms = 20 } = {}) {
  const until = performance.now() + deadline_ms;
  let failure;
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined && found !== false && found !== null) return found;
      failure = undefined;
    } catch (error) {
      failure = error;
    }
    if (performance.now() > until) throw new Error(`waited ${deadline_ms} ms in vain until ${what}`, { cause: failure });
    await pause(every_ms);
  }
}

export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A folder that goes with the test. */
export function temporaryFolder(t) {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-e2e-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Starts a server; `args` are added to the command line, `data`, `databases` and `port` are free ones if not named. Resolves when it listens. */
export async function startServer(t, { args = [], data = temporaryFolder(t), databases, port = 0 } = {}) {
  const server = new Server(data, databases ?? (await makeDatabases(t, data)), args);
  t.after(() => server.kill9());
  await server.start(port);
  return server;
}

class Server {
  #child;
  #ended;
  #output = '';
  #args;

  constructor(data, databases, args) {
    this.data = data;
    this.databases = databases;
    this.#args = args;
    this.port = 0;
  }

  get base() {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The address of a tenant's live connection. */
  live(tenant) {
    return `ws://127.0.0.1:${this.port}/t/${tenant}/live`;
  }

  /** A tenant's database, for `query` and the readers of database.mjs. */
  database(tenant) {
    return this.databases.of(tenant);
  }

  /** What the server wrote lately, for messages. */
  get output() {
    return this.#output;
  }

  get running() {
    return this.#child !== undefined;
  }

  async start(port) {
    const extra = (process.env.SLUICE_DEMO_ARGS ?? '').split(' ').filter((part) => part !== '');
    const command = [...tether, demoBinary(), '--port', String(port), '--admin-port', '0', '--data', this.data, '--web', WEB_DIST, ...extra, ...this.#args];
    const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.databases.environment } });
    this.#child = child;
    children.add(child);
    this.#ended = new Promise((resolve) => {
      child.on('error', (error) => resolve({ code: undefined, signal: undefined, error }));
      child.on('close', (code, signal) => resolve({ code, signal })); // after its last line has been read
    }).then((end) => {
      children.delete(child);
      if (this.#child === child) this.#child = undefined;
      return end;
    });
    const listening = this.#readAddresses(child);
    const deadline = expiry(START_DEADLINE_MS);
    const outcome = await Promise.race([listening, this.#ended.then((end) => ({ end })), deadline.promise]);
    deadline.clear();
    if (outcome === 'listening') return;
    await this.kill9();
    const why = outcome === undefined ? `did not say where it listens within ${START_DEADLINE_MS} ms` : `ended with ${JSON.stringify(outcome.end)}`;
    throw new Error(`${command.join(' ')}: ${why}; it wrote:\n${this.#output}`);
  }

  #readAddresses(child) {
    let port;
    let admin;
    const keep = (line) => {
      this.#output = `${this.#output}${line}\n`.slice(-KEPT_OUTPUT);
    };
    createInterface({ input: child.stderr }).on('line', keep);
    return new Promise((resolve) => {
      createInterface({ input: child.stdout }).on('line', (line) => {
        keep(line);
        admin ??= /^admin on (http:\/\/\S+)/.exec(line)?.[1];
        port ??= /^listening on http:\/\/[^:]+:(\d+)/.exec(line)?.[1];
        if (port === undefined || admin === undefined) return;
        this.port = Number(port);
        this.admin = admin;
        resolve('listening');
      });
    });
  }

  /** Kills without a word, as a power cut would. Resolves when the process is gone. */
  async kill9() {
    this.#child?.kill('SIGKILL');
    await this.#ended;
  }

  /** Starts again on the same data and port. */
  async restart() {
    if (this.running) throw new Error('restart: the server still runs');
    await this.start(this.port);
  }

  /** Asks to stop and insists on a clean exit. */
  async stop(signal = 'SIGTERM') {
    this.#child?.kill(signal);
    const deadline = expiry(STOP_DEADLINE_MS);
    const end = await Promise.race([this.#ended, deadline.promise]);
    deadline.clear();
    if (end?.code === 0) return;
    await this.kill9();
    throw new Error(`the server did not stop cleanly on ${signal}: ${JSON.stringify(end ?? `still running after ${STOP_DEADLINE_MS} ms`)}; it wrote:\n${this.#output}`);
  }

  /** Runs the server's own comparison of the projections with their rebuild; the server must be stopped. */
  verifyProjections() {
    const run = spawnSync(demoBinary(), ['--data', this.data, '--verify-projections'], { encoding: 'utf8', timeout: 300_000, env: { ...process.env, ...this.databases.environment } });
    return { code: run.status, output: `${run.stdout}${run.stderr}` };
  }
}

function expiry(ms) {
  let timer;
  const promise = new Promise((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return { promise, clear: () => clearTimeout(timer) };
}
