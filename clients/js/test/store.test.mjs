// The store alone: what each frame does to it, and that any way of being told a log ends in that log.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newRoom, reduce } from '../dist/index.js';
import { nextQuestion } from '../dist/missed.js';
import { forgotten } from '../dist/reduce.js';
import { disconnected, resumed } from '../dist/state.js';
import { chance } from './support/random.mjs';
import { ModelRoom, Refusal, inWords } from './support/room-model.mjs';

const ROOM = 'TLBSWGOC';
/** Logs that are told in another way each. */
const RUNS = Number(process.env.CHAT_RUNS ?? 500);
const EPOCH = '04HMASW9NF6YF';
const AT = '2026-11-22T18:00:00.123Z';
const ANN = { member: 1, nick: 'Ann', color: 0, role: 'owner', online: true };
const BOB = { member: 2, nick: 'Bob', color: 4, role: 'member', online: true };
const JOINED = {
  type: 'joined', room: ROOM, epoch: EPOCH, seq: 2, entered: 2, you: BOB, members: [BOB, ANN], members_total: 2, topic: '',
  notices: 'told', history: [], more: false, as_of: 2, changed_at: 0, read: { through: 2, unread: 0, as_of: 2 },
};
const event = (type, seq, fields) => ({ type, room: ROOM, seq, at: AT, ...fields });
const said = (seq, text, fields) => event('message', seq, { member: 1, nick: 'Ann', color: 0, text, ...fields });
const after = (...frames) => frames.reduce((state, frame) => reduce(state, frame), newRoom(ROOM));
const texts = ({ messages }) => messages.map(({ text }) => text);

test('events move the position, and what is told twice changes nothing', () => {
  const state = after(JOINED, said(3, 'one'), said(4, 'two'));
  assert.deepEqual([state.seq, texts(state), state.unread, state.synced], [4, ['one', 'two'], 2, true]);
  assert.equal(reduce(state, said(4, 'two')), state);
  assert.equal(reduce(state, event('ack', 5, {})), state, 'an ack is no event');
});

test('an event of a type that is not known moves the position and changes nothing else', () => {
  const state = after(JOINED, event('waved', 3, { member: 1 }), said(4, 'hello'));
  assert.deepEqual([state.seq, texts(state), state.hole, state.synced], [4, ['hello'], null, true]);
});

test('nothing is taken of a room before its joined', () => {
  assert.deepEqual(after(said(3, 'one')), newRoom(ROOM));
});

test('edits, reactions and redactions change what is held', () => {
  const talk = [JOINED, said(3, 'one', { data: { a: 1 }, key: 'k' }), event('edited', 4, { target: 3, by: 1, n: 1, text: 'two' })];
  assert.deepEqual(after(...talk).messages, [{ seq: 3, at: AT, member: 1, nick: 'Ann', color: 0, text: 'two', key: 'k', edited: 1, as_of: 4 }]);
  const liked = [...talk, event('reacted', 5, { target: 3, name: '+1', by: 2, on: true, count: 1 })];
  assert.deepEqual(after(...liked).messages[0].reactions, [{ name: '+1', count: 1, by: [2] }]);
  const unliked = after(...liked, event('reacted', 6, { target: 3, name: '+1', by: 2, on: false, count: 0 }));
  assert.equal('reactions' in unliked.messages[0], false);
  const gone = after(...liked, event('redacted', 6, { target: 3, by: 1 }));
  assert.deepEqual(gone.messages, [{ seq: 3, at: AT, member: 1, nick: 'Ann', color: 0, text: '', redacted: true, as_of: 6 }]);
  assert.deepEqual([gone.unread, after(...liked).unread], [0, 1]);
});

test('an edit that was superseded says nothing, and one of what is not held changes nothing', () => {
  const state = after(JOINED, said(3, 'one'), event('edited', 4, { target: 3 }), event('edited', 5, {}), event('redacted', 6, {}));
  assert.deepEqual([texts(state), state.seq, state.synced], [['one'], 6, true]);
});

test('a range that was taken back is that many redactions', () => {
  const state = after(JOINED, said(3, 'a'), said(4, 'b', { member: 2 }), said(5, 'c'), event('swept', 6, { member: 1, from: 3, to: 4, by: 1 }));
  assert.deepEqual(state.messages.map(({ redacted = false }) => redacted), [true, false, false]);
  assert.equal(after(JOINED, event('swept', 3, {})).seq, 3, 'for who sees none of it, it is an event and nothing else');
});

