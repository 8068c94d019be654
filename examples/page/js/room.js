// A room as this session knows it: a pure fold of frames. `receive(room, frame, context)` gives the room after it.

import { stretchOf, without } from './stretch.js';
import { closedWords, noticeWords } from './words.js';

/** Entries kept while the reader is at the newest one; older ones are paged in again. */
const ENTRIES_MAX = 2_000;
/** Entries kept in any case. */
const ENTRIES_HARD_MAX = 8_000;

/** What each role is above: nobody acts on an equal or a higher one. One that this page does not know is that of a member. */
const RANKS = { owner: 2, moderator: 1 };
const rank = role => RANKS[role] ?? 0;

/** Whether one keeps order in the room: puts members out, takes back what they said, sets the topic. */
export const moderates = room => rank(room.you?.role) > 0;

/** Whether one is above this member, as far as the page knows them: who is not listed is taken for a member. */
export function isAbove(room, member) {
  const listed = room.members.find(other => other.member === member);
  return rank(room.you?.role) > rank(listed?.role);
}

/** A room that was not yet joined, or one from storage (`saved`) of which nothing is shown yet. */
export function newRoom(code, nick, saved = {}) {
  return {
    code,
    nick,
    epoch: saved.epoch ?? null,
    seq: saved.seq ?? 0,
    /** Nothing is shown yet: the next connection names no position for it, and a `joined` shows it afresh. */
    fresh: true,
    /** One's own numbers in this life of the room: another one with each time one was put out. */
    selves: saved.selves ?? [],
    you: null,
    /** Where one's present membership begins: one's own leaving before that was of an earlier one. */
    entered: 0,
    members: [],
    membersTotal: 0,
    /** The number up to which members are listed; oneself is in any case. */
    listedTo: 0,
    presence: null,
    notices: 'told',
    topic: '',
    /** What is set for the room, as far as it is. */
    settings: {},
    typing: [],
    /** What messages say so far that are still being written, by their numbers. */
    growing: {},
    /** What members show of themselves: `{ member, name, data }`. */
    signals: [],
    /** Messages, notices and gaps by seq. */
    entries: [],
    more: false,
    /** What is being paged: null, 'earlier', or the `from` of a gap; and the words when that failed. */
    loading: null,
    loadError: null,
    /** Messages taken back since the page was asked for, by number or as a range of a member's: its answer may be the older one of the two. */
    takenBack: [],
    /** The same of messages that were edited. */
    edits: [],
    /** What every event up to `known` changed is shown; the last change heard of is `due`. Past `known` it is asked for. */
    known: 0,
    due: 0,
    /** It has been asked what was changed. */
    changing: false,
    pending: saved.pending ?? [],
    draft: saved.draft ?? '',
    /** Being read right now: shown, at its newest entry, in a visible page. */
    watched: false,
    following: true,
    readSeq: saved.readSeq ?? 0,
    unread: 0,
    newFrom: null,
    /** A member, over the present connection. */
    live: false,
    /** Why one is not in it: null, or `{ why, detail }`. */
    ended: saved.ended ?? null,
    /** Another life of the room than the one known before, in which the person has not said that they stay. */
    renewed: saved.renewed ?? false,
    leaving: saved.leaving ?? false,
  };
}

