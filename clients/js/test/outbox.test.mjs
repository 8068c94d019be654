// What is sent: once, in order, under one key, and never into another life of the room.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isChatError } from '../dist/index.js';
import { ANN, AT, BOB, EPOCH, JOINED, ROOM, inRoom, memory, message, script, turn } from './support/script.mjs';

const refusedWith = code => error => isChatError(error, code);
const sends = line => line.sent.filter(({ type }) => type === 'send').map(({ text, key }) => [text, key]);
const back = (it, ...then) => {
  it.line.lose();
  it.clock.run(20_000);
  it.line.live(it.room.state.seq);
  it.line.tell(...then);
};

test('a message resolves with where it stands in the log', async () => {
  const it = await inRoom();
  const sent = it.room.send('hello', { key: 'k', data: { kind: 'wave' }, replyTo: 1 });
  assert.deepEqual(it.line.asked('send'), { type: 'send', id: 2, room: ROOM, text: 'hello', data: { kind: 'wave' }, reply_to: 1, key: 'k' });
  it.line.ack('send', 3);
  assert.deepEqual(await sent, { seq: 3, at: AT });
  assert.deepEqual(it.room.pending, []);
});

test('what was written without a connection waits, and goes in order, one at a time', async () => {
  const it = await inRoom();
  it.line.lose();
  const all = ['a', 'b', 'c'].map(text => it.room.send(text, { key: text }));
  assert.deepEqual(it.room.pending.map(({ key }) => key), ['a', 'b', 'c']);
  it.clock.run(250);
  it.line.live(2);
  assert.deepEqual(sends(it.line), [['a', 'a']]);
  it.line.ack('send', 3);
  assert.deepEqual(sends(it.line), [['a', 'a'], ['b', 'b']]);
  it.line.ack('send', 4);
  it.line.ack('send', 5);
  assert.deepEqual((await Promise.all(all)).map(({ seq }) => seq), [3, 4, 5]);
});

test('an answer that is lost is asked for again under the same key', async () => {
  const it = await inRoom();
  const sent = it.room.send('hello');
  const [[, key]] = sends(it.line);
  assert.match(key, /^[0-9a-f]{32}$/);
  back(it);
  assert.deepEqual(sends(it.line), [['hello', key]]);
  it.line.ack('send', 3);
  assert.equal((await sent).seq, 3);
});

test('one\'s own message tells that it was said, though the answer was lost', async () => {
  const it = await inRoom();
  const sent = it.room.send('hello', { key: 'k' });
  it.line.lose();
  it.clock.run(20_000);
  // Somebody else's of the same key is not it.
  it.line.welcome([{ room: ROOM, epoch: EPOCH, seq: 2, status: 'waiting' }]);
  it.line.tell({ type: 'resumed', room: ROOM, epoch: EPOCH, seq: 2, status: 'live' }, message(3, 'hello', { key: 'k' }));
  assert.equal(it.room.pending.length, 1);
  it.line.tell(message(4, 'hello', { key: 'k', member: 2 }));
  assert.deepEqual(await sent, { seq: 4, at: AT });
});

test('nothing goes by itself into another life of the room', async () => {
  const it = await inRoom();
  const refused = [];
  it.room.on('refused', ({ key, error }) => refused.push([key, error.code]));
  it.line.lose();
  const sent = [it.room.send('for you', { key: 'a' }), it.room.edit(1, 'for you', { key: 'b' })];
  it.clock.run(250);
  it.line.welcome([{ room: ROOM, status: 'unknown' }]);
  it.line.answer('join', { ...JOINED, epoch: '14HMASW9NF6YF', seq: 1, you: BOB, members: [BOB], members_total: 1 });
  for (const one of sent) await assert.rejects(one, refusedWith('epoch_changed'));
  assert.deepEqual([sends(it.line), refused], [[], [['a', 'epoch_changed'], ['b', 'epoch_changed']]]);
  it.room.send('for whoever is here', { key: 'c' });
  assert.deepEqual(sends(it.line), [['for whoever is here', 'c']]);
});

test('what was tried as one member is not said again as another', async () => {
  const it = await inRoom();
  const [tried, waited] = [it.room.send('tried', { key: 'a' }), it.room.send('waited', { key: 'b' })];
  it.line.lose();
  it.clock.run(250);
  it.line.welcome([{ room: ROOM, status: 'unknown' }], { resumed: false });
  it.line.answer('join', { ...JOINED, seq: 7, entered: 7, you: { ...BOB, member: 3 }, members: [{ ...BOB, member: 3 }, ANN] });
  await assert.rejects(tried, refusedWith('outcome_unknown'));
  assert.deepEqual(sends(it.line), [['waited', 'b']]);
  it.line.ack('send', 8);
  await waited;
});

