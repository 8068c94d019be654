// Sends what was written: one message of a room at a time, in order, each under its own key until the server has it.
// A message belongs to the life of the room that it was written for: into another one it goes only when somebody says so.

import { acked } from './room.js';
import { errorWords, isPassing } from './words.js';

/** How long to wait after a passing refusal that names no time. */
const PAUSE_MS = 1_000;

/** A key nobody else draws: 128 random bits. */
function newKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}

/** A message that waits to be sent, in this life of its room. */
export const pendingMessage = (text, epoch) =>
  ({ key: newKey(), text, at: new Date().toISOString(), state: 'waiting', epoch });

/** What a message may hold: no control characters but newline and tab. */
export const sendable = text => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, '');

/**
 * Makes the outbox of a session. `roomOf(code)` reads a room, `setRoom(code, change)` replaces it by
 * `change(room)`, and `request(frame, context)` sends a command, or says false.
 */
export function createOutbox({ roomOf, setRoom, request }) {
  const pauses = new Map();

  const setMessage = (code, key, changes) => setRoom(code, room => ({
    ...room,
    pending: room.pending.map(message => message.key === key ? { ...message, ...changes } : message),
  }));

  /** Sends the first waiting message of the room, unless another one is on its way. */
  function flush(code) {
    const room = roomOf(code);
    if (!room?.live || room.renewed || pauses.has(code) || room.pending.some(message => message.state === 'sent')) return;
    const message = room.pending.find(({ state, epoch }) => state === 'waiting' && epoch === room.epoch);
    if (!message) return;
    const { key, text } = message;
    if (request({ type: 'send', room: code, text, key }, { kind: 'send', room: code, key })) {
      setMessage(code, key, { state: 'sent' });
    }
  }

  return {
    flush,
    push(code, text) {
      setRoom(code, room => {
        const pending = [...room.pending, pendingMessage(text, room.epoch)];
        return { ...room, pending, draft: '', newFrom: null };
      });
      flush(code);
    },
    accepted({ room: code, key }, ack) {
      setRoom(code, room => acked(room, key, ack));
      flush(code);
    },
    refused({ room: code, key }, error) {
      if (!isPassing(error)) {
        setMessage(code, key, { state: 'failed', error: errorWords(error) });
        return flush(code);
      }
      setMessage(code, key, { state: 'waiting' });
      const resume = () => {
        pauses.delete(code);
        flush(code);
      };
      clearTimeout(pauses.get(code));
      pauses.set(code, setTimeout(resume, error.retry_after_ms ?? PAUSE_MS));
    },
    /** Once more, in the room as it is now, under a new key: the refused one may be bound to another text. */
    retry(code, key) {
      const { epoch } = roomOf(code);
      setMessage(code, key, { state: 'waiting', key: newKey(), epoch, error: undefined });
      flush(code);
    },
    discard(code, key) {
      setRoom(code, room => ({ ...room, pending: room.pending.filter(message => message.key !== key) }));
    },
  };
}
