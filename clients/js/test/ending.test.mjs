// How a session ends and a room is left, and what is there afterwards: nothing is said to be over that is not.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isChatError } from '../dist/index.js';
import { AT, EPOCH, JOINED, ROOM, inRoom, memory, script, turn } from './support/script.mjs';

const refusedWith = code => error => isChatError(error, code);
const closing = (code, reason) => ({ type: 'closing', code, reason });
const stored = ({ kept }) => [...kept.values()].join();

test('a session is over once the server says so, whatever becomes of the connection', async () => {
  const storage = memory();
  const it = await inRoom({ storage });
  assert.match(stored(storage), /S\.1\.x/);
  const over = it.client.end();
  it.line.answer('end', { type: 'ended' });
  await over;
  assert.deepEqual([it.client.status.code, it.room.state.status, stored(storage), it.line.isClosed], [4503, 'ended', '', true]);
  it.line.lose();
  it.clock.run(1_000_000);
  assert.equal(it.lines.length, 1, 'nobody comes back');
  await it.client.end();
  it.client.connect();
  assert.equal(it.line.hello.resume, undefined);
});

test('a session that is gone is ended, where that is what was asked', async () => {
  const told = await inRoom();
  const over = told.client.end({ all: true });
  told.line.tell(closing(4503, 'ended'));
  await over;
  const unknown = await inRoom();
  const unheard = unknown.client.end();
  unknown.line.refuse('end', 'bad_token');
  await unheard;
  assert.equal(unknown.client.status.code, 4503);
  const other = await inRoom();
  other.line.tell(closing(4503, 'ended'));
  await other.client.end();
  await assert.rejects(other.client.end({ all: true }), refusedWith('closed'), 'of the other sessions nobody has said anything');
});

test('where nobody has ended the session, it is there still, and so is its token', async () => {
  const ends = {
    closed: it => it.client.close(),
    refused: it => it.line.tell(closing(4502, 'refused')),
    replaced: it => it.line.tell(closing(4501, 'replaced')),
  };
  for (const [name, end] of Object.entries(ends)) {
    const storage = memory();
    const it = await inRoom({ storage });
    const asked = it.client.end();
    end(it);
    await assert.rejects(asked, refusedWith('closed'), name);
    await assert.rejects(it.client.end(), refusedWith('closed'), name);
    assert.equal(stored(storage).includes('S.1.x'), name !== 'replaced', name);
  }
  const it = await inRoom();
  const asked = it.client.end();
  it.line.lose();
  await assert.rejects(asked, refusedWith('disconnected'));
  await assert.rejects(it.client.end(), refusedWith('disconnected'));
  it.clock.run(250);
  it.line.live(2);
  const refused = it.client.end();
  it.line.refuse('end', 'draining');
  await assert.rejects(refused, refusedWith('draining'));
  const done = it.client.end();
  it.line.answer('end', { type: 'ended' });
  await done;
});

test('a room that is being left is joined anew once it is', async () => {
  const it = await inRoom();
  const leaving = it.room.leave();
  const joining = it.client.join(ROOM.toLowerCase(), { nick: 'Bobby' });
  await turn();
  assert.deepEqual(it.line.types(), ['join', 'leave']);
  it.line.tell({ type: 'member_left', room: ROOM, seq: 3, at: AT, member: 2, nick: 'Bob', reason: 'left' });
  it.line.ack('leave', 3);
  await leaving;
  await turn();
  assert.deepEqual([it.line.types(), it.line.asked('join').nick], [['join', 'leave', 'join'], 'Bobby']);
  it.line.answer('join', { ...JOINED, seq: 4, entered: 4 });
  const again = await joining;
  assert.deepEqual([again === it.room, again.state.status, it.client.rooms], [false, 'live', [again]]);
});

test('a room that is left before one is in, or while away, is joined anew as well', async () => {
  const it = script();
  it.line.welcome();
  it.client.join(ROOM, { nick: 'Bob' }).catch(() => {});
  const leaving = it.client.rooms[0].leave();
  const joining = it.client.join(ROOM, { nick: 'Bob' });
  it.line.answer('join', JOINED);
  it.line.lose();
  it.clock.run(250);
  it.line.welcome([{ room: ROOM, epoch: EPOCH, seq: 2, status: 'live' }]);
  it.line.ack('leave', 3);
  await leaving;
  await turn();
  it.line.answer('join', { ...JOINED, seq: 4, entered: 4 });
  assert.equal((await joining).state.status, 'live');
});