test('of nine people who react one leaves: who is named in their place has to be asked for', () => {
  const by = [1, 2, 3, 4, 5, 6, 7, 8];
  const crowd = said(3, 'hi', { reactions: [{ name: '+1', count: 9, by }] });
  const state = after(JOINED, crowd, event('reacted', 4, { target: 3, name: '+1', by: 8, on: false, count: 8 }));
  assert.deepEqual(nextQuestion(state), { type: 'changes', room: ROOM, after: 3 });
  const now = { ...crowd, reactions: [{ name: '+1', count: 8, by: [1, 2, 3, 4, 5, 6, 7, 9] }] };
  const asked = reduce(state, { type: 'changes', room: ROOM, epoch: EPOCH, messages: [now], through: 4, more: false, as_of: 4 });
  assert.deepEqual([asked.synced, asked.messages[0].reactions], [true, now.reactions]);
});

test('members come, change and go', () => {
  const cid = event('member_joined', 3, { member: 3, nick: 'Cid', color: 5, role: 'member', data: { id: 'u3' } });
  const state = after(JOINED, cid, event('member_changed', 4, { member: 3, nick: 'Cyd', data: null }), event('role_changed', 5, { member: 3, role: 'moderator' }));
  assert.deepEqual(state.members[2], { member: 3, nick: 'Cyd', color: 5, role: 'moderator', online: true });
  const left = reduce(state, event('member_left', 6, { member: 3, nick: 'Cyd', reason: 'timeout' }));
  assert.deepEqual([left.members.length, left.membersTotal], [2, 2]);
});

test('one is out with the own leaving, and not with that of an earlier membership', () => {
  const out = after(JOINED, event('member_left', 3, { member: 2, nick: 'Bob', reason: 'banned', by: 1, until: AT }));
  assert.deepEqual([out.status, out.ended], ['ended', { why: 'banned', by: 1, until: AT }]);
  const back = after({ ...JOINED, entered: 5 }, event('member_left', 3, { member: 2, nick: 'Bob', reason: 'timeout' }));
  assert.deepEqual([back.status, back.seq], ['live', 3]);
  const quiet = after(JOINED, { type: 'member_left', room: ROOM, position: `${EPOCH}:2`, member: 2, nick: 'Bob', reason: 'left' });
  assert.deepEqual([quiet.status, quiet.seq], ['ended', 2]);
  const closed = after(JOINED, { type: 'room_closed', room: ROOM, epoch: EPOCH, reason: 'fault' });
  assert.deepEqual([closed.status, closed.ended], ['ended', { why: 'closed', reason: 'fault' }]);
});

test('a gap leaves a hole, which is asked for until nothing is left of it', () => {
  const gap = { type: 'gap', room: ROOM, epoch: EPOCH, from: 4, to: 9, members: [ANN, BOB], members_total: 2, topic: 'Tea', notices: 'told', changed_at: 8 };
  let state = after(JOINED, said(3, 'a'), gap, said(10, 'z'));
  assert.deepEqual([state.synced, state.hole, state.topic, state.due, state.known], [false, { after: 3, through: 9 }, 'Tea', 8, 3]);
  assert.deepEqual(nextQuestion(state), { type: 'changes', room: ROOM, after: 3 });
  state = reduce(state, { type: 'changes', room: ROOM, epoch: EPOCH, messages: [{ seq: 3, gone: true }], through: 10, more: false, as_of: 10 });
  const ask = nextQuestion(state);
  assert.deepEqual(ask, { type: 'history', room: ROOM, after: 3, limit: 200 });
  const page = { type: 'history', room: ROOM, epoch: EPOCH, more_before: false, as_of: 10 };
  state = reduce(state, { ...page, messages: [said(5, 'b')], more_after: true }, { ...ask, through: 9 });
  assert.deepEqual(state.hole, { after: 5, through: 9 });
  state = reduce(state, { ...page, messages: [said(7, 'c'), said(10, 'z')], more_after: false }, { ...nextQuestion(state), through: 9 });
  assert.deepEqual([texts(state), state.hole, nextQuestion(state)], [['b', 'c', 'z'], null, { type: 'read', room: ROOM, through: 2 }]);
  state = reduce(state, { type: 'read', room: ROOM, through: 2, unread: 3, as_of: 10 });
  assert.deepEqual([state.unread, state.synced], [3, true]);
});

