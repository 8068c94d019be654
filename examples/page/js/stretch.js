// Which part of a room a page of its history shows whole, and what that leaves of the gaps in it.

/**
 * The events of which a page shows every message, by the first and the last; null for a page that could not be read.
 *
 * `context` says where it was asked for (`after` or `around` an event) and how far the room had been told then (`seq`).
 */
export function stretchOf({ messages, more_before: before, more_after: after }, context) {
  const place = context.after === undefined ? context.around : context.after + 1;
  if (messages.length === 0 && before && after) return null;
  const first = context.after === undefined ? messages[0]?.seq ?? place : place;
  const last = messages.at(-1)?.seq ?? place - 1;
  return { from: before ? first : 1, to: after ? last : Math.max(last, context.seq) };
}

/** Entries without the part of their gaps that lies in a stretch. */
export function without(entries, { from, to }, gapEntry) {
  return entries.flatMap(entry => {
    if (entry.kind !== 'gap' || entry.to < from || entry.from > to) return [entry];
    const before = entry.from < from ? [gapEntry(entry.from, from - 1)] : [];
    const after = entry.to > to ? [gapEntry(to + 1, entry.to)] : [];
    return [...before, ...after];
  });
}
