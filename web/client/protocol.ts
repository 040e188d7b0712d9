/**
 * The messages of `sluice.v1` and a decoder that trusts nothing.
 *
 * Pure: text in, a verdict out. The decoder never throws; a message that breaks the protocol is reported with the
 * path of the bad member, and the caller decides what becomes of the connection.
 *
 *     const verdict = decodeServerMessage('{"type":"ping"}');
 *     if (verdict.kind === 'message') handle(verdict.message);
 */

/** The WebSocket subprotocol this module speaks. */
export const SUBPROTOCOL = 'sluice.v1.json';

/** The longest message that is looked at, in UTF-16 units; a longer one breaks the protocol. */
export const MAX_MESSAGE_LENGTH = 8 * 1024 * 1024;

/** Where a subscriber stands in a channel. `epoch` is opaque: compare for equality only. `version` is dense inside an epoch. */
export interface Position {
  readonly epoch: string;
  readonly version: number;
}

/** What the server does with a subscriber that reads too slowly; `drop_oldest` means that jumps are normal. */
export type OverflowPolicy = 'evict' | 'conflate' | 'drop_oldest';

export type MessageId = number | string;

/** An answer to `subscribe` for a channel without positions (a room), which this client does not follow. */
export interface UnplacedMessage {
  readonly type: 'unplaced';
  readonly id: MessageId;
  readonly channel: string;
}

export interface WelcomeMessage {
  readonly type: 'welcome';
  readonly connection: string;
  readonly ping_interval_ms: number;
  readonly limits: Readonly<Record<string, unknown>>;
}

/** A frame of a channel: the change that leads from `version - 1` to `version`. */
export interface DeltaMessage extends Position {
  readonly type: 'delta';
  readonly channel: string;
  readonly event?: string;
  readonly data: unknown;
}

/** The answer to `subscribe`: the state, or the frames missed since the position that was named, oldest first. */
export interface SubscribedMessage extends Position {
  readonly type: 'subscribed';
  readonly id: MessageId;
  readonly channel: string;
  readonly policy: OverflowPolicy;
  readonly state?: unknown;
  readonly frames?: readonly DeltaMessage[];
}

/** The state was replaced. Without `state` the subscriber has to load it by its own means. */
export interface ResetMessage extends Position {
  readonly type: 'reset';
  readonly channel: string;
  readonly state?: unknown;
}

/** The same state has a new position. */
export interface PositionMessage extends Position {
  readonly type: 'position';
  readonly channel: string;
}

export interface ErrorMessage {
  readonly type: 'error';
  readonly id?: MessageId;
  readonly code: string;
  readonly message: string;
  readonly retry: boolean;
}

export interface ByeMessage {
  readonly type: 'bye';
  readonly code: number;
  readonly reason: string;
  readonly reconnect_after_ms?: number;
}

export interface PingMessage {
  readonly type: 'ping';
}

export type ServerMessage =
  | WelcomeMessage
  | SubscribedMessage
  | UnplacedMessage
  | DeltaMessage
  | ResetMessage
  | PositionMessage
  | ErrorMessage
  | ByeMessage
  | PingMessage;

export type ClientMessage =
  | { readonly type: 'hello'; readonly token?: string }
  | { readonly type: 'subscribe'; readonly id: MessageId; readonly channel: string; readonly epoch?: string; readonly version?: number }
  | { readonly type: 'unsubscribe'; readonly id: MessageId; readonly channel: string }
  | { readonly type: 'pong' };

/** `unknown`: a type of a newer server, to be passed over. `violation`: the peer does not speak `sluice.v1`. */
export type Verdict =
  | { readonly kind: 'message'; readonly message: ServerMessage }
  | { readonly kind: 'unknown'; readonly type: string }
  | { readonly kind: 'violation'; readonly reason: string };

export function encodeClientMessage(message: ClientMessage): string {
  return JSON.stringify(message);
}

export function decodeServerMessage(text: string): Verdict {
  if (text.length > MAX_MESSAGE_LENGTH) return violation(`message of ${text.length} characters, at most ${MAX_MESSAGE_LENGTH} are read`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return violation('message is not JSON');
  }
  if (!isObject(value)) return violation('message is not a JSON object');
  if (typeof value.type !== 'string') return violation('type: expected a string');
  const decode = decoders.get(value.type);
  if (decode === undefined) return { kind: 'unknown', type: value.type };
  const problem = decode(value);
  if (problem !== undefined) return violation(`${value.type}.${problem}`);
  return { kind: 'message', message: value.type === 'subscribed' ? readAnswer(value) : (value as unknown as ServerMessage) };
}