test('a gap in which the membership has ended says nothing of changes: whoever is back asks for them', () => {
  const out = after(JOINED, said(3, 'a'), { type: 'gap', room: ROOM, epoch: EPOCH, from: 4, to: 9, ended: true });
  assert.deepEqual([out.status, out.ended, out.seq, nextQuestion(out)], ['ended', { why: 'left', isMissed: true }, 9, null]);
  const back = reduce(out, { ...JOINED, seq: 9, entered: 10 });
  assert.deepEqual([texts(back), nextQuestion(back)], [['a'], { type: 'changes', room: ROOM, after: 3 }]);
});

test('a list of several pages is of as many as it has, whatever each page said of that', () => {
  const state = after({ ...JOINED, members: [BOB], members_total: 3 });
  const asked = nextQuestion(state);
  assert.deepEqual(asked, { type: 'members', room: ROOM, after: 0 });
  const page = { type: 'members', room: ROOM, members: [ANN, BOB], members_total: 3, more: false };
  const listed = reduce(state, page, asked);
  assert.deepEqual([listed.members, listed.membersTotal, listed.synced], [[ANN, BOB], 2, true]);
});

test('members can be listed anew, and as far as a page goes nobody else is one', () => {
  const asked = { type: 'members', room: ROOM, after: 0 };
  const page = { type: 'members', room: ROOM, members_total: 2, more: false };
  const anew = reduce(after(JOINED), { ...page, members: [{ ...ANN, online: false }, BOB] }, asked);
  assert.deepEqual(anew.members.map(({ nick, online }) => [nick, online]), [['Ann', false], ['Bob', true]]);
  const cyd = { ...BOB, member: 3, nick: 'Cyd' };
  const big = after(JOINED, event('notices_changed', 3, { notices: 'counted' }));
  const first = reduce(big, { ...page, members: [ANN], members_total: 9, more: true }, asked);
  assert.deepEqual([first.members, first.listedTo, first.membersTotal, nextQuestion(first)?.type], [[ANN, BOB], 1, 9, undefined]);
  const second = reduce(first, { ...page, members: [BOB, cyd], members_total: 9, more: true }, { ...asked, after: 1 });
  assert.deepEqual([second.members, second.listedTo], [[ANN, BOB, cyd], 3]);
  assert.equal(reduce(second, { ...page, members: [], more: true }, { ...asked, after: 1 }), second, 'a page that is there already');
});

test('a gap of another life, and one of what was told, change nothing', () => {
  const state = after(JOINED, said(3, 'a'));
  const gap = { type: 'gap', room: ROOM, epoch: EPOCH, from: 2, to: 3, members: [], members_total: 0, topic: '', notices: 'told', changed_at: 0 };
  assert.equal(reduce(state, gap), state);
  assert.equal(reduce(state, { ...gap, epoch: '14HMASW9NF6YF', to: 9 }), state);
});

test('a page that is not before what is held, and one of another life, are passed over', () => {
  const state = after({ ...JOINED, seq: 9, more: true, history: [said(8, 'x')], as_of: 9 });
  const page = { type: 'history', room: ROOM, epoch: EPOCH, messages: [said(3, 'a')], more_before: true, more_after: true, as_of: 9 };
  assert.deepEqual(texts(reduce(state, page, { type: 'history', before: 5 })), ['x']);
  assert.equal(reduce(state, { ...page, epoch: '14HMASW9NF6YF' }, { type: 'history', before: 8 }), state);
  const more = reduce(state, page, { type: 'history', before: 8 });
  assert.deepEqual([texts(more), more.from, more.more], [['a', 'x'], 3, true]);
});

test('a message that shows more than an event says is not changed by it', () => {
  const late = { ...JOINED, as_of: 9, changed_at: 5, history: [said(1, 'now', { edited: 2 })] };
  const state = after(late, event('edited', 3, { target: 1, by: 1, n: 1, text: 'then' }), event('reacted', 4, { target: 1, name: '+1', by: 1, on: true, count: 1 }));
  assert.deepEqual(state.messages, [{ ...late.history[0], type: undefined, room: undefined, as_of: 9 }].map(({ type, room, ...rest }) => rest));
});

