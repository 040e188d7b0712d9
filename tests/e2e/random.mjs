/** A seeded generator (mulberry32), so that a failure can be repeated with SLUICE_SEED. */
export function seededRandom(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The seed of this run: SLUICE_SEED or a new one; say it in the output. */
export function chooseSeed() {
  return process.env.SLUICE_SEED === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(process.env.SLUICE_SEED);
}
