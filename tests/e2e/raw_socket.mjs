/** Bytes on a TCP connection: for requests and WebSocket frames that no proper client would send. */

import { randomBytes } from 'node:crypto';
import net from 'node:net';

const DEADLINE_MS = 15_000;

/** Sends bytes and answers the first HTTP response: { status, headers, json }. The connection is closed afterwards. */
export async function rawRequest(port, bytes) {
  const connection = await RawConnection.open(port);
  try {
    connection.write(bytes);
    return await connection.response();
  } finally {
    connection.destroy();
  }
}

/** The head of a handshake; `change` replaces, adds or (undefined) removes headers. */
export function handshake(port, path, change = {}, method = 'GET', version = '1.1') {
  const headers = {
    Host: `127.0.0.1:${port}`,
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Protocol': 'sluice.v1.json',
    ...change,
  };
  const lines = Object.entries(headers).filter(([, value]) => value !== undefined);
  return `${method} ${path} HTTP/${version}\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
}

/** An upgraded connection past its welcome. */
export async function openRaw(port, path) {
  const connection = await RawConnection.open(port);
  connection.write(handshake(port, path));
  const { status } = await connection.response();
  if (status !== 101) throw new Error(`the handshake was answered ${status}`);
  return connection;
}

/** One frame as bytes; every part can be wrong on purpose. */
export function frame(payload, { opcode = 1, fin = true, masked = true, reserved = 0, length = payload.length } = {}) {
  const head = [(fin ? 0x80 : 0) | (reserved << 4) | opcode];
  const mask_bit = masked ? 0x80 : 0;
  if (length < 126) head.push(mask_bit | length);
  else if (length < 65_536) head.push(mask_bit | 126, length >> 8, length & 0xff);
  else {
    const wide = Buffer.alloc(8);
    wide.writeBigUInt64BE(BigInt(length));
    head.push(mask_bit | 127, ...wide);
  }
  const mask = masked ? randomBytes(4) : Buffer.alloc(0);
  const body = Buffer.from(payload);
  if (masked) for (let index = 0; index < body.length; index += 1) body[index] ^= mask[index % 4];
  return Buffer.concat([Buffer.from(head), mask, body]);
}

class RawConnection {
  #socket;
  #buffer = Buffer.alloc(0);
  #ended = false;
  #wake = () => undefined;

  static open(port) {
    return new Promise((resolve, reject) => {
      const socket = net.connect(port, '127.0.0.1');
      socket.once('connect', () => resolve(new RawConnection(socket)));
      socket.once('error', reject);
    });
  }

  constructor(socket) {
    this.#socket = socket;
    socket.on('data', (part) => {
      this.#buffer = Buffer.concat([this.#buffer, part]);
      this.#wake();
    });
    const end = () => {
      this.#ended = true;
      this.#wake();
    };
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', end);
  }

  write(bytes) {
    this.#socket.write(bytes);
  }

  send(message) {
    this.write(frame(Buffer.from(typeof message === 'string' ? message : JSON.stringify(message))));
  }

  destroy() {
    this.#socket.destroy();
  }

  /** Waits until `take` makes something of what has arrived; undefined from it means more is needed. */
  async #until(what, take) {
    const until = performance.now() + DEADLINE_MS;
    for (;;) {
      const found = take();
      if (found !== undefined) return found;
      if (this.#ended) throw new Error(`the connection ended before ${what} came`);
      const left = until - performance.now();
      if (left <= 0) throw new Error(`${what} did not come within ${DEADLINE_MS} ms`);
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  response() {
    return this.#until('a response', () => {
      const end = this.#buffer.indexOf('\r\n\r\n');
      if (end < 0) return undefined;
      const [first, ...lines] = this.#buffer.subarray(0, end).toString('latin1').split('\r\n');
      const headers = Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]));
      const length = Number(headers['content-length'] ?? 0);
      if (this.#buffer.length < end + 4 + length) return undefined;
      const body = this.#buffer.subarray(end + 4, end + 4 + length).toString('utf8');
      this.#buffer = this.#buffer.subarray(end + 4 + length);
      return { status: Number(first.split(' ')[1]), headers, json: body.startsWith('{') ? JSON.parse(body) : undefined };
    });
  }

  /** The next frame of the server: { opcode, payload }. */
  next() {
    return this.#until('a frame', () => {
      if (this.#buffer.length < 2) return undefined;
      let length = this.#buffer[1] & 0x7f;
      let at = 2;
      if (length === 126) {
        if (this.#buffer.length < 4) return undefined;
        length = this.#buffer.readUInt16BE(2);
        at = 4;
      } else if (length === 127) {
        if (this.#buffer.length < 10) return undefined;
        length = Number(this.#buffer.readBigUInt64BE(2));
        at = 10;
      }
      if (this.#buffer.length < at + length) return undefined;
      const found = { opcode: this.#buffer[0] & 0x0f, payload: this.#buffer.subarray(at, at + length) };
      this.#buffer = this.#buffer.subarray(at + length);
      return found;
    });
  }

  /** The next message that is of one of these types; others are passed over. */
  async message(...types) {
    for (;;) {
      const { opcode, payload } = await this.next();
      if (opcode === 8) throw new Error(`closed with ${payload.readUInt16BE(0)} ${payload.subarray(2)} before ${types.join(' or ')} came`);
      if (opcode !== 1) continue;
      const message = JSON.parse(payload.toString('utf8'));
      if (types.includes(message.type)) return message;
    }
  }

  /** The close frame: { code, reason, bye }. */
  async closed() {
    let bye;
    for (;;) {
      const { opcode, payload } = await this.next();
      if (opcode === 8) return { code: payload.length >= 2 ? payload.readUInt16BE(0) : 1005, reason: payload.subarray(2).toString('utf8'), bye };
      if (opcode !== 1) continue;
      const message = JSON.parse(payload.toString('utf8'));
      if (message.type === 'bye') bye = message;
    }
  }
}