function readAnswer(answer: Members): ServerMessage {
  if (answer.version === undefined) return { type: 'unplaced', id: answer.id as MessageId, channel: answer.channel as string };
  if (answer.frames === undefined) return answer as unknown as SubscribedMessage;
  const frames = (answer.frames as Members[]).map((frame) => ({ type: 'delta', channel: answer.channel, epoch: answer.epoch, ...frame }));
  return { ...answer, frames } as unknown as SubscribedMessage;
}

type Members = Record<string, unknown>;

/** Answers what is wrong, as `member: expectation`, or undefined. */
type Check = (members: Members) => string | undefined;

const decoders: ReadonlyMap<string, Check> = new Map<string, Check>([
  ['welcome', all(text('connection'), positive('ping_interval_ms'), object('limits'))],
  ['subscribed', all(id, channel, (members) => (members.epoch === undefined && members.version === undefined ? undefined : position(members)), policy, missedFrames)],
  ['delta', checkDelta],
  ['reset', all(channel, position)],
  ['position', all(channel, position)],
  ['error', all(optional('id', id), text('code'), text('message'), flag('retry'))],
  ['bye', all(count('code'), text('reason'), optional('reconnect_after_ms', count('reconnect_after_ms')))],
  ['ping', () => undefined],
]);

function violation(reason: string): Verdict {
  return { kind: 'violation', reason };
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function all(...checks: readonly Check[]): Check {
  return (members) => {
    for (const check of checks) {
      const problem = check(members);
      if (problem !== undefined) return problem;
    }
    return undefined;
  };
}

function optional(name: string, check: Check): Check {
  return (members) => (members[name] === undefined ? undefined : check(members));
}

function text(name: string): Check {
  return (members) => (typeof members[name] === 'string' ? undefined : `${name}: expected a string`);
}

function flag(name: string): Check {
  return (members) => (typeof members[name] === 'boolean' ? undefined : `${name}: expected true or false`);
}

function object(name: string): Check {
  return (members) => (isObject(members[name]) ? undefined : `${name}: expected an object`);
}

function count(name: string): Check {
  return (members) =>
    Number.isSafeInteger(members[name]) && (members[name] as number) >= 0 ? undefined : `${name}: expected an integer from 0 to 2^53-1`;
}

function positive(name: string): Check {
  return (members) => (count(name)(members) === undefined && members[name] !== 0 ? undefined : `${name}: expected a positive integer`);
}

function id(members: Members): string | undefined {
  return typeof members.id === 'string' || Number.isSafeInteger(members.id) ? undefined : 'id: expected a number or a string';
}

function channel(members: Members): string | undefined {
  return typeof members.channel === 'string' && members.channel !== '' ? undefined : 'channel: expected a channel address';
}

function position(members: Members): string | undefined {
  if (typeof members.epoch !== 'string' || members.epoch === '') return 'epoch: expected a non-empty string';
  return count('version')(members);
}

function policy(members: Members): string | undefined {
  const known = members.policy === 'evict' || members.policy === 'conflate' || members.policy === 'drop_oldest';
  return known ? undefined : 'policy: expected evict, conflate or drop_oldest';
}

function checkDelta(members: Members): string | undefined {
  const problem = all(channel, position, optional('event', text('event')))(members);
  if (problem !== undefined) return problem;
  return 'data' in members ? undefined : 'data: missing';
}

/** A missed frame is a delta that may leave out what the answer says already: type, channel and epoch. */
function missedFrames(members: Members): string | undefined {
  if (members.frames === undefined) return undefined;
  if (members.state !== undefined) return 'frames: an answer has a state or frames, not both';
  if (!Array.isArray(members.frames)) return 'frames: expected an array';
  for (const [index, frame] of members.frames.entries()) {
    if (!isObject(frame) || (frame.type ?? 'delta') !== 'delta') return `frames[${index}]: expected a delta`;
    const problem = checkDelta({ channel: members.channel, epoch: members.epoch, ...frame });
    if (problem !== undefined) return `frames[${index}].${problem}`;
    if ((frame.channel ?? members.channel) !== members.channel) return `frames[${index}].channel: differs from the answer`;
  }
  return undefined;
}
