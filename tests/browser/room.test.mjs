// The fold behind the page, without a browser: rows and rooms from frames, and waits from attempts.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from '../../examples/page/js/connection.js';
import { acked, disconnected, newRoom, receive, watched } from '../../examples/page/js/room.js';
import { rowsOf, sameRow } from '../../examples/page/js/timeline.js';
import { errorWords } from '../../examples/page/js/words.js';
import { BOB, gap, joined, message } from './scripted.mjs';

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