/** Events move the position by one each; what they change beside that. */
const EVENTS = {
  message(room, frame) {
    const entry = messageEntry(room, frame, frame.seq);
    const counts = !room.watched && !isMine(room, entry) && !entry.redacted;
    return {
      entries: [...room.entries, entry],
      pending: room.pending.filter(message => message.key !== frame.key),
      typing: room.typing.filter(member => member !== frame.member),
      members: seenOnline(room.members, frame.member),
      unread: room.unread + (counts ? 1 : 0),
      newFrom: counts && room.unread === 0 ? frame.seq : room.newFrom,
    };
  },
  member_joined(room, frame) {
    const known = room.members.some(other => other.member === frame.member);
    const { member, nick, color, role, data } = frame;
    const shown = data === undefined ? {} : { data };
    // Of somebody who is listed already: what was told before this may have been of another name.
    const again = other => other.member === frame.member ? shownAs(other, { nick, data: data ?? null }) : other;
    return {
      members: known ? room.members.map(again) : [...room.members, { member, nick, color, role, online: true, ...shown }],
      membersTotal: room.membersTotal + (known ? 0 : 1),
    };
  },
  member_left(room, frame) {
    const known = room.members.some(other => other.member === frame.member);
    // Before the present membership began: the end of an earlier one.
    if (room.you?.member === frame.member && frame.seq < room.entered) return {};
    if (room.you?.member === frame.member) {
      const why = frame.reason === 'timeout' ? 'left' : frame.reason;
      return ended(room, { why, detail: noticeWords(room, frame) });
    }
    return {
      members: room.members.filter(other => other.member !== frame.member),
      // Of a big room only a part is listed.
      membersTotal: room.membersTotal - (known || room.members.length < room.membersTotal ? 1 : 0),
      typing: room.typing.filter(member => member !== frame.member),
    };
  },
  /** What is there takes the place of what was before; `data` of null is none. What was said keeps the name it was said under. */
  member_changed(room, frame) {
    // Of an earlier membership of one's own: the present one began under the name that `joined` says.
    if (room.you?.member === frame.member && frame.seq < room.entered) return {};
    const change = other => other.member === frame.member ? shownAs(other, frame) : other;
    const you = room.you && change(room.you);
    return { members: room.members.map(change), you, nick: you?.nick ?? room.nick };
  },
  redacted(room, frame) {
    // What came from an answer that reflects this already has been told.
    const taken = entry => entry.kind === 'message' && entry.seq === frame.target && entry.asOf < frame.seq;
    const bare = { ...NOTHING, asOf: frame.seq };
    const also = frame.target === undefined ? [] : [frame.target];
    return {
      entries: room.entries.map(entry => taken(entry) ? { ...entry, ...bare } : entry),
      takenBack: room.loading === null ? [] : [...room.takenBack, ...also],
      due: frame.seq,
    };
  },
  edited(room, frame) {
    // One that a later change has superseded says nothing, and what it was superseded by follows.
    if (frame.text === undefined) return { due: frame.seq };
    const meant = entry => entry.kind === 'message' && entry.seq === frame.target && entry.asOf < frame.seq;
    const now = { ...content(frame), edited: frame.n, asOf: frame.seq };
    return {
      entries: room.entries.map(entry => meant(entry) && !entry.redacted ? { ...entry, ...now } : entry),
      edits: room.loading === null ? [] : [...room.edits, frame],
      due: frame.seq,
    };
  },
  /** All of a member's messages in a range, as that many `redacted` would; of no range for who may see nothing of it. */
  swept(room, frame) {
    const taken = entry => entry.kind === 'message' && isSwept(frame, entry) && entry.asOf < frame.seq;
    const bare = { ...NOTHING, asOf: frame.seq };
    const also = frame.member === undefined ? [] : [frame];
    return {
      entries: room.entries.map(entry => taken(entry) ? { ...entry, ...bare } : entry),
      takenBack: room.loading === null ? [] : [...room.takenBack, ...also],
      due: frame.seq,
    };
  },
  /** Who may not see the message is told of no target. */
  reacted(room, frame) {
    if (frame.target === undefined) return {};
    const meant = entry => entry.kind === 'message' && entry.seq === frame.target && entry.asOf < frame.seq;
    const changed = entry => ({ ...entry, reactions: counted(entry.reactions, frame), asOf: frame.seq });
    return { entries: room.entries.map(entry => meant(entry) ? changed(entry) : entry), due: frame.seq };
  },
  topic_changed: (room, frame) => ({ topic: frame.topic }),
  settings_changed: (room, frame) => ({ settings: frame.settings }),
  role_changed(room, frame) {
    const changed = other => other.member === frame.member ? { ...other, role: frame.role } : other;
    return { members: room.members.map(changed), you: room.you && changed(room.you) };
  },
  notices_changed: (room, frame) => ({ notices: frame.notices, presence: null }),
};

/** What was shown is of one connection: on the next one the server tells what is there then. */
const NOTHING_SHOWN = { growing: {}, signals: [] };

