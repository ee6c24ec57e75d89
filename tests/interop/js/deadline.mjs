// Waiting for what may never come.

export const PATIENCE_MS = 20_000;

/** Rejects with a sentence naming `what` if `promise` has not settled in time. */
export function within(what, promise, ms = PATIENCE_MS) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
