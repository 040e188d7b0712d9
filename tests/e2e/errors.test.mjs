// What goes wrong is answered with a clear error that says what, where and what to do, and harms nobody else: after each
// case an order of another client still works and a watching client still sees it.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { databasesAt, KIND, serverAddress, withDatabase } from './database.mjs';
import { startServer, temporaryFolder, waitFor } from './harness.mjs';
import { articleIds, request, send } from './http.mjs';
import { frame, handshake, openRaw, rawRequest } from './raw_socket.mjs';
import { stockChannel, Watcher } from './watcher.mjs';

const suite = { cleanups: [], after: (run) => suite.cleanups.push(run) };
let server;
let article;
let watcher;
let orders = 0;

before(async () => {
  server = await startServer(suite);
  [article] = await articleIds(server.base, 'shop_a');
  watcher = new Watcher(server.live('shop_a'), [article]);
  suite.after(() => watcher.close());
  await waitFor('the watcher is live', () => watcher.live);
});

after(async () => {
  for (const run of suite.cleanups.reverse()) await run();
});

afterEach(async () => {
  if (server === undefined || !server.running) return;
  const { version } = watcher.views.get(article);
  orders += 1;
  const { status } = await send(server.base, 'shop_a', { kind: 'order', id: `unharmed-${orders}`, article, quantity: 1 });
  assert.equal(status, 201, 'the server was harmed: a normal order fails');
  await waitFor('the watcher sees the normal order', () => watcher.views.get(article).version > version);
  assert.equal(watcher.connections, 1, 'the server was harmed: the watcher was disconnected');
});

/** A problem document that is complete, of this status, and whose words match. */
function assertProblem({ status, headers, json }, expected, words) {
  assert.ok([expected].flat().includes(status), `status ${status}: ${JSON.stringify(json)}`);
  assert.match(headers['content-type'] ?? '', /^application\/problem\+json/);
  assert.equal(json?.status, status);
  for (const member of ['type', 'title', 'detail', 'request_id']) assert.ok(typeof json[member] === 'string' && json[member] !== '', `${member} is missing in ${JSON.stringify(json)}`);
  assert.match(`${json.title} ${json.detail}`, words);
}

const post = (path, body, options = {}) => request(server.base, path, { method: 'POST', tenant: 'shop_a', body, ...options });
const order = (change = {}) => JSON.stringify({ id: 'never', article, quantity: 1, ...change });

