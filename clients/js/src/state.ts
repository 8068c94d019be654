// What a client holds of one room: immutable, with no function in it. A change makes another one.

import { HELD_MAX } from './bounds.js';
import type { LeaveReason, Member, MessageContent, Notices, ReadPosition, RoomStatus, Settings, Signal } from './wire.js';
import type { ChatError } from './errors.js';

/** A message as it is held; `as_of` is the last event that it reflects. */
export type Message = MessageContent & { readonly as_of: number };

/** Why one is not in the room any more. */
export interface Ending {
  /** How the membership or the room ended; `refused` where the server lets one in no more, and `error` says why. */
  readonly why: LeaveReason | 'closed' | 'refused';
  /** The member who put one out. */
  readonly by?: number;
  /** When a ban ends. */
  readonly until?: string;
  /** Why the room was closed. */
  readonly reason?: 'host' | 'empty' | 'fault';
  /** It was so when one came back, or had missed it: how exactly was not told. */
  readonly isMissed?: true;
  readonly error?: ChatError;
}

export interface RoomState {
  /** Null for a room that is still being made under a code that the server draws. */
  readonly code: string | null;
  /** The life of the room that all of this is of; null before the first `joined`. */
  readonly epoch: string | null;
  /** The last event seen. */
  readonly seq: number;
  /** `live`: events follow. `away`: the connection, or what the server says of the room, is waited for. */
  readonly status: 'joining' | 'live' | 'away' | 'ended';
  readonly ended: Ending | null;
  readonly you: Member | null;
  /** Where the present membership begins. */
  readonly entered: number;
  /** By number. In rooms whose notices are counted, those who were listed. */
  readonly members: readonly Member[];
  readonly membersTotal: number;
  /** The number after which members are still to be listed; null where all are. */
  readonly listedTo: number | null;
  /** The last event, or gap, that said anything of any member: a list that was asked for before it may be out of date. */
  readonly membersAt: number;
  readonly notices: Notices;
  /** How many have a connection, where joins and leaves are only counted. */
  readonly online: number | null;
  readonly topic: string;
  readonly settings: Settings;
  /** Who is writing, by number. */
  readonly typing: readonly number[];
  /** What messages say so far that are still growing, by their `seq`. */
  readonly growing: Readonly<Record<number, string>>;
  readonly signals: readonly Signal[];
  /** All messages of the log from the event `from` on, but for those in the `hole`, as they are now. */
  readonly messages: readonly Message[];
  readonly from: number;
  /** Whether there are messages before `from`. */
  readonly more: boolean;
  /** Events after `after` and up to `through` that were missed, and whose messages are still to be read. */
  readonly hole: { readonly after: number; readonly through: number } | null;
  /** Everything was dropped, and the newest messages are to be read again. */
  readonly isBare: boolean;
  /** So many messages are held at most; each page of `history()` adds its own. */
  readonly heldMax: number;
  /** What every event up to `known` changed is shown. */
  readonly known: number;
  /** The last change that was heard of: past `known` it is asked for. */
  readonly due: number;
  readonly read: ReadPosition | null;
  /** The event that `read` has to reflect; before that it is asked for anew. */
  readonly readDue: number;
  /** How far one has read by one's own word, which may still have to be told. */
  readonly readTo: number;
  /** Messages of others that were not read yet, at most about 1,000. */
  readonly unread: number;
  /** Nothing is left to be asked for: what is held equals the log. */
  readonly synced: boolean;
}

export function newRoom(code: string | null): RoomState {
  return {
    code, epoch: null, seq: 0, status: 'joining', ended: null, you: null, entered: 0,
    members: [], membersTotal: 0, listedTo: null, membersAt: 0, notices: 'told', online: null,
    topic: '', settings: {}, typing: [], growing: {}, signals: [],
    messages: [], from: 1, more: false, hole: null, isBare: false, heldMax: HELD_MAX,
    known: 0, due: 0, read: null, readDue: 0, readTo: 0, unread: 0, synced: false,
  };
}

/** The position to name when coming back; null where there is none. */
export const positionOf = ({ epoch, seq }: RoomState): string | null => epoch === null ? null : `${epoch}:${seq}`;

export const misses = ({ due, known }: RoomState): boolean => due > known;
/** Whether the read position is to be told, or what is unread to be asked for. */
export const isReadStale = ({ read, readDue, readTo }: RoomState): boolean =>
  read !== null && (read.as_of < readDue || read.through < readTo);

/** What passes is of one connection: on the next one it is told anew. */
const NOTHING_SHOWN = { typing: [], growing: {}, signals: [] };
export { NOTHING_SHOWN };

/** The room with what follows from the rest: how much is unread, and whether anything is left to be asked for. */
export function settled(state: RoomState): RoomState {
  const { read, you, messages } = state;
  let unread = read?.unread ?? 0;
  for (let i = messages.length - 1; read !== null && i >= 0; i -= 1) {
    const { seq, member, redacted } = messages[i]!;
    if (seq <= Math.max(read.as_of, read.through)) break;
    if (!redacted && member !== you?.member) unread += 1;
  }
  const isTold = state.notices === 'told';
  const isListed = !isTold || state.listedTo === null;
  const synced = state.status === 'live' && state.hole === null && !state.isBare && !misses(state) && isListed && !isReadStale(state);
  // Pages of one list may be of different moments, and so may be what each says of how many there are.
  const membersTotal = isTold && isListed ? state.members.length : state.membersTotal;
  return { ...state, membersTotal, unread, synced };
}

/** The room once one has read up to an event. */
export const readUpTo = (state: RoomState, through: number): RoomState =>
  through <= state.readTo || through > state.seq ? state : settled({ ...state, readTo: through });

/** The room when the connection is lost. */
export function disconnected(state: RoomState): RoomState {
  return state.status === 'live' ? { ...state, ...NOTHING_SHOWN, status: 'away', synced: false } : state;
}

/** The room once membership or life has ended: what is held stays as it was. */
export const ended = (state: RoomState, ending: Ending): RoomState =>
  ({ ...state, ...NOTHING_SHOWN, status: 'ended', ended: ending, synced: false });

/** The room after what a `welcome` or `resumed` says of it, where it goes on from what is held; else it waits for its `joined`. */
export function resumed(state: RoomState, { status, epoch, seq, read }: RoomStatus): RoomState {
  const isLive = status === 'live' || status === 'gap';
  if (!isLive || epoch !== state.epoch || seq !== state.seq) return state;
  return settled({ ...state, status: 'live', ended: null, ...NOTHING_SHOWN, read: laterRead(state.read, read) });
}

/** Of two read positions the later one; over some transports an answer may be older than what was told. */
export function laterRead(held: ReadPosition | null, told: ReadPosition | undefined): ReadPosition | null {
  if (told === undefined || (held !== null && (told.as_of < held.as_of || told.through < held.through))) return held;
  return { through: told.through, unread: told.unread, as_of: told.as_of };
}
