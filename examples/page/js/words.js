// What the page says: about errors, about what happened in a room, and about how a membership or a session ended.

import { clock, dayName, dayOf, untilTime } from './time.js';

/** What each error code means to the person who ran into it; `{message}` is the server's own words. */
const ERRORS = {
  bad_frame: 'The server did not understand the page. Reload it to get the current version.',
  unknown_type: 'The server does not know this command. Reload the page to get the current version.',
  bad_field: 'The server did not accept this: {message}.',
  too_long: 'That is too long: {message}.',
  room_not_found: 'There is no room with this code. Check it, or create the room.',
  name_taken: 'A room of this name exists already. Join it with this name as its code, or choose another.',
  nick_taken: 'Somebody in the room has this name, or one that looks like it. Choose another.',
  not_member: 'You are not in this room any more.',
  already_member: 'You are in this room already.',
  member_not_found: 'That person is not in the room any more.',
  message_not_found: 'That message cannot be reached any more.',
  too_late: 'That message is too old for this.',
  edits_full: 'That message has been changed as often as it may be.',
  out_of_reach: 'Too much was changed since then.',
  too_many_rooms: 'You are in as many rooms as you may be. Leave one first.',
  too_many_attachments: 'You have this room open as often as you may. Close one first.',
  ban_not_found: 'That person has been let in again already.',
  room_full: 'The room is full. Try again later.',
  room_locked: 'The room is locked: nobody new gets in for now.',
  secret_wrong: 'This room asks for a secret. Ask somebody who is in it.',
  roles_full: 'There are as many moderators as there may be.',
  bans_full: 'As many people are kept out of this room as may be.',
  live_full: 'As many messages are being written here as can be shown.',
  signals_full: 'This room shows as many signals as it may.',
  reactions_full: 'There are as many reactions as there may be.',
  banned: 'You may not enter this room again.',
  read_only: 'Only those who moderate the room write in it now.',
  forbidden: 'You are not allowed to do this here.',
  key_conflict: 'This message collided with an earlier one. Send it again.',
  rate_limited: 'That was too fast. Wait a moment.',
  busy: 'The server is busy. Wait a moment.',
  unavailable: 'The room cannot be reached right now. Wait a moment.',
  at_capacity: 'The server is full. Try again later.',
  draining: 'The server is about to restart. Wait a moment.',
  not_connected: 'Not connected. Try again in a moment.',
  disconnected: 'Not connected. Try again in a moment.',
  bad_token: 'The earlier session is gone; a new one has begun.',
  auth_expired: 'Your sign-in has run out: sign in again.',
};

const FIELDS = { nick: 'A name', room: 'A room code', text: 'A message', topic: 'A topic' };

/** An error frame in words. */
export function errorWords({ code, message, field, limit, until }) {
  if (code === 'banned' && until) return `You may not enter this room until ${untilTime(until)}.`;
  if (code === 'too_long' && FIELDS[field] && limit) return `${FIELDS[field]} has at most ${limit} characters.`;
  const words = ERRORS[code] ?? message ?? 'The server refused this.';
  return words.replace('{message}', () => message ?? 'it gave no reason');
}

/** A name that somebody has, who is away and may be oneself. */
export function nickTakenWords(error) {
  if (error.retryAfterMs === undefined) return errorWords(error);
  return `Somebody with this name, or one that looks like it, has just lost the connection. That may be you, still leaving: `
    + `try again in ${count(Math.ceil(error.retryAfterMs / 1_000), 'second')}, or choose another name.`;
}

/** Why a message was not sent. */
export function refusedWords(error) {
  switch (error.code) {
    case 'epoch_changed': return 'Written for the room before this one.';
    case 'outcome_unknown': return 'Perhaps not sent: the answer was lost.';
    case 'outbox_full': return 'As many messages wait to be sent as may.';
    case 'left':
    case 'closed': return 'Not sent.';
    default: return errorWords(error);
  }
}

/** What somebody else has written, among words of the page's own. It is shown by itself, whichever way it runs. */
export const theirs = text => ({ theirs: text });

/** Words with parts that somebody else wrote: one text where there are none. */
const saying = (...parts) => parts.every(part => typeof part === 'string') ? parts.join('') : parts;

/** The words as one text. */
export const plain = words => [words].flat().map(part => part.theirs ?? part).join('');

