// The checker itself: it accepts a sound recording, and none in which one frame was dropped, repeated, swapped or bent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseSeed, seededRandom } from './random.mjs';
import { checkRecording } from './recording_checker.mjs';

const FRAMES = 80;

/** A sound recording with one resumption in it, and what the database would say in the end. */
function soundRecording(random) {
  const level = { on_hand: 5, reserved: 2 };
  const records = [{ kind: 'state', epoch: 'e', version: 9, state: { ...level } }];
  let version = 9;
  for (let index = 0; index < FRAMES; index += 1) {
    const cause = random() < 0.5 ? 'order' : 'restock';
    const quantity = 1 + Math.floor(random() * 5);
    if (cause === 'order') level.reserved += quantity;
    else level.on_hand += quantity;
    version += 1;
    records.push({ kind: 'frame', epoch: 'e', version, data: { ...level, cause, quantity, at_us: index } });
    if (index === 40) records.push({ kind: 'resumed', epoch: 'e', version });
  }
  return { records, final: { version, state: { ...level } } };
}

const seed = chooseSeed();
const { records, final } = soundRecording(seededRandom(seed));
const frames = records.flatMap((record, index) => (record.kind === 'frame' ? [index] : []));

test(`a sound recording is accepted (seed ${seed})`, () => {
  assert.deepEqual(checkRecording(records, { final }), []);
});

const faults = {
  'one frame dropped': (index) => [...records.slice(0, index), ...records.slice(index + 1)],
  'one frame repeated': (index) => [...records.slice(0, index + 1), records[index], ...records.slice(index + 1)],
  'one frame repeated later': (index) => [...records, records[index]],
  'one frame moved behind its successor': (index) => [...records.slice(0, index), records[index + 1], records[index], ...records.slice(index + 2)],
  'one frame with a bent level': (index) => records.map((record, at) => (at === index ? bent(record) : record)),
  'one frame of another epoch': (index) => records.map((record, at) => (at === index ? { ...record, epoch: 'f' } : record)),
};

function bent(frame) {
  return { ...frame, data: { ...frame.data, reserved: frame.data.reserved + 1 } };
}

for (const [name, commit] of Object.entries(faults)) {
  test(`a recording with ${name} is refused, wherever it happens`, () => {
    const places = name.includes('successor') ? frames.filter((index) => records[index + 1]?.kind === 'frame') : frames;
    assert.ok(places.length > FRAMES / 2);
    for (const index of places) assert.notDeepEqual(checkRecording(commit(index), { final }), [], `${name} at record ${index} passed`);
  });
}

test('an end that differs from the database is refused', () => {
  assert.notDeepEqual(checkRecording(records, { final: { ...final, version: final.version + 1 } }), []);
  assert.notDeepEqual(checkRecording(records, { final: { ...final, state: { ...final.state, on_hand: 0 } } }), []);
  assert.notDeepEqual(checkRecording([], { final }), []);
});

test('a whole state in the middle is refused unless snapshots are allowed, and never going back', () => {
  const again = { kind: 'state', epoch: 'e', version: final.version, state: final.state };
  assert.notDeepEqual(checkRecording([...records, again], { final }), []);
  assert.deepEqual(checkRecording([...records, again], { final, snapshots: true }), []);
  assert.notDeepEqual(checkRecording([...records, { ...again, version: 3 }], { snapshots: true }), []);
});
