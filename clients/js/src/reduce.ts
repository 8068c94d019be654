// The store of a room: a pure function of what is held and a frame. No clock, no I/O, no randomness.

import * as list from './messages.js';
import { dropped, missed } from './missed.js';
import { NOTHING_SHOWN, ended, laterRead, misses, settled } from './state.js';
import type { RoomState } from './state.js';
import type {
  Changes, ClientFrame, Gap, History, Joined, Live, Member, MemberChanged, MemberJoined, MemberLeft, Members, MessageEvent,
  RoomEvent, RoomFrame,
} from './wire.js';

/** The part of a state that a frame changes. */
type Change = Partial<RoomState>;

/** The room after a frame. `asked` is the command that the frame answers, where it answers one. */
export function reduce(state: RoomState, frame: RoomFrame, asked?: ClientFrame): RoomState {
  const next = change(state, frame, asked);
  return next === state ? state : settled(trimmed(next));
}

function change(state: RoomState, frame: RoomFrame, asked?: ClientFrame): RoomState {
  if (frame.type === 'joined') return joined(state, frame);
  if (frame.type === 'room_closed') {
    return frame.epoch === state.epoch ? ended(state, { why: 'closed', reason: frame.reason }) : state;
  }
  if (state.epoch === null) return state;
  switch (frame.type) {
    case 'history': return asked ? history(state, frame, asked) : state;
    case 'changes': return changes(state, frame);
    case 'members': return asked ? members(state, frame, asked) : state;
    // What was taken back since may still be counted in an answer that was overtaken.
    case 'read': return { ...state, read: laterRead(state.read, frame), readDue: state.due > frame.as_of ? state.due : state.readDue };
  }
  // What comes down the stream of the room. Before its `joined`, or a `welcome` that goes on, there is no position to move.
  if (state.status !== 'live') return state;
  switch (frame.type) {
    case 'gap': return gap(state, frame);
    case 'typing': return { ...state, typing: frame.members };
    case 'live': return { ...state, growing: growing(state.growing, frame) };
    case 'signals': return { ...state, signals: frame.signals };
    case 'presence': return { ...state, membersTotal: frame.members, online: frame.online };
  }
  if (isEvent(frame)) return event(state, frame);
  return frame.type === 'member_left' ? left(state, frame) : state;
}

/** An event is a frame with `room`, `seq` and `at` that is no `ack`, whatever its type: it moves the position. */
export function isEvent(frame: { type: string; room?: unknown; seq?: unknown; at?: unknown }): frame is RoomEvent & { seq: number } {
  return frame.type !== 'ack' && frame.room !== undefined && frame.seq !== undefined && frame.at !== undefined;
}

function event(state: RoomState, frame: RoomEvent & { seq: number }): RoomState {
  const { seq } = frame;
  if (seq <= state.seq) return state;
  // No server leaves out a number without a `gap`; if one did, everything may have changed.
  const at = seq === state.seq + 1 ? state : missed(state, state.seq + 1, seq - 1, seq - 1);
  const known = misses(at) ? at.known : Math.max(at.known, seq);
  const apply = EVENTS[frame.type] as ((state: RoomState, frame: RoomEvent) => Change) | undefined;
  // Of a type that this version does not know it moves the position, and that is all.
  const membersAt = MEMBER_EVENTS.has(frame.type) ? seq : at.membersAt;
  return { ...at, seq, known, ...apply?.({ ...at, seq, known }, frame), membersAt };
}

/** Only `heldMax` messages are held; past that a quarter goes at once, so that not every message moves the others. */
function trimmed(state: RoomState, rest = state.heldMax - (state.heldMax >> 2)): RoomState {
  const { length } = state.messages;
  if (length <= state.heldMax) return state;
  const messages = state.messages.slice(length - rest);
  const from = messages[0]?.seq ?? state.seq + 1;
  const hole = state.hole && state.hole.after >= from - 1 ? state.hole : null;
  return { ...state, messages, from, hole, more: true };
}

const MEMBER_EVENTS = new Set(['member_joined', 'member_left', 'member_changed', 'role_changed']);