/** What happened in a room, as a notice; null for what is not worth one. */
export function noticeWords(room, frame) {
  const name = member => nameIn(room, member);
  switch (frame.type) {
    case 'member_joined': return saying(own(room, frame.member) ? 'You' : theirs(frame.nick), ' joined');
    case 'member_left': return leftWords(room, frame);
    case 'member_changed': return renamedWords(room, frame);
    case 'topic_changed':
      if (!frame.topic) return saying(name(frame.by), ' removed the topic');
      return saying(name(frame.by), ' set the topic: ', theirs(frame.topic));
    case 'settings_changed': return saying(name(frame.by), ` ${settingsWords(room.settings, frame.settings)}`);
    case 'role_changed':
      if (frame.role === 'moderator') {
        return own(room, frame.member) ? 'You are a moderator now' : saying(name(frame.member), ' is a moderator now');
      }
      if (frame.role !== 'owner') return null;
      return own(room, frame.member) ? 'You own the room now' : saying(name(frame.member), ' owns the room now');
    case 'notices_changed':
      return frame.notices === 'counted'
        ? 'The room is big now: joins and leaves are only counted'
        : 'Joins and leaves are told again';
    default: return null;
  }
}

/** How many came and went. */
export function comingWords(comings) {
  const joined = comings.filter(how => how === 'joined').length;
  const left = comings.length - joined;
  return [joined > 0 && `${count(joined, 'person', 'people')} joined`, left > 0 && `${joined > 0 ? left : count(left, 'person', 'people')} left`]
    .filter(Boolean).join(', ');
}

/** Whether somebody came or went of their own accord: `joined`, `left`, or null. */
export function comingOf({ type, reason }) {
  if (type === 'member_joined') return 'joined';
  return type === 'member_left' && ['left', 'timeout'].includes(reason) ? 'left' : null;
}

/** That somebody is called something else; of data, which only other pages show, nothing is said. */
function renamedWords(room, { member, nick }) {
  const before = room.members.find(other => other.member === member)?.nick;
  if (nick === undefined || before === undefined || before === nick) return null;
  if (own(room, member)) return saying('You are called ', theirs(nick), ' now');
  return saying(theirs(before), ' is called ', theirs(nick), ' now');
}

/** What was done to what is set; the most of it that is one thing. */
function settingsWords(before, now) {
  const changed = field => (before[field] ?? false) !== (now[field] ?? false);
  if (changed('locked')) return now.locked ? 'locked the room: nobody new gets in' : 'opened the room again';
  if (changed('read_only')) return now.read_only ? 'made the room read-only' : 'let everybody write again';
  if (changed('slow_ms')) return now.slow_ms ? `set slow mode: one message every ${duration(now.slow_ms)}` : 'ended slow mode';
  if (changed('secret')) return now.secret ? 'has newcomers asked for a secret' : 'let newcomers in without a secret';
  return 'changed the settings of the room';
}

/** A time in its largest whole unit. */
function duration(ms) {
  const seconds = Math.ceil(ms / 1_000);
  if (seconds % 3_600 === 0) return count(seconds / 3_600, 'hour');
  if (seconds % 60 === 0) return count(seconds / 60, 'minute');
  return count(seconds, 'second');
}

/** What keeps one from writing here, or from writing often: null, or the words and whether one may not write at all. */
export function composerWords({ settings, you }) {
  const moderates = you !== null && you.role !== 'member';
  if (moderates) return null;
  if (settings.read_only) return { words: 'Only those who moderate the room write here now', isMuted: true };
  if (!settings.slow_ms) return null;
  return { words: `Write a message (slow mode: one every ${duration(settings.slow_ms)})`, isMuted: false };
}

function leftWords(room, frame) {
  const isOwn = own(room, frame.member);
  const who = isOwn ? 'You' : theirs(frame.nick);
  switch (frame.reason) {
    case 'timeout': return saying(who, ' lost the connection and left');
    case 'kicked': return saying(nameIn(room, frame.by), ' removed ', isOwn ? 'you' : theirs(frame.nick));
    case 'banned':
      return saying(nameIn(room, frame.by), ' banned ', isOwn ? 'you' : theirs(frame.nick), untilWords(frame.until));
    default: return saying(who, ' left');
  }
}

/** Until when a ban holds; one without an end says nothing of it. */
export const untilWords = until => until ? ` until ${untilTime(until)}` : '';

const own = (room, member) => room.selves.includes(member);

function nameIn(room, member) {
  if (member === undefined) return 'The server';
  if (own(room, member)) return 'You';
  const nick = room.members.find(known => known.member === member)?.nick
    ?? room.messages.findLast(message => message.member === member)?.nick;
  return nick === undefined ? 'Somebody' : theirs(nick);
}

/** How a membership or a room ended, as the client says, in words: `{ why, detail }`; `you` says as whom one was in it. */
export function endingOf(room, { why, by, until, reason, isMissed, error }, { member, nick }) {
  if (error) return { why: { room_not_found: 'gone', banned: 'banned' }[error.code] ?? 'refused', detail: errorWords(error) };
  if (why === 'closed') return { why, detail: isMissed ? 'It was closed while you were away.' : closedWords(reason) };
  if (isMissed) return { why, detail: why === 'left' ? 'You are not in this room any more' : putOutWords(why, until) };
  const detail = leftWords({ ...room, selves: [...room.selves, member] }, { member, nick, reason: why, by, until });
  return { why: why === 'timeout' ? 'left' : why, detail };
}