test('what passes is waited for, and holds back what comes after it', async () => {
  const it = await inRoom();
  const sent = it.room.send('a', { key: 'a' });
  it.room.send('b', { key: 'b' });
  it.line.refuse('send', 'rate_limited', { retry_after_ms: 400 });
  it.clock.run(399);
  assert.equal(sends(it.line).length, 1);
  it.clock.run(1);
  it.line.refuse('send', 'unavailable');
  it.clock.run(1_000);
  assert.deepEqual(sends(it.line), [['a', 'a'], ['a', 'a'], ['a', 'a']]);
  it.line.ack('send', 3);
  assert.equal((await sent).seq, 3);
  assert.deepEqual(sends(it.line).at(-1), ['b', 'b']);
});

test('what is refused fails with its code, and the next goes on', async () => {
  const it = await inRoom();
  const sent = it.room.send('too long', { key: 'a' });
  const next = it.room.react(1, '👍', true, { key: 'b' });
  it.line.refuse('send', 'too_long', { field: 'text', limit: 4_000 });
  await assert.rejects(sent, error => isChatError(error, 'too_long') && error.field === 'text' && error.limit === 4_000);
  assert.deepEqual(it.line.asked('react'), { type: 'react', id: 3, target: 1, name: '👍', on: true, room: ROOM, key: 'b' });
  it.line.answer('react', { type: 'ack', seq: 2 });
  assert.deepEqual(await next, { seq: 2 }, 'a reaction that was there already');
});

test('with the membership ends what waits', async () => {
  const it = await inRoom();
  const [tried, waited] = [it.room.send('tried'), it.room.send('waited')];
  it.line.tell({ type: 'member_left', room: ROOM, seq: 3, at: AT, member: 2, nick: 'Bob', reason: 'kicked', by: 1 });
  await assert.rejects(tried, refusedWith('outcome_unknown'));
  await assert.rejects(waited, refusedWith('left'));
  await assert.rejects(it.room.send('late'), refusedWith('left'));
});

test('whoever leaves drops what was not tried, and hears of what was', async () => {
  const it = await inRoom();
  const [tried, waited] = [it.room.send('bye'), it.room.send('never mind')];
  const left = it.room.leave();
  await assert.rejects(waited, refusedWith('left'));
  it.line.ack('send', 3);
  assert.equal((await tried).seq, 3);
  it.line.ack('leave', 4);
  await left;
  assert.deepEqual(it.line.types(), ['join', 'send', 'leave']);
});

test('so much waits, and no more', async () => {
  const it = await inRoom();
  it.line.lose();
  const all = Array.from({ length: 257 }, () => it.room.send('x'));
  await assert.rejects(all.at(-1), error => isChatError(error, 'outbox_full') && error.limit === 256);
});

test('what waits outlives a reload, under its key, and in the life it was written for', async () => {
  const storage = memory();
  const first = await inRoom({ storage });
  first.room.send('tried', { key: 'a' }).catch(() => {});
  first.room.send('waited', { key: 'b' }).catch(() => {});
  first.client.close();
  const same = script({ storage });
  same.line.live(2);
  same.line.tell(JOINED);
  assert.deepEqual(sends(same.line), [['tried', 'a']]);
  same.line.ack('send', 3);
  assert.deepEqual(sends(same.line).at(-1), ['waited', 'b']);
  same.client.close();
  const other = script({ storage });
  const refused = [];
  other.client.rooms[0].on('refused', ({ frame, error }) => refused.push([frame.text, error.code]));
  other.line.welcome([{ room: ROOM, status: 'unknown' }]);
  other.line.answer('join', { ...JOINED, epoch: '14HMASW9NF6YF' });
  assert.deepEqual([sends(other.line), refused], [[], [['waited', 'epoch_changed']]]);
  await turn();
});

test('what is written before the room was entered goes into the life that is found', async () => {
  const it = script();
  it.line.welcome();
  const joining = it.client.join(ROOM, { nick: 'Bob' });
  it.client.rooms[0].send('early', { key: 'k' });
  assert.deepEqual(sends(it.line), []);
  it.line.answer('join', JOINED);
  await joining;
  assert.deepEqual(sends(it.line), [['early', 'k']]);
});