/** A member with the name and the data of a frame, as far as it has any. */
function shownAs(member, { nick, data }) {
  const { data: before, ...rest } = member;
  const now = data === undefined ? before : data ?? undefined;
  return { ...rest, nick: nick ?? member.nick, ...(now === undefined ? {} : { data: now }) };
}

const OTHERS = {
  joined(room, frame, context) {
    const same = room.epoch === frame.epoch && !room.fresh;
    const asOf = frame.as_of ?? frame.seq;
    const next = {
      ...room,
      nick: frame.you.nick,
      epoch: frame.epoch,
      seq: same ? Math.max(room.seq, frame.seq) : frame.seq,
      readSeq: room.epoch === frame.epoch ? room.readSeq : 0,
      selves: [...new Set([...(room.epoch === frame.epoch ? room.selves : []), frame.you.member])],
      fresh: false,
      you: frame.you,
      entered: frame.entered ?? 0,
      members: frame.members,
      membersTotal: frame.members_total,
      listedTo: lastNumber(frame.members.slice(1)),
      presence: null,
      notices: frame.notices ?? 'told',
      topic: frame.topic ?? '',
      settings: frame.settings ?? {},
      typing: [],
      ...NOTHING_SHOWN,
      loading: null,
      live: true,
      ended: null,
      renewed: isRenewed(room, frame, context),
      leaving: false,
    };
    if (same) {
      // What follows the last event that was seen is told again.
      // What is not one's own to see any more, nobody would say to have changed.
      const seen = { ...next, entries: next.entries.filter(({ kind, seq }) => kind !== 'message' || seq > (frame.sees ?? 0)) };
      const heard = missed(seen, room.known, frame.seq <= room.seq ? 0 : frame.changed_at, frame.seq);
      return missedBefore(seen.pending.reduce(settled, shown(heard, frame.history, asOf)), room.seq, frame);
    }
    const known = { known: frame.seq, due: frame.changed_at ?? 0, changing: false };
    const anew = shown({ ...next, ...known, entries: [], more: frame.more }, frame.history, asOf);
    return withUnread({ ...anew, pending: anew.pending.filter(({ state }) => state !== 'acked').map(heldBack(frame.epoch)) });
  },
  gap(room, frame) {
    if (frame.epoch !== room.epoch || frame.to <= room.seq) return room;
    const from = Math.max(frame.from, room.seq + 1);
    if (frame.ended) {
      // It says nothing of changes: there may have been some.
      const known = room.due > room.known ? room.known : Math.max(room.known, from - 1);
      const entries = [...room.entries, gapEntry(from, frame.to)];
      const past = { ...missed(room, known, frame.to, frame.to), seq: frame.to, entries };
      return { ...past, ...ended(past, { why: 'left', detail: 'You are not in this room any more' }) };
    }
    const own = frame.members.find(member => member.member === room.you.member);
    const next = {
      ...room,
      seq: frame.to,
      members: frame.members,
      membersTotal: frame.members_total,
      listedTo: lastNumber(frame.members.filter(member => member !== own)),
      you: own ?? room.you,
      topic: frame.topic ?? room.topic,
      notices: frame.notices ?? room.notices,
      settings: frame.settings ?? {},
      typing: [],
      entries: [...room.entries, gapEntry(from, frame.to)],
    };
    const before = room.due > room.known ? room.known : Math.max(room.known, from - 1);
    return room.pending.reduce(settled, missed(next, before, frame.changed_at, frame.to));
  },
  history(room, frame, context) {
    if (!context) return room;
    const { epoch, messages: told, more, as_of } = frame;
    const asOf = as_of ?? room.seq;
    // The answer may be overtaken by changes of what it brings: these are asked for again.
    const known = room.due > asOf ? Math.min(room.known, asOf) : room.known;
    const next = { ...room, loading: null, loadError: null, takenBack: [], edits: [], known };
    if (epoch !== undefined && epoch !== room.epoch) return { ...next, known: room.known };
    const isTaken = message => room.takenBack.some(taken => taken === message.seq || isSwept(taken, message));
    const messages = told.map(message => isTaken(message) ? { ...message, ...NOTHING } : asEdited(room, message, asOf));
    if (context.after !== undefined || context.around !== undefined) return paged(next, { ...frame, messages }, context, asOf);
    if (context.gap === undefined) return { ...shown(next, messages, asOf), more };
    const within = messages.filter(message => message.seq >= context.gap);
    const filled = !more || within.length < messages.length || within.length === 0;
    const rest = room.entries.flatMap(entry => {
      if (entry.kind !== 'gap' || entry.from !== context.gap) return [entry];
      return filled ? [] : [gapEntry(entry.from, within[0].seq - 1)];
    });
    return shown({ ...next, entries: rest }, within, asOf);
  },
  /** What was changed in what one missed: each message that is shown as it is now, or taken away. */
  changes(room, { epoch, messages, swept = [], through, as_of: asOf }) {
    const next = { ...room, changing: false };
    if (epoch !== room.epoch) return next;
    const told = new Map(messages.map(message => [message.seq, message]));
    const bare = { ...NOTHING, asOf };
    const entries = room.entries.flatMap(entry => {
      // Of one that a later event has changed more is asked for again; one that shows that very event may have missed what was before it.
      if (entry.kind !== 'message' || entry.asOf > asOf) return [entry];
      const now = told.get(entry.seq);
      if (now === undefined) return [swept.some(range => isSwept(range, entry)) ? { ...entry, ...bare } : entry];
      return now.gone ? [] : [{ ...messageEntry(room, now, asOf), local: entry.local }];
    });
    const known = Math.max(room.known, through);
    return { ...next, entries, known: room.due > known ? known : Math.max(known, room.seq) };
  },
  members(room, frame, context) {
    // Somebody came or went since it was asked for, and over SSE the answer may be older than that.
    if (context?.asOf && context.asOf !== room.members) return room;
    const you = frame.members.find(member => member.member === room.you.member) ?? room.you;
    const before = context?.after === undefined ? [] : room.members;
    const numbers = new Set(frame.members.map(member => member.member)).add(you.member);
    const others = [...before.filter(member => !numbers.has(member.member)), ...frame.members];
    const members = [you, ...others.filter(member => member.member !== you.member)];
    return { ...room, you, members, membersTotal: frame.members_total, listedTo: lastNumber(frame.members) };
  },
  typing: (room, frame) => ({ ...room, typing: frame.members }),
  live(room, { target, text }) {
    const others = Object.entries(room.growing).filter(([seq]) => Number(seq) !== target);
    return { ...room, growing: Object.fromEntries(text === null ? others : [...others, [target, text]]) };
  },
  signals: (room, frame) => ({ ...room, signals: frame.signals }),
  presence: (room, { members, online }) => ({ ...room, presence: { members, online }, membersTotal: members }),
  room_closed(room, frame) {
    if (frame.epoch !== undefined && room.epoch !== null && frame.epoch !== room.epoch) return room;
    return { ...room, ...ended(room, { why: 'closed', detail: closedWords(frame.reason) }) };
  },
};

