/**
 * Judges a ledger against the rows of the database. Pure: answers a list of what is wrong, empty when nothing is.
 *
 * Acknowledged: there exactly once, with the content that was sent. Unanswered: there once or not at all. Refused: not
 * there. And nothing is there that nobody sent (`known` excepts what the server itself begins with).
 */
export function checkLedger(ledger, rows, { known = () => false } = {}) {
  const problems = [];
  for (const [key, entry] of ledger) {
    const found = rows.get(key) ?? [];
    if (found.length > 1) problems.push(`${key} is there ${found.length} times`);
    if (entry.status === 'acknowledged' && found.length === 0) problems.push(`${key} was acknowledged and is lost`);
    if (entry.status === 'refused' && found.length > 0) problems.push(`${key} was refused (${entry.answer?.status}) and is there all the same`);
    for (const row of found) {
      const { article, quantity } = entry.command;
      if (row.article !== article || row.quantity !== quantity) problems.push(`${key} was sent as ${quantity} of ${article} and is there as ${row.quantity} of ${row.article}`);
    }
  }
  for (const key of rows.keys()) if (!ledger.has(key) && !known(key)) problems.push(`${key} is there and nobody sent it`);
  return problems;
}

/** Judges the projection against the business rows: one version per change, and the same totals. */
export function checkProjection(projection, totals) {
  const problems = [];
  for (const [key, total] of totals) {
    const row = projection.get(key);
    if (row === undefined) problems.push(`${key} has ${total.changes} changes and no projection row`);
    else if (row.version !== total.changes) problems.push(`${key} stands at version ${row.version} after ${total.changes} changes`);
    else if (row.state.on_hand !== total.on_hand || row.state.reserved !== total.reserved) {
      problems.push(`${key} says ${JSON.stringify(row.state)}, its rows amount to on_hand ${total.on_hand}, reserved ${total.reserved}`);
    }
  }
  for (const key of projection.keys()) if (!totals.has(key)) problems.push(`${key} has a projection row and no change`);
  return problems;
}