test('who waits to join a room that is being left is told where the client does not come back', async () => {
  const ends = {
    refused: it => it.line.tell(closing(4502, 'refused')),
    ended: it => it.line.tell(closing(4503, 'ended')),
    closed: it => it.client.close(),
  };
  for (const [name, end] of Object.entries(ends)) {
    const it = await inRoom();
    let isLeft = false;
    it.room.leave().then(() => { isLeft = true; });
    const told = [];
    for (const ask of ['join', 'create']) it.client[ask](ROOM, { nick: 'Bob' }).then(() => told.push('in'), ({ code }) => told.push(code));
    end(it);
    await turn();
    assert.deepEqual([told, isLeft], [['closed', 'closed'], name === 'ended'], name);
    it.client.connect();
    it.line.welcome(name === 'ended' ? [] : [{ room: ROOM, epoch: EPOCH, seq: 2, status: 'live' }]);
    if (name !== 'ended') it.line.ack('leave', 3);
    await turn();
    assert.deepEqual([it.line.types(), isLeft, it.client.rooms], [name === 'ended' ? [] : ['leave'], true, []], name);
  }
});

test('who asked for a room that is left before one is in is told so', async () => {
  for (const answer of [it => it.line.answer('join', JOINED), it => it.line.refuse('join', 'banned')]) {
    const it = script();
    it.line.welcome();
    const told = [];
    it.client.join(ROOM, { nick: 'Bob' }).catch(({ code }) => told.push(code));
    const leaving = it.client.rooms[0].leave();
    answer(it);
    if (it.line.asked('leave')) it.line.ack('leave', 3);
    await leaving;
    await turn();
    assert.deepEqual([told, it.client.rooms], [['left'], []]);
  }
});

test('a room that is left can be left again, and who asks while the end is told is let in', async () => {
  const it = await inRoom();
  const leaving = it.room.leave();
  it.line.ack('leave', 3);
  await leaving;
  await it.room.leave();
  const other = await inRoom();
  let again;
  other.room.on('ended', () => { again ??= other.client.join(ROOM, { nick: 'Bobby' }); });
  other.line.tell({ type: 'member_left', room: ROOM, seq: 3, at: AT, member: 2, nick: 'Bob', reason: 'kicked', by: 1 });
  other.line.answer('join', { ...JOINED, seq: 4, entered: 4 });
  assert.equal((await again).state.status, 'live');
});

test('nothing is asked of a client that is closed, and nothing waits for one that does not come back', async () => {
  const ends = { closed: it => it.client.close(), refused: it => it.line.tell(closing(4502, 'refused')), replaced: it => it.line.tell(closing(4501, 'replaced')) };
  for (const [name, end] of Object.entries(ends)) {
    const it = await inRoom();
    const asked = it.room.topic('a');
    end(it);
    // It was said, and may have been done.
    await assert.rejects(asked, refusedWith('disconnected'), name);
    const asks = [it.room.topic('b'), it.room.me({ nick: 'Bobby' }), it.room.history(), it.room.listMembers(), it.client.create(null, { nick: 'Bob' }),
      it.client.join('TEA', { nick: 'Bob' }), it.client.join(ROOM, { nick: 'Bob' })];
    const told = await Promise.race([turn(), Promise.allSettled(asks)]);
    assert.deepEqual(told?.map(({ reason }) => reason?.code), ['closed', 'closed', undefined, 'closed', 'closed', 'closed', 'closed'], name);
    assert.deepEqual(it.client.rooms, [it.room]);
    it.client.connect();
    const joining = it.client.join('TEA', { nick: 'Bob' });
    it.line.live(2);
    it.line.answer('join', { ...JOINED, room: 'TEA' });
    assert.equal((await joining).state.status, 'live', name);
  }
});

test('who connects again may ask at once, while it is not known yet whose the session is', async () => {
  const locks = { request: async (name, _, use) => { await turn(); await use({ name }); } };
  Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });
  try {
    const it = await inRoom({ storage: memory() });
    it.client.close();
    it.client.connect();
    const joining = it.client.join('TEA', { nick: 'Bob' });
    for (let step = 0; step < 4; step += 1) await turn();
    it.line.live(2);
    it.line.answer('join', { ...JOINED, room: 'TEA' });
    assert.equal((await joining).code, 'TEA');
    it.client.close();
  } finally {
    Object.defineProperty(globalThis, 'navigator', { value: undefined, configurable: true });
  }
});