/** Whether this is another room under the code of the one that is known; who has made it themselves knows that. */
function isRenewed(room, { epoch }, context) {
  if (room.epoch === epoch) return room.renewed;
  return room.epoch !== null && context?.create !== true;
}

/** What was written for an earlier life of the room is not sent into this one by itself: others may be in it. */
const heldBack = epoch => message =>
  message.epoch === epoch ? message : { ...message, state: 'failed', error: 'Written for the room before this one.' };

/** What is of use before `joined` has shown the room: there is no position to move yet, and nobody to be. */
const FIRST = new Set(['joined', 'room_closed']);

/** The room after a frame. Of a type not known here, an event moves the position, and anything else changes nothing. */
export function receive(room, frame, context) {
  if (room.fresh && !FIRST.has(frame.type)) return room;
  if (frame.type === 'member_left' && frame.seq === undefined) return leftQuietly(room, frame);
  if (Object.hasOwn(OTHERS, frame.type)) return OTHERS[frame.type](room, frame, context);
  return isEvent(frame) ? receiveEvent(room, frame) : room;
}

/** Whether a frame is an event with a number: every frame with `room`, `seq` and `at` that is no `ack`. */
function isEvent({ type, room, seq, at }) {
  return type !== 'ack' && room !== undefined && seq !== undefined && at !== undefined;
}

