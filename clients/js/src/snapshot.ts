// What is said, as it is at that moment: a copy of plain JSON, no longer than the server takes.

import { ChatError } from './errors.js';

/** Copies what will be said, now or later; throws a `ChatError` where nobody could be told it. */
export function snapshot<T extends object>(given: T, bytesMax = Infinity): T {
  let text: string;
  try {
    text = JSON.stringify(given);
  } catch (error) {
    throw new ChatError('bad_frame', String(error));
  }
  // The server does not say which command was too long, and closes the connection over one that is far too long.
  if (new TextEncoder().encode(text).length > bytesMax) throw new ChatError('too_long', 'this is longer than the server takes', { limit: bytesMax });
  return JSON.parse(text);
}
