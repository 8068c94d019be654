// What is made of events that will not come: a hole to be read, or, where it is too long, everything before it forgotten.

import { HOLE_MAX } from './bounds.js';
import { isReadStale, misses } from './state.js';
import type { RoomState } from './state.js';

/** The room after the events `from` to `to` were not told, of which `changedAt` is the last that changed an earlier message. */
export function missed(state: RoomState, from: number, to: number, changedAt: number): RoomState {
  const due = Math.max(state.due, changedAt);
  const before = misses(state) ? state.known : Math.max(state.known, from - 1);
  const after = state.hole?.after ?? from - 1;
  const next: RoomState = {
    ...state,
    seq: to,
    known: due > before ? before : Math.max(before, to),
    due,
    // What was told between two holes is read again with both.
    messages: state.messages.filter(({ seq }) => seq <= after),
    hole: { after, through: to },
    readDue: to,
    typing: [],
  };
  return to - after > HOLE_MAX ? dropped(next) : next;
}

/** The room with no message: the newest are to be read again. */
export function dropped(state: RoomState): RoomState {
  const { seq, known, due } = state;
  return { ...state, messages: [], from: seq + 1, more: true, hole: null, isBare: true, known: Math.max(seq, known, due) };
}

/** The next question by which what is held becomes equal to the log, but for what is `refused`; null where it does, or nothing can be asked. */
export function nextQuestion(state: RoomState, refused: ReadonlySet<string> = new Set()): { readonly type: string; readonly [field: string]: unknown } | null {
  const { code: room, status, hole, read, readTo, listedTo, notices } = state;
  if (status !== 'live') return null;
  const questions = [
    misses(state) && { type: 'changes', room, after: state.known },
    hole !== null && { type: 'history', room, after: hole.after, limit: 200 },
    state.isBare && { type: 'history', room, before: state.from, limit: 50 },
    listedTo !== null && notices === 'told' && { type: 'members', room, after: listedTo },
    read !== null && isReadStale(state) && { type: 'read', room, through: Math.max(read.through, readTo) },
  ];
  return questions.find(question => question && !refused.has(question.type)) || null;
}