describe('requests', () => {
  test('a body that is not JSON', async () => assertProblem(await post('/orders', '{"id":'), 400, /json/i));
  test('a member of another type is named', async () => assertProblem(await post('/orders', order({ quantity: 'two' })), [400, 422], /quantity/));
  test('a missing member is named', async () => assertProblem(await post('/orders', '{"id":"x","quantity":1}'), [400, 422], /article/));
  test('a quantity of nothing', async () => assertProblem(await post('/orders', order({ quantity: 0 })), [400, 422], /quantity/));
  test('an id outside its alphabet', async () => assertProblem(await post('/orders', order({ id: 'a b/c' })), [400, 422], /id/));
  test('an id that is too long', async () => assertProblem(await post('/orders', order({ id: 'x'.repeat(65) })), [400, 422], /id/));
  test('an unknown article', async () => assertProblem(await post('/orders', order({ article: 'Z-99' })), [404, 422], /Z-99/));
  test('an unknown route', async () => assertProblem(await request(server.base, '/nowhere', { tenant: 'shop_a' }), 404, /nowhere/));
  test('a method the route does not have', async () => assertProblem(await request(server.base, '/orders', { method: 'DELETE', tenant: 'shop_a' }), [404, 405], /DELETE|\/orders|method/i));
  test('no tenant', async () => assertProblem(await request(server.base, '/articles'), [400, 404], /tenant/i));
  test('an unknown tenant', async () => assertProblem(await request(server.base, '/articles', { tenant: 'shop_z' }), 404, /tenant|shop/i));
  test('an unknown tenant in the path', async () => assertProblem(await request(server.base, '/t/shop_z/articles'), 404, /tenant|shop/i));
  test('a tenant that is no name', async () => assertProblem(await request(server.base, '/articles', { tenant: '../shop_a' }), [400, 404], /tenant/i));

  test('one id with two contents', async () => {
    const id = 'twice';
    assert.equal((await post('/orders', order({ id }))).status, 201);
    assert.equal((await post('/orders', order({ id }))).status, 200);
    assertProblem(await post('/orders', order({ id, quantity: 2 })), 409, /twice|exists|differ/i);
  });

  test('a body beyond the limit is refused before it is sent', async () => {
    const head = `POST /orders HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\nX-Tenant: shop_a\r\nContent-Type: application/json\r\nContent-Length: 1073741824\r\n\r\n`;
    assertProblem(await rawRequest(server.port, head), 413, /large|limit|bytes/i);
  });

  test('two lengths, an unknown coding, no host', async () => {
    const raw = (...lines) => rawRequest(server.port, `POST /orders HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
    assert.equal((await raw(`Host: 127.0.0.1:${server.port}`, 'Content-Length: 3', 'Content-Length: 4')).status, 400);
    assert.ok([400, 501].includes((await raw(`Host: 127.0.0.1:${server.port}`, 'Transfer-Encoding: xchunked')).status));
    assert.equal((await raw('X-Tenant: shop_a', 'Content-Length: 0')).status, 400);
  });
});

describe('handshakes', () => {
  const refused = (change, method) => rawRequest(server.port, handshake(server.port, '/t/shop_a/live', change, method));

  test('no key', async () => assertProblem(await refused({ 'Sec-WebSocket-Key': undefined }), 400, /Sec-WebSocket-Key/i));
  test('a key of the wrong length', async () => assertProblem(await refused({ 'Sec-WebSocket-Key': 'c2hvcnQ=' }), 400, /Sec-WebSocket-Key/i));
  test('another method', async () => assertProblem(await refused({ 'Content-Length': '0' }, 'POST'), [400, 404, 405], /GET|POST|method/i));
  test('no upgrade', async () => assertProblem(await refused({ Upgrade: undefined, Connection: 'keep-alive' }), [400, 426], /upgrade|websocket/i));
  test('no subprotocol that is spoken', async () => assertProblem(await refused({ 'Sec-WebSocket-Protocol': 'chat' }), 400, /sluice\.v1\.json/));
  test('another origin', async () => assertProblem(await refused({ Origin: 'http://evil.example' }), 403, /origin/i));
  test('an origin that only looks right', async () => assertProblem(await refused({ Origin: `http://127.0.0.1:${server.port}.evil.example` }), 403, /origin/i));
  test('the origin of the page is allowed', async () => assert.equal((await refused({ Origin: server.base })).status, 101));

  test('another version is told which one is spoken', async () => {
    const answer = await refused({ 'Sec-WebSocket-Version': '8' });
    assertProblem(answer, [400, 426], /version/i);
    assert.equal(answer.headers['sec-websocket-version'], '13');
  });

  test('an unknown tenant is told after the handshake, where a browser can read it, and not to come back', async () => {
    const connection = await openRaw(server.port, '/t/shop_z/live');
    const { code, reason, bye } = await connection.closed();
    connection.destroy();
    assert.equal(code, 4404);
    assert.match(`${bye?.reason ?? ''} ${reason}`, /tenant/i);
  });
});

describe('frames', () => {
  const closes = async (...frames) => {
    const connection = await openRaw(server.port, '/t/shop_a/live');
    await connection.message('welcome');
    connection.write(Buffer.concat(frames));
    const closed = await connection.closed();
    connection.destroy();
    return closed;
  };
  const text = Buffer.from('{"type":"pong"}');

  const cases = {
    'an unmasked frame': [1002, () => [frame(text, { masked: false })]],
    'a reserved bit': [1002, () => [frame(text, { reserved: 4 })]],
    'a reserved opcode': [1002, () => [frame(text, { opcode: 3 })]],
    'a fragmented control frame': [1002, () => [frame(text, { opcode: 9, fin: false })]],
    'a control frame of 126 bytes': [1002, () => [frame(Buffer.alloc(126), { opcode: 9 })]],
    'a continuation of nothing': [1002, () => [frame(text, { opcode: 0 })]],
    'a message inside a message': [1002, () => [frame(text, { fin: false }), frame(text)]],
    'text that is not UTF-8': [1007, () => [frame(Buffer.from([0x7b, 0xc3, 0x28, 0x7d]))]],
    'a surrogate in UTF-8': [1007, () => [frame(Buffer.from([0xed, 0xa0, 0x80]))]],
    'a frame that announces a gigabyte': [1009, () => [frame(Buffer.alloc(0), { length: 2 ** 30 })]],
    'a close code that must not be sent': [1002, () => [frame(Buffer.from([0x03, 0xed]), { opcode: 8 })]],
    'a binary message': [1003, () => [frame(text, { opcode: 2 })]],
  };
  for (const [name, [code, frames]] of Object.entries(cases)) {
    test(`${name} closes with ${code}`, async () => {
      const closed = await closes(...frames());
      assert.equal(closed.code, code, closed.reason);
      assert.ok(closed.reason !== '' || closed.bye !== undefined, 'the close frame says nothing');
    });
  }
});

describe('commands', () => {
  /** Sends messages and answers the first error or answer. */
  const ask = async (...messages) => {
    const connection = await openRaw(server.port, '/t/shop_a/live');
    await connection.message('welcome');
    for (const message of messages) connection.send(message);
    const answer = await connection.message('error', 'subscribed');
    connection.destroy();
    return answer;
  };

  test('a message that is not JSON', async () => {
    const error = await ask('{"type":');
    assert.equal(error.code, 'bad_request');
    assert.match(error.message, /json/i);
    assert.equal(error.retry, false);
  });

  test('an unknown command is named and answered under its id', async () => {
    const error = await ask({ type: 'frobnicate', id: 7 });
    assert.equal(error.code, 'bad_request');
    assert.match(error.message, /frobnicate/);
    assert.equal(error.id, 7);
  });

  test('a subscribe without channel names what is missing', async () => {
    const error = await ask({ type: 'subscribe', id: 8 });
    assert.equal(error.code, 'bad_request');
    assert.match(error.message, /channel/);
  });

  test('the same name twice', async () => {
    const error = await ask(`{"type":"subscribe","id":1,"channel":"projection/stock_level/x","channel":"projection/stock_level/y"}`);
    assert.equal(error.code, 'bad_request');
  });

  const spellings = [
    'projection/stock_level/',
    'projection/stock_level',
    'projection/stock_level/%42-1',
    'projection/stock_level/%c3%bc',
    'projection/stock_level/%2',
    'projection/stock_level/A 1',
    'projection/stock_level/A-1/extra',
    'projection/stock_level/%00',
    'projection//A-1',
    '/projection/stock_level/A-1',
    'projection/unknown/A-1',
    'unknown/name',
    't/shop_b/projection/stock_level/B-1',
    'shop_b/projection/stock_level/B-1',
    `projection/stock_level/${'k'.repeat(513)}`,
    `projection/stock_level/${'%41'.repeat(1_000)}`,
  ];
  for (const channel of spellings) {
    test(`channel ${JSON.stringify(channel.slice(0, 60))} is refused under its id`, async () => {
      const error = await ask({ type: 'subscribe', id: 'q', channel });
      assert.equal(error.type, 'error', JSON.stringify(error));
      assert.equal(error.id, 'q');
      assert.match(error.code, /^(bad_request|forbidden|too_large|limit)$/);
      assert.ok(error.message.length > 10, `"${error.message}" does not say what to do`);
      assert.equal(error.retry, false);
    });
  }

  test('what is not there and what is not allowed are told alike', async () => {
    const [unknown, other] = [await ask({ type: 'subscribe', id: 1, channel: 'unknown/one' }), await ask({ type: 'subscribe', id: 1, channel: 'unknown/two' })];
    assert.equal(unknown.message.replace('one', 'two'), other.message);
  });
});

describe('tenants', () => {
  test('no address leads to the channel of another tenant', async () => {
    const [foreign] = await articleIds(server.base, 'shop_b');
    await send(server.base, 'shop_b', { kind: 'restock', id: 'foreign-1', article: foreign, quantity: 77 });
    const connection = await openRaw(server.port, '/t/shop_a/live');
    await connection.message('welcome');
    const addresses = [foreign, '..', '.', '..%2Fshop_b', '..%2F..%2Fshop_b%2Fprojection%2Fstock_level%2FB-1'].map((key) => `projection/stock_level/${key}`);
    for (const [id, channel] of addresses.entries()) {
      connection.send({ type: 'subscribe', id, channel });
      const answer = await connection.message('subscribed', 'error');
      assert.equal(answer.id, id);
      if (answer.type === 'error') continue;
      assert.equal(answer.version, 0, `${channel} shows something of another tenant`);
      assert.doesNotMatch(JSON.stringify(answer.state), /77/, `${channel} shows something of another tenant`); // an epoch may hold any digits
    }
    await send(server.base, 'shop_b', { kind: 'order', id: 'foreign-2', article: foreign, quantity: 1 });
    connection.send({ type: 'subscribe', id: 'own', channel: stockChannel(article) });
    const next = await connection.message('subscribed', 'delta');
    assert.equal(next.id, 'own', 'a frame of another tenant came');
    connection.destroy();
  });

  test('a suspended tenant is refused by HTTP and on a live connection, and told not to come back', async (t) => {
    const own = await startServer(t, { args: ['--suspend', 'shop_b'] });
    assertProblem(await request(own.base, '/articles', { tenant: 'shop_b' }), 403, /suspended/i);
    const connection = await openRaw(own.port, '/t/shop_b/live');
    const { code } = await connection.closed();
    connection.destroy();
    assert.equal(code, 4403);
    assert.equal((await request(own.base, '/articles', { tenant: 'shop_a' })).status, 200);
    await own.stop();
  });
});

describe('starts', () => {
  /** Starts a server that is expected to refuse; resolves with what it wrote. */
  const refusal = async (t, options) => {
    const error = await startServer(t, options).then(
      () => undefined,
      (reason) => reason,
    );
    assert.ok(error !== undefined, 'the server started');
    assert.match(error.message, /"code":1/, 'the exit code is not 1');
    return error.message.split('it wrote:\n')[1];
  };

  const onFiles = () => {
    test('a second server on the folder of a running one is refused and told who has it', async (t) => {
      const said = await refusal(t, { data: server.data });
      assert.match(said, /^cannot start: cannot use the data folder '.+': process \d+ has it open; stop that one or choose another folder$/m);
      assert.ok(said.includes(`'${server.data}'`), said);
    });

    test('projections of a running server cannot be compared behind its back', () => {
      const { code, output } = server.verifyProjections();
      assert.equal(code, 1, output);
      assert.match(output, /process \d+ has it open/);
    });

    test('a file that is no database is named with its tenant', async (t) => {
      const data = temporaryFolder(t);
      writeFileSync(join(data, 'shop_a.sqlite3'), 'this is no database, but long enough to be looked at as one\n'.repeat(100));
      const said = await refusal(t, { data });
      assert.match(said, /^cannot start: .*shop_a.*not a database/m);
      assert.ok(said.includes(join(data, 'shop_a.sqlite3')), said);
    });
  };

  const onServer = () => {
    test('a database that does not exist is named with its tenant and what to do', async (t) => {
      const said = await refusal(t, { databases: databasesAt(withDatabase(serverAddress(`${KIND}.admin`), 'nowhere_{tenant}')) });
      assert.match(said, /^cannot start: tenant 'shop_a', database 127\.0\.0\.1:\d+\/nowhere_shop_a, does not start \(create it, .*no such database/m);
      // MariaDB tells a user who has no rights there nothing more.
      const plain = await refusal(t, { databases: databasesAt(withDatabase(serverAddress(`${KIND}.app`), 'nowhere_{tenant}')) });
      assert.match(plain, KIND === 'mariadb' ? /^cannot start: .*does not start \(create it and grant it to the user, .*the database to that user/m : /no such database/m);
    });

    test('a wrong password is told without showing one', async (t) => {
      const address = new URL(serverAddress(`${KIND}.app`));
      const right = address.password;
      address.password = 'wrong-secret';
      const said = await refusal(t, { databases: databasesAt(address.href) });
      assert.match(said, /^cannot start: .*database_url names one database for 2 tenants/m);
      const each = await refusal(t, { databases: databasesAt(withDatabase(address.href, '{tenant}')) });
      assert.match(each, /^cannot start: tenant 'shop_a', database [^ ]+\/shop_a, does not start \(correct user and password/m);
      for (const text of [said, each]) assert.ok(!text.includes('wrong-secret') && !text.includes(right) && !text.includes('sluice_app'), text);
    });

    test('a server that is not there is named', async (t) => {
      const said = await refusal(t, { databases: databasesAt(`${KIND}://app:secret@127.0.0.1:1/{tenant}`) });
      assert.match(said, /^cannot start: tenant 'shop_a', database 127\.0\.0\.1:1\/shop_a, does not start \(is its server running/m);
    });
  };
  describe(`on ${KIND}`, KIND === 'sqlite' ? onFiles : onServer);

  test('a number of threads that no machine has is named with its range', async (t) => {
    assert.match(await refusal(t, { args: ['--shards', '100000'] }), /^cannot start: shards: 100000 is outside 0 to 1024/m);
  });

  test('a port that is taken is named', async (t) => {
    assert.match(await refusal(t, { port: server.port }), new RegExp(`^cannot start: cannot listen on 127\\.0\\.0\\.1:${server.port}: the port is taken`, 'm'));
  });
});

test('a server that stops says goodbye and ends cleanly', async (t) => {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    const own = await startServer(t);
    const connection = await openRaw(own.port, '/t/shop_a/live');
    await connection.message('welcome');
    const stopping = own.stop(signal);
    const { code } = await connection.closed();
    assert.equal(code, 4101);
    connection.destroy();
    await stopping;
  }
});