function receiveEvent(room, frame) {
  if (frame.seq <= room.seq) return room;
  const words = noticeWords(room, frame);
  const hole = frame.seq > room.seq + 1 ? [gapEntry(room.seq + 1, frame.seq - 1)] : [];
  const known = room.due > room.known ? room.known : frame.seq;
  const next = { ...room, seq: frame.seq, known, entries: [...room.entries, ...hole] };
  const changed = Object.hasOwn(EVENTS, frame.type) ? { ...next, ...EVENTS[frame.type](next, frame) } : next;
  if (words) changed.entries = [...changed.entries, { kind: 'notice', seq: frame.seq, at: frame.at, words }];
  if (changed.watched) changed.readSeq = changed.seq;
  return trimmed(changed);
}

/** One's own leaving in a room that only counts them: no event, so it moves no position. */
function leftQuietly(room, frame) {
  if (room.you?.member !== frame.member) return room;
  return { ...room, ...ended(room, { why: 'left', detail: noticeWords(room, frame) }) };
}

/** What changes when the membership or the room has ended; messages not yet sent say so. */
export function ended(room, { why, detail }) {
  const unsent = message => message.state === 'acked' ? [] : [{ ...message, state: 'failed', error: 'Not sent.' }];
  const pending = room.pending.flatMap(unsent);
  return { ended: { why, detail }, live: false, typing: [], ...NOTHING_SHOWN, loading: null, changing: false, pending };
}

/** The room while it is being read, or while it is not any more. */
export function watched(room, isWatched) {
  if (room.watched === isWatched) return room;
  if (isWatched) return { ...room, watched: true, unread: 0, readSeq: room.seq };
  return { ...room, watched: false, newFrom: null };
}

/** The room after the ack of a message: it stands in the log, and its event comes, or has passed in a gap. */
export function acked(room, key, { seq, at }) {
  const message = room.pending.find(pending => pending.key === key);
  if (!message) return room;
  const now = { ...message, state: 'acked', seq, at };
  return settled({ ...room, pending: room.pending.map(pending => pending === message ? now : pending) }, now);
}

/** An acked message whose event will not come any more becomes an entry by itself. */
function settled(room, message) {
  if (message.state !== 'acked' || message.seq > room.seq) return room;
  const { member, nick, color } = room.you;
  const frame = { ...message, member, nick, color };
  const reachable = room.entries.some(entry => entry.seq <= message.seq) || !room.more;
  if (reachable) return shown(room, [frame], frame.seq);
  return { ...room, pending: room.pending.filter(other => other.key !== message.key) };
}

/** The room when the connection is lost: what was under way there is not any more. */
export function disconnected(room) {
  const pending = room.pending.map(message => message.state === 'sent' ? { ...message, state: 'waiting' } : message);
  return { ...room, live: false, loading: null, changing: false, typing: [], ...NOTHING_SHOWN, pending };
}

/** Whether a message lies in a range that was taken back at once. */
const isSwept = ({ member, from, to }, message) => message.member === member && from <= message.seq && message.seq <= to;

/** What is left of a message that was taken back. */
const NOTHING = { text: '', data: undefined, replyTo: undefined, reply_to: undefined, edited: 0, redacted: true, reactions: [] };

/** What a message says; `data` is for programs that know it. */
const content = ({ text, data }) => ({ text, data });

/** A message of a page as it is since it was edited, where that was told after what the page reflects. */
function asEdited(room, message, asOf) {
  const edit = room.edits.findLast(({ seq, target }) => target === message.seq && seq > asOf);
  return edit && !message.redacted ? { ...message, ...content(edit), edited: edit.n } : message;
}

export const isMine = (room, entry) => room.selves.includes(entry.member);

/** The seq before which earlier messages are asked for. */
export const pageBefore = room => room.entries.find(entry => entry.kind === 'message')?.seq ?? room.seq + 1;