test('of two read positions the later one counts', () => {
  const read = (through, unread, as_of) => ({ type: 'read', room: ROOM, through, unread, as_of });
  const state = after(JOINED, said(3, 'a'), said(4, 'b'), read(4, 0, 4));
  assert.deepEqual([reduce(state, read(3, 1, 4)).read, reduce(state, read(4, 0, 3)).read], [state.read, state.read]);
});

test('one goes by the name of the present membership, whatever is told of an earlier one', () => {
  const renamed = event('member_changed', 3, { member: 2, nick: 'Robert' });
  assert.equal(after({ ...JOINED, entered: 9 }, renamed).you.nick, 'Bob');
  assert.equal(after(JOINED, renamed).you.nick, 'Robert');
});

test('a hole that is too long is not read: what is older is dropped, and the newest are', () => {
  const gap = { type: 'gap', room: ROOM, epoch: EPOCH, from: 4, to: 900, members: [ANN, BOB], members_total: 2, topic: '', notices: 'told', changed_at: 8 };
  const state = after(JOINED, said(3, 'a'), gap);
  assert.deepEqual([texts(state), state.more, nextQuestion(state)], [[], true, { type: 'history', room: ROOM, before: 901, limit: 50 }]);
});

test('an answer never undoes what was told, and is asked for again where it was overtaken', () => {
  const state = after(JOINED, said(3, 'a'), event('edited', 4, { target: 3, by: 1, n: 1, text: 'b' }));
  const late = { type: 'changes', room: ROOM, epoch: EPOCH, messages: [said(3, 'a')], through: 3, more: false, as_of: 3 };
  assert.deepEqual(texts(reduce(state, late)), ['b']);
  // A page of history that is older than the redaction of what it brings.
  const more = after({ ...JOINED, more: true, history: [said(2, 'x')] }, event('redacted', 3, { target: 1, by: 1 }));
  const page = { type: 'history', room: ROOM, epoch: EPOCH, messages: [said(1, 'w')], more_before: false, more_after: true, as_of: 2 };
  const paged = reduce(more, page, { type: 'history', before: 2 });
  assert.deepEqual(nextQuestion(paged), { type: 'changes', room: ROOM, after: 2 });
});

test('another life of the room begins with nothing of the one before', () => {
  const state = after(JOINED, said(3, 'a'), { ...JOINED, epoch: '14HMASW9NF6YF', seq: 1, members: [BOB], members_total: 1, history: [] });
  assert.deepEqual([texts(state), state.seq, state.epoch], [[], 1, '14HMASW9NF6YF']);
  assert.equal(reduce(state, { type: 'room_closed', room: ROOM, epoch: EPOCH, reason: 'host' }), state, 'the end of the one before is no news');
});

test('a joined that goes on keeps what is held, but for what is not to be seen any more', () => {
  const state = after(JOINED, said(3, 'a'), said(4, 'b'));
  const again = reduce(disconnected(state), { ...JOINED, seq: 4, sees: 3 });
  assert.deepEqual([texts(again), again.status], [['b'], 'live']);
  const anew = reduce(disconnected(state), { ...JOINED, seq: 9, more: true, history: [said(8, 'y')] });
  assert.deepEqual([texts(anew), anew.from, anew.more], [['y'], 8, true]);
});

test('a room that a welcome speaks of goes on only where it stands', () => {
  const state = disconnected(after(JOINED, said(3, 'a')));
  const status = { room: ROOM, status: 'live', epoch: EPOCH, seq: 3 };
  assert.equal(resumed(state, status).status, 'live');
  assert.equal(resumed(state, { ...status, seq: 2 }), state);
  assert.equal(resumed(state, { ...status, epoch: '14HMASW9NF6YF' }), state);
});

test('what passes is shown, and forgotten with the connection', () => {
  const state = after(JOINED, { type: 'typing', room: ROOM, members: [1] }, { type: 'live', room: ROOM, target: 9, member: 1, text: 'so' },
    { type: 'signals', room: ROOM, signals: [{ member: 1, name: 'hand', data: true }] });
  assert.deepEqual([state.typing, state.growing, state.signals.length], [[1], { 9: 'so' }, 1]);
  assert.deepEqual(reduce(state, { type: 'live', room: ROOM, target: 9, text: null }).growing, {});
  const lost = disconnected(state);
  assert.deepEqual([lost.typing, lost.growing, lost.signals], [[], {}, []]);
  assert.deepEqual(reduce(state, said(3, 'a')).typing, [], 'whoever has said something is not writing');
});

