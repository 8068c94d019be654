// What is said, as it is at that moment: a copy of plain JSON, no longer than the server takes.

import { ChatError } from './errors.js';

/** Copies what will be said, now or later; or says why nobody could be told it. */
export function snapshot<T extends object>(given: T, bytesMax = Infinity): T | ChatError {
  let text: string;
  try {
    text = JSON.stringify(given);
  } catch (error) {
    return new ChatError('bad_frame', String(error));
  }
  // The server does not say which command was too long, and closes the connection over one that is far too long.
  if (new TextEncoder().encode(text).length > bytesMax) return new ChatError('too_long', 'this is longer than is taken', { limit: bytesMax });
  return JSON.parse(text);
}
