// What a test has begun beside its pages, as servers and proxies: it ends with the test, however that goes, or nothing would let the process end.

const begun = new Set();

/** Ends this when the test ends; `stop()` may be called before that, too. */
export const endWithTest = stop => begun.add(stop);

/** What was begun so far, for whoever ends it later. */
export function taken() {
  const all = [...begun];
  begun.clear();
  return all;
}

/** Ends everything that was begun, one after the other in the opposite order; what fails keeps nothing else from ending. */
export async function endAll(all = taken()) {
  const ends = [];
  for (const stop of all.toReversed()) ends.push(await Promise.resolve().then(stop).then(() => null, error => error));
  const failed = ends.find(error => error !== null);
  if (failed) throw failed;
}
