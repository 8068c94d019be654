// The rows of a room's log on screen, in order: what was said, by day and by sender, and what waits to be sent.

import { isAbove, isMine } from './room.js';
import { dayOf } from './time.js';
import { comingWords } from './words.js';

/** Messages of one sender this close together stand in one group. */
const GROUP_MS_MAX = 5 * 60_000;
/** So many who came and went one after the other are told in one line. */
const FOLD_FROM = 4;

/** When messages were said, in milliseconds and by day: read once for each. */
const times = new WeakMap();
/** The row of each message, and what it was made from: it is the same row for as long as that is the same. */
const made = new WeakMap();
/** What all rows depend on. */
let shared = {};
/** After so many lines it is kept how far the rows have come: what comes after lines that are the same goes on from there. */
const MARK_LINES = 20;
/** What was made last: `{ context, lines, rows, marks }`. */
let last = { context: {}, lines: [], rows: [], marks: [] };

/**
 * The rows of a room. Each has a stable `id` and a `kind` (`start`, `day`, `new`, `again`, `gap`, `notice`, `folded` or `message`); rows
 * whose fields are all equal look the same, so that the log on screen changes only where it must.
 */
export function rowsOf(room) {
  const { selves, you, members, ended, nick } = room;
  shared = sameFields(shared, { selves, you, members, ended, nick });
  const { code, growing, news, hole, past, keys } = room;
  const context = sameFields(last.context, { shared, code, growing, news, hole, past, keys });
  const lines = linesOf(room);
  const mark = context === last.context ? markBefore(lines) : undefined;
  const marks = mark === undefined ? [] : last.marks.slice(0, last.marks.indexOf(mark) + 1);
  const rows = mark === undefined ? [] : last.rows.slice(0, mark.rows);
  rows[0] = startRow(room);
  /** The message above, whose row is made once it is known whether the next one stands in its group. */
  let open = mark?.open ?? null;
  let day = mark?.day ?? null;
  const close = isLast => {
    if (open !== null) rows[open.index] = open.make(room, open.entry, open.isFirst, isLast);
    open = null;
  };
  const push = row => {
    close(true);
    rows.push(row);
  };
  const begin = entry => {
    const own = dayAt(entry);
    // The clock of this machine, which stamps what waits, may be behind the server's.
    if (day !== null && own.day <= day) return own;
    push({ id: `d${own.day}`, kind: 'day', day: own.day });
    day = own.day;
    return own;
  };
  const say = (entry, ms, make) => {
    const isJoined = open !== null && isBySame(open.entry, entry) && ms - open.ms <= GROUP_MS_MAX;
    close(!isJoined);
    open = { index: rows.length, entry, ms, make, isFirst: !isJoined };
    rows.push(null);
  };

  if (mark === undefined && past.length > 0) {
    for (const entry of past) say(entry, begin(entry).ms, pastRow);
    push({ id: 'again', kind: 'again' });
    day = null;
  }
  for (let index = mark?.line ?? 0; index < lines.length; index += 1) {
    const entry = lines[index];
    if (index - (marks.at(-1)?.line ?? 0) >= MARK_LINES) marks.push({ line: index, rows: rows.length, day, open });
    if (entry === hole) {
      push({ id: 'gap', kind: 'gap' });
      continue;
    }
    const { ms } = begin(entry);
    if (entry.seq === news?.from) push({ id: 'new', kind: 'new', at: entry.at, count: news.count, isMore: news.isMore });
    if (entry.words) {
      const run = entry.coming ? runFrom(lines, index) : [];
      if (run.length < FOLD_FROM) push({ id: `n${entry.seq}`, kind: 'notice', words: entry.words, at: entry.at });
      else {
        push({ id: `f${entry.seq}`, kind: 'folded', words: comingWords(run.map(({ coming }) => coming)), lines: run, at: entry.at });
        index += run.length - 1;
      }
      continue;
    }
    say(entry, ms, toldRow);
  }
  for (const message of room.pending) {
    const entry = { member: room.you?.member ?? null, at: message.at };
    say(entry, begin(entry).ms, (_room, _entry, isFirst, isLast) => ({ ...pendingRow(room, message), first: isFirst, last: isLast }));
  }
  close(true);
  last = { context, lines, rows, marks };
  return rows;
}

/** The last mark before the first line that is another one than the last time; at that line itself people may go on coming. */
function markBefore(lines) {
  const most = Math.min(lines.length, last.lines.length);
  let same = 0;
  while (same < most && lines[same] === last.lines[same]) same += 1;
  return last.marks.findLast(({ line }) => line < same);
}

/** When something was said: read once, where it is the same object. */
function dayAt(entry) {
  let time = times.get(entry);
  if (time === undefined) {
    time = { ms: Date.parse(entry.at), day: dayOf(entry.at) };
    times.set(entry, time);
  }
  return time;
}

/** Who came and went on one day, one after the other. */
function runFrom(lines, from) {
  const { day } = dayAt(lines[from]);
  let to = from + 1;
  while (lines[to]?.coming && dayAt(lines[to]).day === day) to += 1;
  return lines.slice(from, to);
}