/** Why a room is not live any more, and what may be done about it. Title and text are words with parts that may be `theirs`. */
export function endedWords({ why, detail }) {
  switch (why) {
    case 'kicked':
    case 'left': return { title: detail, text: 'You may come back with the same code.', offer: 'rejoin' };
    case 'closed': return { title: 'This room is closed', text: detail, offer: 'create' };
    case 'gone':
      return {
        title: 'This room no longer exists',
        text: 'The server does not know it: everybody left, or the server was restarted and kept no messages.',
        offer: 'create',
      };
    // A ban may be lifted before its time, and nobody says so.
    case 'banned': return { title: 'You may not come back', text: detail, offer: 'retry' };
    case 'renewed':
      return {
        title: 'This is a new room',
        text: 'The room you were in is gone. This one was made later under the same code, and others may be in it. '
          + 'Nothing that you wrote has been sent here.',
        offer: 'stay',
      };
    default: return { title: 'You are not in this room', text: detail, offer: 'rejoin' };
  }
}

/** Why a life of a room ended. */
export function closedWords(reason) {
  switch (reason) {
    case 'empty': return 'Everybody had left.';
    case 'fault': return 'Something went wrong in the server, which kept no messages of it.';
    default: return 'The host of the server closed it.';
  }
}

/** Why the whole session ended, and the button that starts another. */
export function sessionEndedWords(code) {
  if (code === 4501) {
    return {
      title: 'This chat continues in another tab',
      text: 'A session lives in one tab at a time. Close this one, or start a second session here: '
        + 'to the others you are then another person.',
      button: 'Use here',
    };
  }
  const text = {
    4500: 'The page and the server did not understand each other. Reload the page to get its current version.',
    4502: 'The server does not let you in.',
    4503: 'The server ended this session.',
    4504: 'This page sent far too much at once.',
  }[code] ?? 'The server ended this session and asked not to come back by itself.';
  return { title: 'The session has ended', text, button: 'Start anew' };
}

/** Why somebody else ended a membership while one was away. */
export const putOutWords = (reason, until) => reason === 'banned'
  ? `You were banned from this room${untilWords(until)} while you were away.`
  : 'You were removed from this room while you were away';

/** Why a connection was lost, where the server said so. */
export function lostWords(code) {
  switch (code) {
    case 4001: return 'The server is restarting.';
    case 4002: return 'The connection was too slow.';
    case 4005: return 'The server is full.';
    case 4006: return 'Something went wrong in the server.';
    case 4007: return 'Your sign-in has run out.';
    case 'offline': return 'This device is offline.';
    default: return 'No connection.';
  }
}

/** The transports by name: what they are called, and what they are. */
export const transportWords = {
  ws: { name: 'WebSocket', what: 'One line for both ways. What is used unless you choose.' },
  sse: { name: 'SSE + POST', what: 'Plain web requests. They pass where WebSocket does not.' },
  socketio: { name: 'Socket.IO', what: 'The stock client, by long-polling or WebSocket.' },
};

/** WebSocket has just been given up. */
export const fallbackWords = 'WebSocket does not get through here. Connected over SSE + POST instead.';

/** WebSocket has been given up, at some time. */
export const onFallbackWords = 'WebSocket did not get through here, so SSE + POST stands in for it. It is tried again later.';

/** The state of the connection in a word or two. */
export const connectionWords = {
  connecting: 'Connecting…',
  open: 'Connected',
  waiting: 'Disconnected',
  ended: 'Ended',
};

/** Who is typing, of those whose nicks are given. */
export function typingWords(nicks) {
  if (nicks.length === 0) return '';
  if (nicks.length === 1) return saying(theirs(nicks[0]), ' is typing');
  if (nicks.length <= 3) {
    const others = nicks.slice(0, -1).flatMap((nick, index) => index === 0 ? [theirs(nick)] : [', ', theirs(nick)]);
    return saying(...others, ' and ', theirs(nicks.at(-1)), ' are typing');
  }
  return `${nicks.length} people are typing`;
}

/** How much is new, and from when on; `isMore` where not all of it is held. */
export function newsWords({ count: number, at, isMore }, now = Date.now()) {
  const day = dayOf(at) === dayOf(now) ? '' : `${dayName(dayOf(at), now)}, `;
  return `${isMore ? 'More than ' : ''}${number} new since ${day}${clock(at)}`;
}

/** A number with its noun. */
export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
