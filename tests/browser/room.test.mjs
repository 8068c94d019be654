// The fold behind the page, without a browser: rows and rooms from frames, and waits from attempts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from '../../examples/page/js/connection.js';
import {
  acked, disconnected, forgotten, isAbove, missedAfter, moderates, newRoom, receive, watched,
} from '../../examples/page/js/room.js';
import { rowsOf, sameRow } from '../../examples/page/js/timeline.js';
import { composerWords, endedWords, errorWords, plain, putOutWords } from '../../examples/page/js/words.js';
import {
  ANN, BOB, EPOCH, changes, edited, gap, history, joined, message, reacted, redacted, settings, swept,
} from './scripted.mjs';

const fold = (room, ...frames) => frames.reduce((now, frame) => receive(now, frame), room);
const fresh = () => newRoom('LAB', 'Bob');
const texts = room => room.entries.filter(entry => entry.kind === 'message').map(entry => entry.text);
const pending = (key, state, more = {}) => ({ key, text: key, at: new Date().toISOString(), state, ...more });

test('frames before joined change nothing', () => {
  const room = fresh();
  assert.equal(fold(room, message(3, 'early')), room);
});

test('an event told twice is shown once', () => {
  const room = fold(fresh(), joined({ seq: 1 }), message(2, 'two'), message(2, 'two'), message(3, 'three'));
  assert.deepEqual(texts(room), ['two', 'three']);
  assert.equal(room.seq, 3);
});

test('the echo of a pending message takes its place and its row', () => {
  let room = fold(fresh(), joined({ seq: 1 }));
  room = { ...room, pending: [pending('k1', 'sent')] };
  const before = rowsOf(room).at(-1);
  room = fold(room, message(2, 'k1', BOB, 'k1'));
  assert.deepEqual(room.pending, []);
  assert.equal(rowsOf(room).at(-1).id, before.id);
});

test('an ack before the echo waits for it, and the echo ends it', () => {
  let room = { ...fold(fresh(), joined({ seq: 1 })), pending: [pending('k1', 'sent')] };
  room = acked(room, 'k1', { seq: 5, at: new Date().toISOString() });
  assert.equal(room.pending[0].state, 'acked');
  room = fold(room, message(2, 'other'), message(3, 'other'), message(4, 'other'), message(5, 'k1', BOB, 'k1'));
  assert.deepEqual(room.pending, []);
  assert.equal(texts(room).filter(text => text === 'k1').length, 1);
});

test('what is acked and then lies in a gap is shown without its echo', () => {
  let room = fold(fresh(), joined({ seq: 1, history: [message(1, 'one')] }));
  room = { ...room, pending: [pending('k1', 'acked', { seq: 5, at: message(5, '').at })] };
  room = fold(room, gap(2, 9));
  assert.deepEqual(texts(room), ['one', 'k1']);
  assert.deepEqual(room.pending, []);
});

test('a fresh history after a reload settles what had arrived', () => {
  const room = { ...fresh(), pending: [pending('k1', 'waiting'), pending('k2', 'waiting')] };
  const now = fold(room, joined({ seq: 9, history: [message(8, 'k1', BOB, 'k1')] }));
  assert.deepEqual(now.pending.map(({ key }) => key), ['k2']);
});

test('a history in the same life leaves a gap where it does not reach', () => {
  const room = fold(fresh(), joined({ seq: 3, history: [message(2, 'two')] }));
  const now = fold(room, joined({ seq: 90, history: [message(80, 'eighty')], more: true }));
  assert.deepEqual(now.entries.map(({ kind, seq }) => [kind, seq]), [['message', 2], ['gap', 79], ['message', 80]]);
  assert.equal(now.seq, 90);
});

test('another life of the room begins with nothing', () => {
  const room = fold(fresh(), joined({ seq: 3, history: [message(2, 'two')] }));
  const now = fold(room, joined({ seq: 1, epoch: 'ANOTHERLIFE00' }));
  assert.deepEqual(now.entries, []);
  assert.deepEqual(now.selves, [BOB.member]);
});

test('a lost connection puts what was on its way back into the queue', () => {
  const busy = { pending: [pending('k1', 'sent'), pending('k2', 'acked')], typing: [1], loading: 'earlier' };
  const now = disconnected({ ...fold(fresh(), joined({ seq: 1 })), ...busy });
  assert.deepEqual(now.pending.map(({ state }) => state), ['waiting', 'acked']);
  assert.deepEqual([now.live, now.typing, now.loading], [false, [], null]);
});

