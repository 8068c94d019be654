// The rows of a room's log on screen, in order: what was said, by day and by sender, and what waits to be sent.

import { isAbove, isMine } from './room.js';
import { dayOf } from './time.js';

/** Messages of one sender this close together stand in one group. */
const GROUP_MS_MAX = 5 * 60_000;

/**
 * The rows of a room. Each has a stable `id` and a `kind` (`start`, `day`, `new`, `gap`, `notice` or `message`); rows
 * whose fields are all equal look the same, so that the log on screen changes only where it must.
 */
export function rowsOf(room) {
  const rows = [startRow(room)];
  let day = null;
  let before = null;
  const above = new Map();
  const said = new Map(room.messages.map(message => [message.seq, message]));
  const isBelow = member => above.get(member) ?? above.set(member, isAbove(room, member)).get(member);
  for (const entry of linesOf(room)) {
    if (entry === room.hole) {
      rows.push({ id: 'gap', kind: 'gap' });
      before = null;
      continue;
    }
    day = pushDay(rows, day, entry.at);
    if (entry.seq === room.news?.from) rows.push({ id: 'new', kind: 'new', at: entry.at, count: room.news.count, isMore: room.news.isMore });
    if (entry.words) {
      rows.push({ id: `n${entry.seq}`, kind: 'notice', words: entry.words, at: entry.at });
      before = null;
      continue;
    }
    const mine = isMine(room, entry);
    const sofar = entry.redacted ? undefined : room.growing[entry.seq];
    const row = {
      id: mine && room.keys.has(entry.key) ? `k${entry.key}` : `s${entry.seq}`,
      kind: 'message',
      seq: entry.seq,
      member: entry.member ?? null,
      host: entry.host === true,
      nick: entry.nick,
      color: entry.color,
      text: sofar ?? shownText(entry),
      growing: sofar !== undefined,
      reply: replyWords(said, entry),
      edited: entry.edited > 0,
      at: entry.at,
      redacted: entry.redacted === true,
      mine,
      state: 'told',
      error: undefined,
      mayRedact: !entry.redacted && room.ended === null && room.you !== null
        && (entry.member === room.you.member || isBelow(entry.member)),
      first: true,
      last: true,
    };
    before = pushMessage(rows, before, row);
  }
  for (const message of room.pending) {
    day = pushDay(rows, day, message.at);
    before = pushMessage(rows, before, pendingRow(room, message));
  }
  return rows;
}

/** Messages, notices and what is missing between them, by their numbers. */
function linesOf({ messages, notices, hole }) {
  if (notices.length === 0 && hole === null) return messages;
  const place = line => line === hole ? hole.after + .5 : line.seq;
  return [...messages, ...notices, ...(hole === null ? [] : [hole])].sort((a, b) => place(a) - place(b));
}

/** A message of data alone is for another program. */
const shownText = ({ text, data, redacted }) => text === '' && data && !redacted ? 'A message that this page cannot show' : text;

/** What a message answers, as far as that is shown: who said it, and how it begins. */
function replyWords(said, { reply_to: replyTo }) {
  if (replyTo === undefined) return null;
  const answered = said.get(replyTo);
  if (!answered) return 'An earlier message';
  return answered.redacted ? `${answered.nick}: removed` : `${answered.nick}: ${shownText(answered).slice(0, 80)}`;
}

function startRow(room) {
  const empty = room.messages.length === 0 && room.notices.length === 0 && room.pending.length === 0 && !room.more;
  const { code, more, loadError, fresh, live } = room;
  return { id: 'start', kind: 'start', code, more, empty, busy: room.loading === 'earlier', loadError, fresh, live };
}

function pendingRow(room, { key, text, at, state, error }) {
  return {
    id: `k${key}`,
    kind: 'message',
    seq: null,
    member: room.you?.member ?? null,
    host: false,
    nick: room.nick,
    color: room.you?.color ?? 0,
    text,
    growing: false,
    reply: null,
    edited: false,
    at,
    redacted: false,
    mine: true,
    state,
    error,
    mayRedact: false,
    mayRetry: room.live && !room.renewed,
    first: true,
    last: true,
  };
}

function pushDay(rows, day, at) {
  const own = dayOf(at);
  // The clock of this machine, which stamps what waits, may be behind the server's.
  if (day !== null && own < day) return day;
  if (own !== day) rows.push({ id: `d${own}`, kind: 'day', day: own });
  return own;
}

/** Whether one and the same said both: the host has no number, and speaks under several names. */
const isBySame = (one, other) =>
  one.host === other.host && (one.host ? one.nick === other.nick : one.member === other.member);

/** Adds a message row, joined to the one above when both stand in one group. */
function pushMessage(rows, before, row) {
  const close = before !== null && rows.at(-1) === before && isBySame(before, row)
    && Date.parse(row.at) - Date.parse(before.at) <= GROUP_MS_MAX;
  if (close) {
    row.first = false;
    before.last = false;
  }
  rows.push(row);
  return row;
}

/** Whether two rows look the same. */
export function sameRow(a, b) {
  return Object.keys(b).every(field => a[field] === b[field]);
}
