import assert from 'node:assert/strict';
import { test } from 'node:test';
import { channelAddress } from './channel_address.js';

test('plain bytes stay and every other byte is escaped in upper-case hex', () => {
  assert.equal(channelAddress('projection', 'stock_level', 'A-1.b~c'), 'projection/stock_level/A-1.b~c');
  assert.equal(channelAddress('projection', 'p', 'a/b c%'), 'projection/p/a%2Fb%20c%25');
  assert.equal(channelAddress('projection', 'p', "it's (ü)*!"), 'projection/p/it%27s%20%28%C3%BC%29%2A%21');
});

test('an empty segment is refused', () => {
  assert.throws(() => channelAddress('projection', ''), RangeError);
});