test('a message is shown as it is so far while it grows, and as it stands once it does not', () => {
  const live = (target, text) => ({ type: 'live', room: 'LAB', target, text, ...(text === null ? {} : { member: 1 }) });
  const said = room => rowsOf(room).filter(row => row.kind === 'message').map(({ text, growing }) => [text, growing]);
  let room = fold(fresh(), joined({ seq: 1 }), message(2, 'start'), message(3, 'other'));
  const { seq } = room;
  room = fold(room, live(2, 'start of it'), live(3, 'x'), live(2, 'start of it all'));
  assert.deepEqual(said(room), [['start of it all', true], ['x', true]]);
  assert.equal(room.seq, seq, 'it moves no position');
  assert.deepEqual(said(fold(room, redacted(4, 3))), [['start of it all', true], ['', false]]);
  room = fold(room, live(3, null));
  assert.deepEqual(said(room), [['start of it all', true], ['other', false]]);
  assert.deepEqual(fold(room, live(9, null)).growing, { 2: 'start of it all' }, 'of one that is not shown');
  for (const gone of [disconnected(room), fold(room, joined({ seq: 3, history: [] }))]) {
    assert.deepEqual(gone.growing, {}, 'what is there on the next connection is told again');
  }
});

test('signals are all that members show of themselves now', () => {
  const signals = (...all) => ({ type: 'signals', room: 'LAB', signals: all });
  const [hand, look] = [{ member: 1, name: 'hand', data: true }, { member: 2, name: 'look', data: [1, 2] }];
  const room = fold(fresh(), joined({ seq: 1 }), signals(hand), signals(hand, look));
  assert.deepEqual([room.signals, room.seq], [[hand, look], 1]);
  assert.deepEqual(fold(room, signals(look)).signals, [look]);
  assert.deepEqual(disconnected(room).signals, []);
});

test('what was written for another life of the room is held back, and the room is asked about', () => {
  const epoch = '04HMASW9NF6YF';
  const written = [pending('k1', 'waiting', { epoch }), pending('k2', 'sent', { epoch }), pending('k3', 'acked', { epoch, seq: 3 })];
  const room = disconnected({ ...fold(fresh(), joined({ seq: 1 })), pending: written });
  const anew = joined({ seq: 1, epoch: 'ANOTHERLIFE00' });
  const now = fold(room, anew);
  assert.equal(now.renewed, true);
  assert.deepEqual(now.pending.map(({ key, state }) => [key, state]), [['k1', 'failed'], ['k2', 'failed']]);
  assert.ok(rowsOf(now).filter(row => row.kind === 'message').every(row => !row.mayRetry));
  assert.equal(fold({ ...now, fresh: true }, anew).renewed, true, 'it has not been answered');
  assert.equal(receive(room, anew, { kind: 'rejoin', create: true }).renewed, false, 'one has made it oneself');
  assert.equal(fold(room, joined({ seq: 3 })).renewed, false);
  assert.deepEqual(fold(room, joined({ seq: 2 })).pending.map(({ state }) => state), ['waiting', 'waiting', 'acked']);
});

test('unread counts what others said while nobody looked', () => {
  let room = fold(fresh(), joined({ seq: 1 }), message(2, 'a'), message(3, 'own', BOB), message(4, 'b'));
  assert.deepEqual([room.unread, room.newFrom], [2, 2]);
  room = watched(room, true);
  assert.equal(room.unread, 0);
  assert.ok(rowsOf(room).some(row => row.kind === 'new'));
  room = fold(room, message(5, 'c'));
  assert.equal(room.unread, 0);
});

test('messages of one sender stand together until another speaks or a notice comes', () => {
  const { at } = message(5, '');
  const left = { type: 'member_left', room: 'LAB', seq: 5, at, member: 3, nick: 'Cid', reason: 'left' };
  const told = [message(2, 'a'), message(3, 'b'), message(4, 'c', BOB), left, message(6, 'd', BOB)];
  const room = fold(fresh(), joined({ seq: 1 }), ...told);
  const shape = rowsOf(room).filter(row => row.kind === 'message').map(({ first, last }) => [first, last]);
  assert.deepEqual(shape, [[true, false], [false, true], [true, true], [true, true]]);
});

test('a leave on another device ends the room here, though in a big room no event tells it', () => {
  const left = { type: 'member_left', room: 'LAB', position: '04HMASW9NF6YF:2', member: 2, nick: 'Bob', reason: 'left' };
  const room = { ...fold(fresh(), joined({ seq: 1 }), message(2, 'a')), pending: [pending('k1', 'waiting')] };
  const over = fold(room, left);
  assert.deepEqual([over.live, over.seq, over.ended], [false, 2, { why: 'left', detail: 'You left' }]);
  assert.deepEqual([over.pending[0].state, texts(over)], ['failed', ['a']]);
  const again = fold(over, joined({ seq: 2, entered: 3 }));
  assert.deepEqual([again.live, again.ended], [true, null]);
});