test('the host of a room speaks without a number', () => {
  const state = after(JOINED, event('message', 3, { nick: 'Host', host: true, text: 'welcome' }));
  assert.deepEqual([state.messages[0].host, state.unread], [true, 1]);
});

test('as many messages are held as may be, and the rest can be had again', () => {
  let state = after(JOINED);
  for (let seq = 3; seq < 1_100; seq += 1) state = reduce(state, said(seq, String(seq)));
  assert.ok(state.messages.length <= 1_000 && state.more && state.from === state.messages[0].seq);
});

/** A room in which so much has happened, and who may see it from inside. */
function story(random, steps) {
  const room = new ModelRoom(ROOM, EPOCH, { changesMax: 1 + random.below(30) });
  const people = ['ann', 'bob', 'cid', 'dan'];
  room.join('ann', 'ann');
  for (const name of people.slice(1)) room.join(name, name);
  const act = () => {
    const name = random.pick(people);
    const number = room.numberOf(name);
    if (number === undefined) return room.join(name, name);
    const target = random.pick([...room.messages.keys()]);
    const others = [
      () => room.edit(number, { target, text: `edit ${room.head}` }), () => room.redact(number, target),
      () => room.react(number, { target, name: random.pick(['+1', '-1']), on: random.is(0.7) }),
      () => room.sweep(number, 1 + random.below(room.head)), () => room.me(number, { nick: `${name}${room.head}` }),
      () => room.about(number, `about ${room.head}`), () => name !== 'ann' && room.part(number, 'left'),
    ];
    try {
      if (target === undefined || random.is(0.5)) room.send(number, { text: `said ${room.head}` });
      else random.pick(others)();
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
    }
  };
  for (let step = 0; step < steps; step += 1) act();
  return { room, act };
}

test('a log that is told in any way, with gaps and late answers, ends in the log', () => {
  for (let seed = 0; seed < RUNS; seed += 1) {
    const random = chance(seed);
    const { room, act } = story(random, 20 + random.below(60));
    const me = room.numberOf('ann');
    room.membersPage = random.pick([2, 500]);
    let state = reduce(newRoom(ROOM), room.joined(me, room.head, false, random.below(20)));
    /** Answers that are on their way: some are told much later, as over SSE. */
    const late = [];
    const ask = () => {
      const asked = nextQuestion(state);
      if (asked === null || late.length > 0) return;
      late.push([{ ...asked, through: state.hole?.through }, answerOf(room, me, asked, random), state.membersAt]);
    };
    const answer = () => {
      const [asked, told, membersAt] = late.shift() ?? [];
      if (told === 'out_of_reach') state = forgotten(state);
      else if (told && (asked.type !== 'members' || membersAt === state.membersAt)) state = reduce(state, told, asked);
    };
    for (let step = 0; step < 60; step += 1) {
      act();
      if (random.is(0.3)) ask();
      if (random.is(0.3)) answer();
      if (random.is(0.1) && state.seq < room.head) state = reduce(state, room.gap(me, state.seq + 1));
      if (random.is(0.5)) while (state.seq < room.head) state = reduce(state, room.told(state.seq + 1, me));
    }
    while (state.seq < room.head) state = reduce(state, room.told(state.seq + 1, me));
    for (let step = 0; step < 100 && (late.length > 0 || nextQuestion(state) !== null); step += 1) {
      ask();
      answer();
    }
    assert.ok(state.synced, `seed ${seed}: ${JSON.stringify(nextQuestion(state))}`);
    const log = [...room.messages.keys()].filter(seq => seq >= state.from).map(seq => inWords(room.shown(seq)));
    assert.deepEqual(state.messages.map(inWords), log, `seed ${seed}`);
    const listed = members => members.map(({ online, ...member }) => inWords(member));
    assert.deepEqual(listed(state.members), listed(room.listed()), `seed ${seed}`);
    assert.deepEqual([state.topic, state.unread], [room.topic, room.readOf(me).unread], `seed ${seed}`);
  }
});

function answerOf(room, me, asked, random) {
  try {
    switch (asked.type) {
      case 'changes': return room.changes(me, asked.after, 1 + random.below(8));
      case 'history': return room.page(me, { ...asked, limit: 1 + random.below(12) });
      case 'members': return room.list(asked.after, 2);
      default: return { type: 'read', room: ROOM, ...room.read(me, asked.through) };
    }
  } catch (refusal) {
    return refusal.message;
  }
}
