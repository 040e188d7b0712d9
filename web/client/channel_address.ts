/**
 * Channel addresses as `sluice.v1` spells them: segments joined by `/`, every byte outside `A–Z a–z 0–9 . _ ~ -` of a
 * segment's UTF-8 as `%XX` in upper-case hex. There is one spelling per channel; the server refuses any other.
 *
 *     channelAddress('projection', 'stock_level', 'A-1/left')  // "projection/stock_level/A-1%2Fleft"
 */

const PLAIN = /^[A-Za-z0-9._~-]$/;
const encoder = new TextEncoder();

/** Throws RangeError for an empty segment, which no channel has. */
export function channelAddress(...segments: readonly string[]): string {
  return segments.map(escapeSegment).join('/');
}

function escapeSegment(segment: string): string {
  if (segment === '') throw new RangeError('a segment of a channel address must not be empty');
  let escaped = '';
  for (const byte of encoder.encode(segment)) {
    const character = String.fromCharCode(byte);
    escaped += PLAIN.test(character) ? character : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return escaped;
}