test('one\'s own leaving before the present membership began ends nothing, and one after it does', () => {
  const left = seq => ({ type: 'member_left', room: 'LAB', seq, at: message(seq, '').at, member: 2, nick: 'Bob', reason: 'timeout' });
  const back = fold(fresh(), joined({ seq: 2, entered: 4 }), left(3), { ...BOB, type: 'member_joined', room: 'LAB', seq: 4, at: message(4, '').at });
  assert.deepEqual([back.live, back.seq, back.membersTotal], [true, 4, fold(fresh(), joined({ seq: 2 })).membersTotal]);
  const over = fold(back, left(5));
  assert.deepEqual([over.live, over.ended.why], [false, 'left']);
});

test('a name of one\'s own from before the present membership is not the name of now', () => {
  const at = seq => ({ room: 'LAB', seq, at: message(seq, '').at });
  const changed = (seq, { member }, change) => ({ type: 'member_changed', ...at(seq), member, ...change });
  const members = [{ ...BOB, data: { id: 1 } }, ANN];
  const told = [
    changed(3, BOB, { nick: 'X', data: null }),
    { type: 'member_left', ...at(4), member: BOB.member, nick: 'X', reason: 'timeout' },
    { type: 'member_joined', ...at(5), ...BOB, data: { id: 1 } },
  ];
  const back = fold(fresh(), joined({ seq: 2, entered: 5, members, you: members[0] }), ...told);
  assert.deepEqual([back.seq, back.nick, back.you.nick, back.you.data], [5, 'Bob', 'Bob', { id: 1 }]);
  assert.deepEqual(back.members.map(({ nick, data }) => [nick, data]), [['Bob', { id: 1 }], ['Ann', undefined]]);
  const now = fold(back, changed(6, BOB, { nick: 'Rob' }));
  assert.deepEqual([now.nick, now.you.nick], ['Rob', 'Rob']);
  const others = fold(back, changed(6, ANN, { nick: 'Y', data: {} }), { type: 'member_joined', ...at(7), ...ANN });
  assert.deepEqual(others.members.map(({ nick, data }) => [nick, data]).at(-1), ['Ann', undefined], 'who is listed comes as they are');
});

test('days are told apart, and a clock that is behind makes no second yesterday', () => {
  const on = (seq, at) => ({ ...message(seq, 'x'), at });
  let room = fold(fresh(), joined({ seq: 1 }), on(2, '2026-11-20T12:00:00.000Z'), on(3, '2026-11-22T12:00:00.000Z'));
  room = { ...room, pending: [pending('k1', 'waiting', { at: '2026-11-20T12:00:00.000Z' })] };
  const ids = rowsOf(room).map(row => row.id);
  assert.equal(ids.filter(id => id.startsWith('d')).length, 2);
  assert.equal(new Set(ids).size, ids.length);
});

test('a row that did not change is the same row', () => {
  const room = fold(fresh(), joined({ seq: 1 }), message(2, 'a'));
  const [before, after] = [rowsOf(room), rowsOf(fold(room, message(3, 'b', BOB)))];
  assert.ok(sameRow(before[1], after[1]));
  assert.ok(sameRow(before[2], after[2]));
});

test('a long log keeps its newest, and says that there is more', () => {
  let room = fold(fresh(), joined({ seq: 1 }));
  for (let seq = 2; seq <= 2_400; seq += 1) room = receive(room, message(seq, `${seq}`));
  assert.ok(room.entries.length <= 2_000);
  assert.equal(room.more, true);
  assert.equal(texts(room).at(-1), '2400');
});

test('waits double up to their bound, and are spread', () => {
  for (const [attempt, most] of [[0, 400], [1, 800], [4, 6_400], [30, 20_000]]) {
    assert.equal(backoffMs(attempt, () => 0), most / 2);
    assert.equal(backoffMs(attempt, () => 1), most);
  }
});

test('every error code of the protocol has words of its own', async () => {
  const { readFile } = await import('node:fs/promises');
  const page = await readFile(new URL('../../docs/protocol.md', import.meta.url), 'utf8');
  const table = page.slice(page.indexOf('## Error codes'), page.indexOf('## Close codes'));
  const codes = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(match => match[1]);
  assert.ok(codes.length >= 23);
  const none = errorWords({ code: 'no_such_code' });
  for (const code of codes) assert.notEqual(errorWords({ code }), none, code);
});

const bare = seq => ({ ...message(seq, ''), redacted: true });
const inLab = (...frames) => fold(fresh(), joined({ seq: 10, history: [message(8, 'eight'), message(9, 'nine')] }), ...frames);

/** A page of messages with these numbers, and whether there are others on either side. */
const page = (seqs, before, after, asOf = 90) => ({
  ...history(1, seqs.map(seq => message(seq, `${seq}`)), { more: before, more_before: before, more_after: after, as_of: asOf }),
});
const shape = room => room.entries.map(({ kind, seq, from }) => kind === 'gap' ? `${from}-${seq}` : seq);

