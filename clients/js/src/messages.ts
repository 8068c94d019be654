// Lists of messages: merged with pages, and changed as events and answers say. Each list is by `seq`, and never changed in place.

import { NAMED_MAX } from './bounds.js';
import type { Edited, MessageContent, Range, Reacted, Reaction } from './wire.js';
import type { Message } from './state.js';

/** What a frame or a page says of a message, as of an event. */
export function messageOf(frame: MessageContent, asOf: number): Message {
  const { type, room, as_of, ...content } = frame as MessageContent & { type?: string; room?: string; as_of?: number };
  return { ...content, as_of: asOf };
}

/** What is left of a message that was taken back. */
function tombstone(message: Message, asOf: number): Message {
  const { data, reply_to, key, edited, reactions, ...rest } = message;
  return { ...rest, text: '', redacted: true, as_of: asOf };
}

/** Both lists in one. Of a message that is in both, what reflects more counts; of the same event, what was asked for. */
export function merged(held: readonly Message[], page: readonly MessageContent[], asOf: number): readonly Message[] {
  if (page.length === 0) return held;
  const all = new Map(held.map(message => [message.seq, message]));
  for (const frame of page) {
    const before = all.get(frame.seq);
    if (before === undefined || before.as_of <= asOf) all.set(frame.seq, messageOf(frame, asOf));
  }
  return [...all.values()].sort((a, b) => a.seq - b.seq);
}

/** The list with the message `target` changed, where it is held and does not reflect the event `seq` yet. */
function withChange(held: readonly Message[], target: number, seq: number, change: (message: Message) => Message) {
  const index = indexOf(held, target);
  const message = held[index];
  return message === undefined || message.as_of >= seq ? held : held.with(index, change(message));
}

function indexOf(held: readonly Message[], seq: number): number {
  let [low, high] = [0, held.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (held[middle]!.seq < seq) low = middle + 1;
    else high = middle;
  }
  return held[low]?.seq === seq ? low : -1;
}

export const redacted = (held: readonly Message[], target: number, seq: number) =>
  withChange(held, target, seq, message => tombstone(message, seq));

export function edited(held: readonly Message[], { target, seq, text, data, n }: Edited) {
  // One that a later change has superseded says nothing; what superseded it follows.
  if (target === undefined || text === undefined) return held;
  return withChange(held, target, seq, message => {
    if (message.redacted) return { ...message, as_of: seq };
    const { data: before, ...rest } = message;
    const now = { ...rest, text, ...(n !== undefined && { edited: n }), as_of: seq };
    return data === undefined ? now : { ...now, data };
  });
}

/** Takes back all of a member's messages in a range, as of an event. What reflects that already says nothing any more. */
export function swept(held: readonly Message[], { member, from, to }: Range, asOf: number) {
  const isMeant = ({ seq, member: by, redacted }: Message) => by === member && from <= seq && seq <= to && !redacted;
  return held.some(isMeant) ? held.map(message => isMeant(message) ? tombstone(message, asOf) : message) : held;
}

/** One reaction more or less. `isWhole` is false where more people are to be named than are known: then the message is asked for. */
export function reacted(held: readonly Message[], { seq, target, name, by, on, count }: Reacted) {
  let isWhole = true;
  if (target === undefined || name === undefined || by === undefined || count === undefined) return { held, isWhole };
  const now = withChange(held, target, seq, message => {
    const reactions = message.reactions ?? [];
    const named = (reactions.find(reaction => reaction.name === name)?.by ?? []).filter(other => other !== by);
    const people = on && named.length < NAMED_MAX && !message.redacted ? [...named, by] : named;
    isWhole = people.length >= Math.min(NAMED_MAX, count) || message.redacted === true;
    return withReactions({ ...message, as_of: seq }, counted(reactions, { name, count, by: people }));
  });
  return { held: now, isWhole };
}

function counted(reactions: readonly Reaction[], now: Reaction): readonly Reaction[] {
  if (now.count === 0) return reactions.filter(({ name }) => name !== now.name);
  const index = reactions.findIndex(({ name }) => name === now.name);
  return index < 0 ? [...reactions, now] : reactions.with(index, now);
}

function withReactions(message: Message, now: readonly Reaction[]): Message {
  const { reactions, ...rest } = message;
  return now.length === 0 || message.redacted ? rest : { ...rest, reactions: now };
}