const EVENTS: { [T in RoomEvent['type']]: (state: RoomState, frame: Extract<RoomEvent, { type: T }> & { seq: number }) => Change } = {
  message: (state, frame: MessageEvent) => ({
    messages: [...state.messages, list.messageOf(frame, frame.seq)],
    typing: state.typing.filter(member => member !== frame.member),
    members: changedMember(state.members, frame.member, member => member.online ? member : { ...member, online: true }),
  }),
  redacted: (state, { target, seq }) =>
    target === undefined ? {} : { messages: list.redacted(state.messages, target, seq), due: seq, ...readAgain(state, seq, target, target) },
  edited: (state, frame) => ({ messages: list.edited(state.messages, frame), due: frame.seq }),
  swept: (state, { member, from, to, seq }) => member === undefined || from === undefined || to === undefined ? {} : {
    messages: list.swept(state.messages, { member, from, to }, seq), due: seq, ...readAgain(state, seq, from, to),
  },
  reacted(state, frame) {
    const { held, isWhole } = list.reacted(state.messages, frame);
    return { messages: held, due: frame.seq, ...(isWhole ? {} : { known: Math.min(state.known, frame.seq - 1) }) };
  },
  member_joined: (state, { member, nick, color, role, data }: MemberJoined) => {
    const now: Member = { member, nick, color, role, online: true, ...(data !== undefined && { data }) };
    const others = state.members.filter(other => other.member !== member);
    return { members: sorted([...others, now]), membersTotal: state.membersTotal + (others.length === state.members.length ? 1 : 0) };
  },
  member_left: left,
  member_changed(state, frame: MemberChanged) {
    const isOwn = frame.member === state.you?.member;
    // Of an earlier membership of one's own: the present one began under the name that `joined` says.
    if (isOwn && frame.seq < state.entered) return {};
    const members = changedMember(state.members, frame.member, member => shownAs(member, frame));
    return { members, you: isOwn && state.you ? shownAs(state.you, frame) : state.you };
  },
  topic_changed: (_, { topic }) => ({ topic }),
  settings_changed: (_, { settings }) => ({ settings }),
  role_changed(state, { member, role }) {
    const members = changedMember(state.members, member, other => ({ ...other, role }));
    return { members, you: state.you?.member === member ? { ...state.you, role } : state.you };
  },
  notices_changed: (_, { notices }) => ({ notices, online: null, listedTo: 0 }),
};

/** Messages up to here were counted as unread, and some of them may count no more. */
function readAgain({ read, readDue }: RoomState, seq: number, from: number, to: number): Change {
  const counts = read !== null && to > read.through && from <= read.as_of && seq > read.as_of;
  return counts ? { readDue: Math.max(readDue, seq) } : {};
}

const sorted = (members: readonly Member[]) => [...members].sort((a, b) => a.member - b.member);

function changedMember(members: readonly Member[], number: number | undefined, change: (member: Member) => Member) {
  const index = members.findIndex(({ member }) => member === number);
  const before = members[index];
  const now = before && change(before);
  return now === before || now === undefined ? members : members.with(index, now);
}

function shownAs(member: Member, { nick, data }: MemberChanged): Member {
  const { data: before, ...rest } = member;
  const now = data === undefined ? before : data;
  return { ...rest, nick: nick ?? member.nick, ...(now != null && { data: now }) };
}

/** Somebody has left; where leaves are only counted one is told of one's own alone, and no event. */
function left(state: RoomState, { member, seq, reason, by, until }: MemberLeft): RoomState {
  if (member === state.you?.member) {
    // Before the present membership began: the end of an earlier one.
    if (seq !== undefined && seq < state.entered) return state;
    return ended(state, { why: reason, ...(by !== undefined && { by }), ...(until !== undefined && { until }) });
  }
  const members = state.members.filter(other => other.member !== member);
  const wasListed = members.length < state.members.length;
  // Who is not listed yet has a higher number than those who are.
  const wasCounted = wasListed || (state.listedTo !== null && member > state.listedTo);
  return { ...state, members, membersTotal: state.membersTotal - (wasCounted ? 1 : 0), typing: state.typing.filter(other => other !== member) };
}

function growing(before: Readonly<Record<number, string>>, { target, text }: Live): Readonly<Record<number, string>> {
  const { [target]: _, ...others } = before;
  return text === null ? others : { ...others, [target]: text };
}

function joined(state: RoomState, frame: Joined): RoomState {
  const { epoch, seq, sees = 0, as_of, changed_at } = frame;
  const isSame = epoch === state.epoch;
  const next: RoomState = {
    ...state,
    ...NOTHING_SHOWN,
    code: frame.room,
    epoch,
    seq,
    status: 'live',
    ended: null,
    you: frame.you,
    entered: frame.entered ?? 0,
    members: sorted(frame.members),
    membersTotal: frame.members_total,
    membersAt: seq,
    listedTo: frame.members.length < frame.members_total ? frame.members.slice(1).at(-1)?.member ?? 0 : null,
    notices: frame.notices ?? 'told',
    online: null,
    topic: frame.topic ?? '',
    settings: frame.settings ?? {},
    read: laterRead(isSame ? state.read : null, frame.read),
    readDue: isSame ? state.readDue : 0,
    readTo: isSame ? state.readTo : 0,
  };
  // It goes on from what is held, and what follows that is told. What is not one's own to see any more nobody would say to have changed.
  if (isSame && seq === state.seq) return above(next, sees);
  const history = list.merged([], frame.history, as_of ?? seq);
  const from = frame.more ? history[0]?.seq ?? seq + 1 : 1;
  const due = changed_at ?? 0;
  return { ...next, messages: history, from, more: frame.more, hole: null, isBare: false, known: Math.max(seq, as_of ?? seq), due };
}