test('a page after a message fills a gap from its beginning', () => {
  let room = inLab(gap(11, 90), message(91, '91'));
  room = receive(room, page([12, 20], true, true), { after: 10, seq: 91 });
  assert.deepEqual(shape(room), [8, 9, 12, 20, '21-90', 91]);
  room = receive(room, page([], true, true), { after: 20, seq: 91 });
  assert.deepEqual(shape(room), [8, 9, 12, 20, '21-90', 91], 'the log could not be read');
  room = receive(room, page([88, 91], true, false), { after: 20, seq: 91 });
  assert.deepEqual(shape(room), [8, 9, 12, 20, 88, 91], 'what has no message needs no page');
});

test('a gap that came after a page was asked for stays', () => {
  const room = receive(inLab(gap(11, 40), gap(41, 60)), page([12], true, false), { after: 10, seq: 40 });
  assert.deepEqual(shape(room), [8, 9, 12, '41-60']);
});

test('a page around a message in a gap leaves one on either side', () => {
  const room = receive(inLab(gap(11, 90)), page([50, 52, 53], true, true), { around: 52, seq: 90 });
  assert.deepEqual(shape(room), [8, 9, '11-49', 50, 52, 53, '54-90']);
  const same = receive(room, page([50, 52, 53], true, true), { around: 52, seq: 90 });
  assert.deepEqual(shape(same), shape(room), 'each message is shown once');
});

test('a page around a message of long ago is shown before the rest, with a gap between', () => {
  const begun = joined({ seq: 10, history: [message(8, 'eight'), message(9, 'nine')], more: true });
  let room = receive(fold(fresh(), begun), page([2, 3], true, true), { around: 3, seq: 10 });
  assert.deepEqual([shape(room), room.more], [[2, 3, '4-7', 8, 9], true]);
  room = receive(room, page([4, 6, 8], true, true), { after: 3, seq: 10 });
  assert.deepEqual([shape(room), room.more], [[2, 3, 4, 6, 8, 9], true]);
  room = receive(room, page([1, 2], false, true), { around: 1, seq: 10 });
  assert.deepEqual([shape(room), room.more], [[1, 2, 3, 4, 6, 8, 9], false]);
});

test('a page from somewhere shows what was taken back meanwhile as that', () => {
  const loading = { ...inLab(gap(11, 90)), loading: 11 };
  const room = receive(fold(loading, redacted(91, 12)), page([12, 13], true, true), { after: 10, seq: 90 });
  assert.deepEqual(texts(room), ['eight', 'nine', '', '13']);
});

test('what was taken back in a gap is asked for, and goes from the screen', () => {
  let room = inLab(message(11, 'eleven'));
  assert.equal(missedAfter(room), null);
  room = fold(room, gap(12, 90, '', 70), message(91, 'ninety-one'));
  assert.equal(missedAfter(room), 11, 'the last event that was told before the gap');
  room = fold(room, changes(1, [bare(9)], { through: 40, more: true, as_of: 91 }));
  assert.deepEqual([texts(room), missedAfter(room)], [['eight', '', 'eleven', 'ninety-one'], 40]);
  room = fold(room, changes(2, [bare(11), { seq: 8, gone: true }, bare(50)], { through: 91, as_of: 91 }));
  assert.deepEqual([texts(room), missedAfter(room)], [['', '', 'ninety-one'], null]);
  room = fold(room, redacted(92, 91), gap(93, 95, '', 92));
  assert.deepEqual([texts(room), missedAfter(room)], [['', '', ''], null], 'what was told in its place is not asked for');
});

test('what is set is kept, told in a notice, and said where one writes', () => {
  let room = inLab(settings(11, { slow_ms: 5_000, locked: true }));
  assert.deepEqual(room.settings, { slow_ms: 5_000, locked: true });
  assert.equal(plain(room.entries.at(-1).words), 'Ann locked the room: nobody new gets in');
  assert.match(composerWords(room).words, /one every 5 seconds/);
  room = fold(room, { ...settings(12, { slow_ms: 5_000, read_only: true }), by: undefined });
  assert.equal(plain(room.entries.at(-1).words), 'The server opened the room again');
  assert.equal(composerWords(room).isMuted, true);
  assert.equal(composerWords({ ...room, you: ANN }), null, 'who moderates is held by none of it');
  room = fold(room, { ...gap(13, 90), settings: { secret: true, slow_ms: 7_200_000 } });
  assert.deepEqual([room.settings.secret, composerWords(room).isMuted], [true, false]);
  assert.match(composerWords(room).words, /one every 2 hours/);
  room = fold(room, gap(91, 99));
  assert.deepEqual([room.settings, composerWords(room)], [{}, null], 'what is not said is not set');
  assert.deepEqual(fold(fresh(), joined({ settings: { read_only: true } })).settings, { read_only: true });
});