/** Messages, notices and what is missing between them, by their numbers. */
function linesOf({ messages, notices, hole }) {
  if (notices.length === 0 && hole === null) return messages;
  const place = line => line === hole ? hole.after + .5 : line.seq;
  return [...messages, ...notices, ...(hole === null ? [] : [hole])].sort((a, b) => place(a) - place(b));
}

function toldRow(room, entry, first, last) {
  const sofar = entry.redacted ? undefined : room.growing[entry.seq];
  const answered = entry.reply_to === undefined ? null : messageAt(room.messages, entry.reply_to);
  const known = made.get(entry);
  const isSame = known && known.shared === shared && known.sofar === sofar && known.answered === answered
    && known.row.first === first && known.row.last === last;
  if (isSame) return known.row;
  const mine = isMine(room, entry);
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
    replyTo: entry.reply_to ?? null,
    reply: entry.reply_to === undefined ? null : replyWords(answered),
    edited: entry.edited > 0,
    at: entry.at,
    redacted: entry.redacted === true,
    mine,
    names: !mine && !entry.redacted && isNamedIn(entry.text, room.nick),
    reactions: reactionsOf(room, entry),
    state: 'told',
    error: undefined,
    mayRedact: !entry.redacted && room.ended === null && room.you !== null
      && (entry.member === room.you.member || isAbove(room, entry.member)),
    mayEdit: mine && !entry.redacted && entry.text !== '' && room.ended === null,
    first,
    last,
  };
  made.set(entry, { row, shared, sofar, answered });
  return row;
}

/** The message of this number, where it is shown; they are in order. */
function messageAt(messages, seq) {
  let [low, high] = [0, messages.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (messages[middle].seq < seq) low = middle + 1;
    else high = middle;
  }
  return messages[low]?.seq === seq ? messages[low] : undefined;
}

/** A message of data alone is for another program. */
export const shownText = ({ text, data, redacted }) => text === '' && data && !redacted ? 'A message that this page cannot show' : text;

/** What a message answers, as far as that is shown: who said it, and how it begins. */
export function replyWords(answered) {
  if (!answered) return 'An earlier message';
  return answered.redacted ? `${answered.nick}: removed` : `${answered.nick}: ${shownText(answered).slice(0, 80)}`;
}

/** Whether a message calls somebody by name: as a word, not as a part of one. */
export function isNamedIn(text, nick) {
  if (!nick) return false;
  const [all, name] = [text.toLowerCase(), nick.toLowerCase()];
  const isWord = sign => sign !== undefined && /[\p{L}\p{N}_]/u.test(sign);
  for (let at = all.indexOf(name); at >= 0; at = all.indexOf(name, at + 1)) {
    if (!isWord(all[at - 1]) && !isWord(all[at + name.length])) return true;
  }
  return false;
}

/** What people feel about a message: as one text for each, `👍 2`, with a mark where one is among them. */
function reactionsOf({ selves, members }, { reactions = [], redacted }) {
  if (redacted || reactions.length === 0) return NONE;
  const nickOf = number => members.find(({ member }) => member === number)?.nick;
  return reactions.map(({ name, count, by }) => {
    const nicks = by.map(number => selves.includes(number) ? 'You' : nickOf(number)).filter(Boolean);
    return { name, count, isMine: by.some(number => selves.includes(number)), who: nicks.join(', ') };
  });
}

const NONE = [];

function startRow(room) {
  const empty = room.messages.length === 0 && room.notices.length === 0 && room.pending.length === 0 && room.past.length === 0 && !room.more;
  const { code, more, loadError, fresh, live } = room;
  return { id: 'start', kind: 'start', code, more, empty, busy: room.loading === 'earlier', loadError, fresh, live };
}

/** What was said in the room before it was made again: to be read, and no more. */
const pastRow = (_room, entry, first, last) => ({
  ...pendingRow({ you: entry, nick: entry.nick, messages: [] }, { ...entry, key: `p${entry.seq}`, state: 'told' }),
  host: entry.host === true, nick: entry.nick, color: entry.color, redacted: entry.redacted === true, mine: entry.mine, mayRetry: false, first, last,
});

function pendingRow(room, { key, text, at, state, error, replyTo }) {
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
    replyTo: replyTo ?? null,
    reply: replyTo === undefined ? null : replyWords(messageAt(room.messages, replyTo)),
    edited: false,
    at,
    redacted: false,
    mine: true,
    names: false,
    reactions: NONE,
    state,
    error,
    mayRedact: false,
    mayEdit: false,
    mayRetry: room.live && !room.renewed,
    first: true,
    last: true,
  };
}

/** Whether one and the same said both: the host has no number, and speaks under several names. */
const isBySame = (one, other) =>
  Boolean(one.host) === Boolean(other.host) && (one.host ? one.nick === other.nick : one.member === other.member);

/** The object before, where all its fields are the same. */
const sameFields = (before, now) => Object.keys(now).every(field => before[field] === now[field]) ? before : now;

/** Whether two rows look the same. */
export function sameRow(a, b) {
  return a === b || Object.keys(b).every(field => isSame(a[field], b[field]));
}

/** Lists are the same where what is in them is. */
function isSame(a, b) {
  if (a === b) return true;
  return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((item, index) => isSameItem(item, b[index]));
}

const isSameItem = (a, b) => a === b || (a?.name !== undefined && a.name === b.name && a.count === b.count && a.isMine === b.isMine && a.who === b.who);