/** The room without messages up to a floor. */
function above(state: RoomState, floor: number): RoomState {
  if (state.from > floor) return state;
  const hole = state.hole && state.hole.through > floor ? { ...state.hole, after: Math.max(state.hole.after, floor) } : null;
  return { ...state, messages: state.messages.filter(({ seq }) => seq > floor), hole };
}

function gap(state: RoomState, frame: Gap): RoomState {
  if (frame.epoch !== state.epoch || frame.to <= state.seq) return state;
  const from = Math.min(frame.from, state.seq + 1);
  const past = missed(state, from, frame.to, frame.ended ? frame.to : frame.changed_at ?? 0);
  if (frame.ended) return ended(past, { why: 'left', isMissed: true });
  const members = frame.members ?? [];
  const own = members.find(({ member }) => member === state.you?.member);
  const total = frame.members_total ?? members.length;
  return {
    ...past,
    you: own ?? past.you,
    members: sorted(members),
    membersTotal: total,
    membersAt: frame.to,
    listedTo: members.length < total ? members.filter(other => other !== own).at(-1)?.member ?? 0 : null,
    notices: frame.notices ?? past.notices,
    topic: frame.topic ?? past.topic,
    settings: frame.settings ?? {},
  };
}

/**
 * A page that was asked for before `from`, or after the beginning of the hole (which went `through` an event then); any other is not where
 * it was any more.
 */
function history(state: RoomState, { epoch, messages, more_before, more_after, as_of }: History, asked: ClientFrame): RoomState {
  const { hole } = state;
  if (epoch !== state.epoch) return state;
  // Changes of what the page brings may have overtaken it: these are asked for again.
  const known = state.due > as_of ? Math.min(state.known, as_of) : state.known;
  if (asked.before === state.from) {
    // It could not be read.
    if (messages.length === 0 && more_before) return state;
    const from = more_before ? messages[0]!.seq : 1;
    const heldMax = state.heldMax + (state.isBare ? 0 : messages.length);
    return { ...state, known, messages: list.merged(state.messages, messages, as_of), from, more: more_before, isBare: false, heldMax };
  }
  if (hole === null || asked.after !== hole.after || (messages.length === 0 && more_after)) return state;
  const within = messages.filter(({ seq }) => seq <= hole.through);
  // Where nothing follows, that is so of what there was when it was asked, and the hole may have grown since.
  const isFilled = !more_after || within.length < messages.length;
  const last = within.at(-1)?.seq ?? 0;
  const after = isFilled ? Math.max(last, Math.min(hole.through, asked.through as number)) : last;
  const rest = after < hole.through ? { ...hole, after } : null;
  return { ...state, known, messages: list.merged(state.messages, within, as_of), hole: rest };
}

/** What was changed in what one missed, as it is now. */
function changes(state: RoomState, frame: Changes): RoomState {
  const { epoch, through, as_of } = frame;
  if (epoch !== state.epoch) return state;
  const held = new Set(state.messages.map(({ seq }) => seq));
  const isGone = new Set(frame.messages.flatMap(message => 'gone' in message ? [message.seq] : []));
  const now = frame.messages.flatMap(message => 'gone' in message || !held.has(message.seq) ? [] : [message]);
  const left = state.messages.filter(({ seq, as_of: asOf }) => !isGone.has(seq) || asOf > as_of);
  let messages = list.merged(left, now, as_of);
  for (const range of frame.swept ?? []) messages = list.swept(messages, range, as_of);
  const known = Math.max(state.known, through);
  return { ...state, messages, known: state.due > known ? known : Math.max(known, state.seq) };
}

/** A page of members after a number, which lists all up to its last one, or all others; after 0 they are listed anew. */
function members(state: RoomState, frame: Members, asked: ClientFrame): RoomState {
  const after = asked.after as number;
  if (after !== 0 && after !== state.listedTo) return state;
  const last = frame.more ? frame.members.at(-1)?.member ?? after : Infinity;
  const others = state.members.filter(({ member }) => member <= after || member > last);
  const you = frame.members.find(({ member }) => member === state.you?.member) ?? state.you;
  const all = sorted([...others, ...frame.members]);
  return { ...state, you, members: all, membersTotal: frame.members_total, listedTo: frame.more ? last : null };
}

/** More was changed than the server remembers: nothing that is held is to be trusted. */
export const forgotten = (state: RoomState): RoomState => settled(dropped(state));

/** The room of which so many messages are held from now on. */
export const holding = (state: RoomState, heldMax: number): RoomState => settled(trimmed({ ...state, heldMax }, heldMax));