test('a gap in which nothing was changed, and one that tells again what is known, ask for nothing', () => {
  for (const changedAt of [0, 7, 11]) assert.equal(missedAfter(inLab(message(11, 'eleven'), gap(12, 90, '', changedAt))), null);
  assert.equal(missedAfter(inLab(message(11, 'eleven'), gap(12, 90, '', 12))), 11);
});

test('a second gap before the answer is asked for, too', () => {
  let room = inLab(gap(11, 50, '', 30), gap(51, 90, '', 80));
  assert.equal(missedAfter(room), 10);
  room = fold(room, changes(1, [bare(9)], { through: 50, as_of: 50 }));
  assert.equal(missedAfter(room), 50);
  room = fold(room, changes(1, [], { through: 90, as_of: 90 }), redacted(91, 8));
  assert.deepEqual([texts(room), missedAfter(room)], [['', ''], null]);
});

test('an answer neither undoes nor repeats what was told in its place', () => {
  const room = inLab(redacted(11, 9), gap(12, 20, '', 15));
  assert.deepEqual(texts(fold(room, changes(1, [message(9, 'nine')], { through: 9, as_of: 9 }))), ['eight', '']);
  const page = receive(inLab(), history(1, [bare(5)], { as_of: 12 }), {});
  assert.deepEqual(texts(fold(page, redacted(11, 5))), ['', 'eight', 'nine']);
});

test('a page that was overtaken by changes of what it brings asks for them', () => {
  const room = receive(inLab(redacted(11, 5), message(12, 'twelve')), history(1, [message(5, 'five')], { as_of: 10 }), {});
  assert.equal(missedAfter(room), 10);
  assert.deepEqual(texts(fold(room, changes(1, [bare(5)], { through: 12, as_of: 12 }))), ['', 'eight', 'nine', 'twelve']);
});

test('where more was changed than is remembered, everything is loaded anew', () => {
  const room = forgotten(inLab(gap(11, 90, '', 70)));
  assert.deepEqual([texts(room), room.more, missedAfter(room), room.seq], [[], true, null, 90]);
});

test('a room that is shown afresh in the same life says what was changed meanwhile', () => {
  const again = changed_at => joined({ seq: 40, history: [message(40, 'forty')], more: true, as_of: 40, changed_at });
  assert.equal(missedAfter(inLab(again(10))), null);
  assert.equal(missedAfter(inLab(again(20))), 10);
  const other = inLab({ ...again(20), epoch: '04HMASW9NF6YG' });
  assert.deepEqual([texts(other), missedAfter(other)], [['forty'], null]);
});

test('what one may not see any more is not shown, as nobody says what becomes of it', () => {
  const again = inLab(joined({ seq: 40, sees: 8, history: [message(40, 'forty')], as_of: 40, changed_at: 20 }));
  assert.deepEqual([texts(again), missedAfter(again)], [['nine', 'forty'], 10]);
});

test('who comes back after a gap in which they were let go asks what was changed in it', () => {
  const gone = fold(inLab(), { type: 'gap', room: 'LAB', epoch: gap(11, 20).epoch, from: 11, to: 20, ended: true });
  assert.equal(missedAfter(fold(gone, joined({ seq: 20, as_of: 20, changed_at: 15 }))), 10);
});

test('an answer of another life of the room changes nothing', () => {
  const room = inLab(gap(11, 20, '', 15));
  const other = { epoch: '04HMASW9NF6YG' };
  assert.deepEqual(texts(fold(room, changes(1, [bare(9)], other))), ['eight', 'nine']);
  assert.deepEqual(texts(receive(room, history(1, [message(3, 'three')], other), {})), ['eight', 'nine']);
});

test('a role that changes is that of the member and of oneself, and says who may act on whom', () => {
  const role = (seq, member, name) => ({ type: 'role_changed', room: 'LAB', seq, at: message(seq, '').at, member, role: name, by: 1 });
  const CID = { member: 3, nick: 'Cid', color: 5, role: 'member', online: true };
  const may = room => [1, 2, 3].map(member => isAbove(room, member));
  const redactable = room => rowsOf(room).filter(row => row.kind === 'message').map(row => row.mayRedact);
  let room = fold(fresh(), joined({ seq: 1, members: [BOB, ANN, CID] }), message(2, 'hers'), message(3, 'his', CID));
  assert.deepEqual([moderates(room), may(room), redactable(room)], [false, [false, false, false], [false, false]]);
  room = fold(room, role(4, 2, 'moderator'));
  assert.deepEqual([moderates(room), may(room), redactable(room)], [true, [false, false, true], [false, true]]);
  assert.equal(room.entries.at(-1).words, 'You are a moderator now');
  room = fold(room, role(5, 3, 'moderator'));
  assert.deepEqual(may(room), [false, false, false], 'nobody acts on an equal');
  room = fold(room, role(6, 1, 'moderator'), role(7, 2, 'owner'));
  assert.deepEqual([may(room), room.you.role], [[true, false, true], 'owner']);
  assert.deepEqual(room.members.map(({ role }) => role), ['owner', 'moderator', 'moderator']);
  room = fold(room, role(8, 9, 'member'), role(9, 3, 'something later'));
  assert.deepEqual([room.seq, may(room)], [9, [true, false, true]], 'of somebody who has left, and one that is not known');
});

