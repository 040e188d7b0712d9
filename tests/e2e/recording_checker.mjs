/**
 * Judges what one client received on one channel. Pure: answers a list of what is wrong, empty when nothing is.
 *
 * A recording is a list of records in the order of arrival:
 *   { kind: 'state', epoch, version, state }     the state came, by an answer or a reset
 *   { kind: 'frame', epoch, version, data }      a delta came, live or among the missed ones of an answer
 *   { kind: 'resumed', epoch, version }          an answer ended here: the frames before it must have led here
 *   { kind: 'position', epoch, version }         the same state under a new position
 *
 * Every version must come exactly once and in order; each frame's levels must be the ones before it plus its own
 * quantity; and the end must be what the database has.
 */
export function checkRecording(records, { final, snapshots = false }) {
  const problems = [];
  let at;
  let level;
  for (const [index, record] of records.entries()) {
    const where = `record ${index}`;
    if (at === undefined && record.kind !== 'state') {
      problems.push(`${where}: a ${record.kind} came before any state`);
      break;
    }
    if (record.kind === 'state') {
      if (at !== undefined && !snapshots) problems.push(`${where}: a whole state came again at version ${record.version}, the frames after ${at.version} are missing`);
      if (at !== undefined && record.epoch === at.epoch && record.version < at.version) problems.push(`${where}: the state went back from version ${at.version} to ${record.version}`);
      at = record;
      level = { on_hand: record.state.on_hand, reserved: record.state.reserved };
    } else if (record.kind === 'frame') {
      problems.push(...checkFrame(where, at, level, record));
      at = record;
      level = { on_hand: record.data.on_hand, reserved: record.data.reserved };
    } else if (record.kind === 'resumed') {
      if (record.epoch !== at.epoch || record.version !== at.version) problems.push(`${where}: the resumption stands at version ${record.version}, its frames led to ${at.version}`);
    } else {
      at = record;
    }
  }
  if (final !== undefined) problems.push(...checkEnd(at, level, final));
  return problems;
}

function checkFrame(where, at, level, { epoch, version, data }) {
  if (epoch !== at.epoch) return [`${where}: epoch ${epoch} came without a reset after ${at.epoch}`];
  if (version === at.version) return [`${where}: version ${version} came twice`];
  if (version < at.version) return [`${where}: version ${version} came after ${at.version}`];
  if (version > at.version + 1) return [`${where}: version ${version} came after ${at.version}, ${version - at.version - 1} are missing`];
  const expected =
    data.cause === 'restock' ? { on_hand: level.on_hand + data.quantity, reserved: level.reserved } : { on_hand: level.on_hand, reserved: level.reserved + data.quantity };
  if (data.on_hand === expected.on_hand && data.reserved === expected.reserved) return [];
  return [`${where}: version ${version} says ${JSON.stringify(data)} after ${JSON.stringify(level)}`];
}

function checkEnd(at, level, final) {
  if (at === undefined) return ['nothing was received'];
  if (at.version !== final.version) return [`it ends at version ${at.version}, the database is at ${final.version}`];
  if (level.on_hand === final.state.on_hand && level.reserved === final.state.reserved) return [];
  return [`it ends with ${JSON.stringify(level)}, the database has ${JSON.stringify(final.state)}`];
}
