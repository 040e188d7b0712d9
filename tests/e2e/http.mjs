/** Plain HTTP for the tests: one request, its status, headers and JSON. Rejects when no whole answer came. */

import http from 'node:http';

export function request(base, path, { method = 'GET', tenant, headers = {}, body, agent, timeout_ms = 30_000 } = {}) {
  const url = new URL(path, base);
  const all = { ...headers };
  if (tenant !== undefined) all['X-Tenant'] = tenant;
  if (body !== undefined) {
    all['Content-Type'] ??= 'application/json';
    all['Content-Length'] = Buffer.byteLength(body);
  }
  return new Promise((resolve, reject) => {
    const sent = http.request(url, { method, headers: all, agent, timeout: timeout_ms }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part));
      response.on('error', reject);
      response.on('end', () => {
        if (!response.complete) return reject(new Error('the answer ended early'));
        const text = Buffer.concat(parts).toString('utf8');
        resolve({ status: response.statusCode, headers: response.headers, text, json: parse(text) });
      });
    });
    sent.on('timeout', () => sent.destroy(new Error(`no answer within ${timeout_ms} ms`)));
    sent.on('error', reject);
    sent.end(body);
  });
}

const PATHS = { order: '/orders', restock: '/restock' };

/** Sends one command of the shop. */
export function send(base, tenant, { kind, ...command }, agent) {
  return request(base, PATHS[kind], { method: 'POST', tenant, body: JSON.stringify(command), agent });
}

/** The ids of a tenant's articles. */
export async function articleIds(base, tenant) {
  const { status, json, text } = await request(base, '/articles', { tenant });
  if (status !== 200 || !Array.isArray(json) || json.length === 0) throw new Error(`GET /articles answered ${status}: ${text}`);
  return json.map((article) => article.id);
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