test('a change of name or data is that of the member and of oneself, and what was said keeps its name', () => {
  const changed = (seq, member, change) => ({ type: 'member_changed', room: 'LAB', seq, at: message(seq, '').at, member, ...change });
  const shown = room => room.members.map(({ nick, data }) => [nick, data]);
  let room = fold(fresh(), joined({ seq: 1, members: [BOB, { ...ANN, data: { id: 1 } }] }), message(2, 'hers', ANN));
  room = fold(room, changed(3, ANN.member, { nick: 'Anna' }), message(4, 'hers again', { ...ANN, nick: 'Anna' }));
  assert.deepEqual(shown(room), [['Bob', undefined], ['Anna', { id: 1 }]]);
  assert.deepEqual(room.entries.filter(entry => entry.kind === 'message').map(entry => entry.nick), ['Ann', 'Anna']);
  assert.equal(plain(room.entries.find(entry => entry.kind === 'notice').words), 'Ann is called Anna now');
  room = fold(room, changed(5, ANN.member, { data: null }), changed(6, BOB.member, { nick: 'Rob', data: { id: 2 } }));
  assert.deepEqual(shown(room), [['Rob', { id: 2 }], ['Anna', undefined]]);
  assert.deepEqual([room.you.nick, room.you.data, room.nick], ['Rob', { id: 2 }, 'Rob'], 'and comes back under that name');
  assert.equal('data' in room.members[1], false);
  assert.equal(plain(room.entries.at(-1).words), 'You are called Rob now');
  const { entries } = room;
  room = fold(room, changed(7, 9, { nick: 'Zoe' }), changed(8, ANN.member, { nick: 'Anna' }));
  assert.deepEqual([room.seq, room.entries, room.members.length], [8, entries, 2], 'of somebody who is not listed, and of nothing');
  const members = room.members;
  const late = receive(fold(room, changed(9, ANN.member, { nick: 'Ann' })), { type: 'members', room: 'LAB', members: [ANN], members_total: 2 }, { asOf: members });
  assert.deepEqual(shown(late).at(-1)[0], 'Ann', 'a list that was asked for before is not taken');
  const told = fold(fresh(), joined({ seq: 1 }), { ...ANN, type: 'member_joined', room: 'LAB', seq: 2, at: message(2, '').at, member: 5, data: { id: 5 } });
  assert.deepEqual(told.members.at(-1).data, { id: 5 });
});

test('all of a member in a range is taken back by one event, and by one range of what was missed', () => {
  const said = [message(6, 'six', BOB), message(8, 'eight'), message(9, 'nine', BOB)];
  const begun = fold(fresh(), joined({ seq: 10, history: said }), message(11, 'eleven', BOB));
  assert.deepEqual(texts(fold(begun, swept(12, ANN.member, 1, 11))), ['six', '', 'nine', 'eleven']);
  assert.deepEqual(texts(fold(begun, swept(12, BOB.member, 7, 10))), ['six', 'eight', '', 'eleven']);
  const range = { member: BOB.member, from: 1, to: 11, change: 15 };
  const missed = fold(begun, gap(12, 20, '', 15), changes(1, [], { swept: [range], through: 20, as_of: 20 }));
  assert.deepEqual([texts(missed), missedAfter(missed)], [['', 'eight', '', ''], null]);
  const loading = fold({ ...begun, loading: 'earlier' }, swept(12, BOB.member, 1, 11));
  const paged = receive(loading, history(1, [message(4, 'four', BOB), message(5, 'five')], { as_of: 11 }), {});
  assert.deepEqual(texts(paged), ['', 'five', '', 'eight', '', '']);
});

test('a message says what it was edited to, and an edit that was superseded changes nothing', () => {
  const data = { kind: 'wave' };
  let room = inLab(edited(11, 9, 'changed', 1), edited(12, 8), edited(13, undefined));
  assert.deepEqual([texts(room), room.seq, missedAfter(room)], [['eight', 'changed'], 13, null]);
  room = fold(room, edited(14, 9, '', 2, { data }), edited(15, 3, 'not shown', 1));
  assert.deepEqual(room.entries.at(-1).data, data);
  const row = rowsOf(room).at(-1);
  assert.deepEqual([row.edited, row.text], [true, 'A message that this page cannot show']);
  room = fold(room, redacted(16, 9), { ...edited(17, 9, 'late', 3) });
  assert.deepEqual([texts(room), room.entries.at(-1).data], [['eight', ''], undefined]);
  assert.equal(rowsOf(room).at(-1).edited, false);
});