/** The room with these messages among its entries, each once, by seq; pending ones that are among them have arrived. */
function shown(room, messages, asOf) {
  const held = new Set(room.entries.filter(entry => entry.kind === 'message').map(entry => entry.seq));
  const added = messages.filter(message => !held.has(message.seq)).map(message => messageEntry(room, message, asOf));
  const keys = new Set(messages.map(message => message.key));
  const entries = [...room.entries, ...added].sort((a, b) => a.seq - b.seq);
  return { ...room, entries, pending: room.pending.filter(message => !keys.has(message.key)) };
}

/** The room with a page from somewhere in its history: what lies between that and what is shown already is a gap. */
function paged(room, frame, context, asOf) {
  const stretch = stretchOf(frame, context);
  if (stretch === null) return room;
  const first = room.entries.find(entry => entry.kind !== 'notice');
  const start = first === undefined ? room.seq + 1 : first.from ?? first.seq;
  const entries = without(room.entries, stretch, gapEntry);
  // It begins before all that is shown, and may end before that begins.
  const isEarlier = stretch.from < start;
  const between = isEarlier && stretch.to + 1 < start ? [gapEntry(stretch.to + 1, start - 1)] : [];
  const more = isEarlier ? frame.more_before : room.more;
  return { ...shown({ ...room, entries: [...between, ...entries] }, frame.messages, asOf), more };
}

/** The room after events up to `to` were not told, of which `changedAt` is the last that changed an earlier message. */
function missed(room, known, changedAt, to) {
  const due = Math.max(room.due, changedAt ?? 0);
  return { ...room, due, known: due > known ? known : Math.max(known, to) };
}

/** After which event to ask what was changed; null where all of it is shown. */
export const missedAfter = room => room.due > room.known ? room.known : null;

/** The room where more was changed than the server remembers: nothing of what is shown is to be trusted. */
export const forgotten = room =>
  ({ ...room, changing: false, entries: [], more: true, known: Math.max(room.seq, room.due), due: 0 });

/** A stretch between the last event seen and the oldest message of a fresh history. */
function missedBefore(room, seenSeq, { history, more }) {
  const oldest = history[0]?.seq;
  if (!more || oldest === undefined || oldest <= seenSeq + 1) return room;
  const entries = [...room.entries, gapEntry(seenSeq + 1, oldest - 1)].sort((a, b) => a.seq - b.seq);
  return { ...room, entries };
}

function messageEntry(room, frame, asOf) {
  const { seq, at, member = null, host = false, nick, color } = frame;
  const { text, data, reply_to: replyTo, edited = 0, redacted, key, reactions = [] } = frame;
  // A message of this page keeps the place on screen it had while pending.
  const local = room.pending.some(message => message.key === key) ? key : null;
  const said = { text, data, replyTo, edited };
  return { kind: 'message', seq, at, member, host, nick, color, ...said, redacted: redacted === true, reactions, local, asOf };
}

/** How many people named beside a name a message shows at most. */
const NAMED_MAX = 8;

/** The reactions to a message after one more or one less. */
function counted(reactions, { name, by, on, count }) {
  const before = reactions.find(reaction => reaction.name === name);
  if (count === 0) return reactions.filter(reaction => reaction !== before);
  const others = (before?.by ?? []).filter(member => member !== by);
  const now = { name, count, by: on && others.length < NAMED_MAX ? [...others, by] : others };
  return before ? reactions.map(reaction => reaction === before ? now : reaction) : [...reactions, now];
}

const lastNumber = members => members.at(-1)?.member ?? 0;

const gapEntry = (from, to) => ({ kind: 'gap', seq: to, from, to });

const seenOnline = (members, number) =>
  members.some(other => other.member === number && !other.online)
    ? members.map(other => other.member === number ? { ...other, online: true } : other)
    : members;

function withUnread(room) {
  if (room.watched || room.readSeq === 0) return { ...room, unread: 0, newFrom: null };
  const unread = room.entries.filter(entry => entry.seq > room.readSeq && !isMine(room, entry));
  return { ...room, unread: unread.length, newFrom: unread[0]?.seq ?? null };
}

function trimmed(room) {
  const most = room.following ? ENTRIES_MAX : ENTRIES_HARD_MAX;
  // A quarter at once, so that not every message moves the rest.
  return room.entries.length <= most ? room : { ...room, entries: room.entries.slice(most / 4), more: true };
}