test('a page that is older than an edit shows the message as it was edited, and one that is newer as it says', () => {
  const loading = { ...inLab(), loading: 'earlier' };
  const page = as_of => history(1, [message(5, 'five'), { ...message(6, 'six'), edited: 3 }], { as_of });
  const older = receive(fold(loading, edited(11, 5, 'changed', 1)), page(10), {});
  assert.deepEqual(texts(older), ['changed', 'six', 'eight', 'nine']);
  const newer = receive(fold(loading, edited(11, 5, 'changed', 1)), page(12), {});
  assert.deepEqual(texts(newer), ['five', 'six', 'eight', 'nine']);
  const gone = receive(fold(loading, edited(11, 5, 'changed', 1), redacted(12, 5)), page(10), {});
  assert.deepEqual(texts(gone), ['', 'six', 'eight', 'nine']);
  const hidden = receive(fold(loading, { ...redacted(11, 5), target: undefined }), page(11), {});
  assert.deepEqual(texts(hidden), ['five', 'six', 'eight', 'nine'], 'it was of a message that is not theirs to see');
});

test('what is taken back while a page loads stays so, whatever is told meanwhile of what one may not see', () => {
  const loading = { ...inLab(), loading: 'earlier' };
  const page = history(1, [message(5, 'five'), message(6, 'six', BOB), message(7, 'seven')], { as_of: 10 });
  for (const hidden of [redacted(13), swept(13), reacted(13)]) {
    const room = receive(fold(loading, redacted(11, 5), swept(12, BOB.member, 1, 11), hidden), page, {});
    assert.deepEqual(texts(room).slice(0, 3), ['', '', 'seven'], hidden.type);
    assert.equal(room.seq, 13);
  }
});

test('a page from somewhere shows what was edited meanwhile as that, and an edit ends what was shown of it', () => {
  const loading = { ...inLab(gap(11, 90)), loading: 11 };
  const room = receive(fold(loading, edited(91, 12, 'changed', 1)), page([12, 13], true, true), { after: 10, seq: 90 });
  assert.deepEqual(texts(room), ['eight', 'nine', 'changed', '13']);
  const live = text => ({ type: 'live', room: 'LAB', target: 9, text });
  const last = room => rowsOf(room).filter(row => row.seq === 9).map(({ text, growing, edited }) => [text, growing, edited])[0];
  const grown = fold(inLab(), live('nine a'));
  assert.deepEqual(last(grown), ['nine a', true, false]);
  assert.deepEqual(last(fold(grown, edited(11, 9, 'nine ab', 1), live(null))), ['nine ab', false, true]);
});

test('what was edited in a gap is asked for, and a message answers another', () => {
  let room = inLab(gap(11, 20, '', 15), changes(1, [{ ...message(9, 'now'), edited: 2 }], { through: 20, as_of: 20 }));
  assert.deepEqual([texts(room), missedAfter(room)], [['eight', 'now'], null]);
  room = fold(room, { ...message(21, 'yes'), reply_to: 9 }, { ...message(22, 'no'), reply_to: 2 }, redacted(23, 9));
  const replies = rowsOf(room).filter(row => row.kind === 'message').map(row => row.reply);
  assert.deepEqual(replies, [null, null, 'Ann: removed', 'An earlier message']);
});

test('who was banned reads that they were, and until when', () => {
  const until = '2026-11-27T14:30:00.000Z';
  const left = { type: 'member_left', room: 'LAB', seq: 11, at: until, member: BOB.member, nick: 'Bob', reason: 'banned', by: ANN.member };
  const told = frame => endedWords(fold(fresh(), joined({ seq: 10 }), frame).ended);
  const forever = told(left);
  assert.equal(forever.offer, 'retry');
  assert.match(plain(forever.text), /Ann banned you$/);
  assert.match(plain(told({ ...left, until }).text), /Ann banned you until .*2026/);
  assert.match(putOutWords('banned', until), /banned from this room until .*2026.* while you were away/);
  assert.match(errorWords({ code: 'banned', until }), /until .*2026/);
  assert.doesNotMatch(errorWords({ code: 'banned' }), /until/);
});

test('a closed room says why, and a fault is not the host', () => {
  const told = reason => endedWords(fold(fresh(), joined({ seq: 10 }), { type: 'room_closed', room: 'LAB', epoch: EPOCH, reason }).ended);
  assert.match(told('host').text, /host/);
  assert.match(told('empty').text, /Everybody/);
  assert.match(told('fault').text, /went wrong/);
});

const reactions = (room, seq) => room.entries.find(entry => entry.seq === seq).reactions;

test('reactions are counted as they are told, and stand beside their message', () => {
  const told = [{ name: '+1', count: 9, by: [1, 2, 3, 4, 5, 6, 7, 8] }];
  const begun = fold(fresh(), joined({ seq: 3, history: [message(2, 'a'), { ...message(3, 'b'), reactions: told }], as_of: 3 }));
  assert.deepEqual([reactions(begun, 2), reactions(begun, 3)], [[], told]);
  const room = fold(begun, reacted(4, 2, '+1', 1, true, 1), reacted(5, 2, 'x', 2, true, 1), reacted(6, 2, '+1', 2, true, 2));
  assert.deepEqual(reactions(room, 2), [{ name: '+1', count: 2, by: [1, 2] }, { name: 'x', count: 1, by: [2] }]);
  const less = fold(room, reacted(7, 2, '+1', 1, false, 1), reacted(8, 2, 'x', 2, false, 0));
  assert.deepEqual(reactions(less, 2), [{ name: '+1', count: 1, by: [2] }]);
  // Of many some are named; who is not named is counted all the same.
  const many = fold(begun, reacted(4, 3, '+1', 20, true, 10), reacted(5, 3, '+1', 8, false, 9), reacted(6, 3, '+1', 20, false, 8));
  assert.deepEqual(reactions(many, 3), [{ name: '+1', count: 8, by: [1, 2, 3, 4, 5, 6, 7] }]);
  assert.equal(many.seq, 6);
});

test('a reaction that is told before what was missed hides nothing of that', () => {
  const begun = fold(fresh(), joined({ seq: 3, history: [message(2, 'a'), message(3, 'b', BOB)], as_of: 3 }));
  const missed = fold(begun, gap(4, 20, '', 15), reacted(21, 2, '+1', 1, true, 1), reacted(22, 3, '+1', 1, true, 1));
  assert.equal(missedAfter(missed), 3);
  const [more, later] = [{ name: '🎉', count: 1, by: [2] }, { name: '+1', count: 1, by: [1] }];
  const answer = changes(1, [{ ...message(2, 'now'), edited: 1, reactions: [more, later] }], { through: 21, as_of: 21 });
  const now = fold(missed, answer);
  assert.deepEqual([texts(now), reactions(now, 2).length, missedAfter(now)], [['now', 'b'], 2, 21]);
  const swept = changes(2, [], { swept: [{ member: BOB.member, from: 1, to: 9, change: 10 }], through: 22, as_of: 22 });
  assert.deepEqual([texts(fold(now, swept)), missedAfter(fold(now, swept))], [['now', ''], null]);
});

test('reactions to what one may not see, or that an answer reflects already, change nothing but the position', () => {
  const begun = fold(fresh(), joined({ seq: 3, history: [message(2, 'a')], as_of: 5 }));
  const { target, name, by, on, count, ...bare } = reacted(4, 1, '+1', 1, true, 1);
  const room = fold(begun, bare, reacted(5, 2, '+1', 1, true, 1));
  assert.deepEqual([reactions(room, 2), room.seq, missedAfter(room)], [[], 5, null]);
});

test('reactions that were missed are asked for, and go with what is taken back', () => {
  const begun = fold(fresh(), joined({ seq: 3, history: [message(2, 'a'), message(3, 'b', BOB)], as_of: 3 }));
  const missed = fold(begun, gap(4, 20, '', 15));
  assert.equal(missedAfter(missed), 3);
  const now = fold(missed, changes(1, [{ ...message(2, 'a'), reactions: [{ name: '+1', count: 2, by: [1, 2] }] }], { through: 20, as_of: 20 }));
  assert.deepEqual([reactions(now, 2).length, missedAfter(now)], [1, null]);
  assert.deepEqual(reactions(fold(now, redacted(21, 2)), 2), []);
  assert.deepEqual(reactions(fold(now, swept(21, ANN.member, 1, 20)), 2), []);
});

test('what the server itself says is nobody\'s, has no colour, and stands in a group of its own', () => {
  const host = (seq, nick, text) => {
    const { member, color, ...frame } = message(seq, text);
    return { ...frame, host: true, nick };
  };
  const room = fold(fresh(), joined({ seq: 1 }), message(2, 'hi', ANN), host(3, 'Bot', '<b>one</b>'), host(4, 'Bot', 'two'), host(5, 'Desk', 'three'));
  const rows = rowsOf(room).filter(row => row.kind === 'message');
  assert.deepEqual(rows.map(row => [row.host, row.nick, row.first, row.mine]), [
    [false, 'Ann', true, false], [true, 'Bot', true, false], [true, 'Bot', false, false], [true, 'Desk', true, false],
  ]);
  assert.deepEqual(rows.map(row => row.color), [ANN.color, undefined, undefined, undefined]);
});
