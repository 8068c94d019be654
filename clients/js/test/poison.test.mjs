// What cannot be said: it fails alone, and blocks neither what comes after it nor the connection.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isChatError } from '../dist/index.js';
import { ANN, BOB, EPOCH, JOINED, ROOM, inRoom, memory, message, script, turn } from './support/script.mjs';

const refusedWith = code => error => isChatError(error, code);
const limits = { frame_bytes: 1_000, in_flight: 4 };
const sends = line => line.sent.filter(({ type }) => type === 'send').map(({ text }) => text);

/** Bob, on a server that takes short frames. */
async function bounded(options) {
  const it = script(options);
  it.line.welcome([], { limits });
  const joining = it.client.join(ROOM, { nick: 'Bob' });
  it.line.answer('join', JOINED);
  return Object.assign(it, { room: await joining });
}

test('what is longer than a frame may be is refused here, and what comes after it goes on', async () => {
  const it = await bounded();
  const isTooLong = error => isChatError(error, 'too_long') && error.limit === 1_000;
  const [long, next] = [it.room.send('ü'.repeat(500)), it.room.send('after')];
  await assert.rejects(long, isTooLong);
  assert.deepEqual(sends(it.line), ['after']);
  it.line.ack('send', 3);
  assert.equal((await next).seq, 3);
  await assert.rejects(it.room.topic('x'.repeat(1_000)), isTooLong);
  await assert.rejects(it.client.join('TEA', { nick: 'Bob', data: { x: 'x'.repeat(1_000) } }), isTooLong);
  const told = [];
  it.client.on('error', ({ code }) => told.push(code));
  it.room.live(3, 'x'.repeat(1_000));
  it.room.signal('big', 'x'.repeat(1_000));
  assert.deepEqual([told, it.line.types()], [['too_long', 'too_long'], ['join', 'send']]);
});

test('a frame of exactly so many bytes is taken', async () => {
  const it = await bounded();
  const bytes = text => JSON.stringify({ type: 'topic', topic: text, room: ROOM, id: 2 }).length;
  const text = 'x'.repeat(1_000 - bytes(''));
  it.room.topic(text).catch(() => {});
  assert.equal(bytes(it.line.asked('topic').topic), 1_000);
  await assert.rejects(it.room.topic(`${text}x`), refusedWith('too_long'));
});

test('a message that was written before the bound was known, and outlived a reload, does not block the others', async () => {
  const storage = memory();
  const first = await inRoom({ storage });
  first.line.lose();
  first.room.send('x'.repeat(1_000)).catch(() => {});
  first.room.send('after').catch(() => {});
  first.client.close();
  const second = script({ storage });
  const refused = [];
  second.client.rooms[0].on('refused', ({ error }) => refused.push(error.code));
  second.line.welcome([], { limits });
  second.line.answer('join', JOINED);
  assert.deepEqual([refused, sends(second.line)], [['too_long'], ['after']]);
});

test('the bounds are those of this welcome, and not of the one before', () => {
  const it = script();
  it.line.welcome([], { limits });
  for (let count = 0; count < 5; count += 1) it.client.join(`ROOM${count}`, { nick: 'Bob' }).catch(() => {});
  assert.equal(it.line.sent.length, 2);
});

test('what is no JSON fails alone', async () => {
  const it = await inRoom();
  const circle = {};
  circle.again = circle;
  await assert.rejects(it.room.send('bad', { data: { n: 1n } }), refusedWith('bad_frame'));
  await assert.rejects(it.room.edit(1, 'bad', { data: circle }), refusedWith('bad_frame'));
  await assert.rejects(it.room.command({ type: 'topic', topic: 1n }), refusedWith('bad_frame'));
  await assert.rejects(it.room.me({ data: circle }), refusedWith('bad_frame'));
  await assert.rejects(it.client.join('TEA', { nick: 'Bob', data: circle }), refusedWith('bad_frame'));
  const told = [];
  it.client.on('error', ({ code }) => told.push(code));
  it.room.signal('n', 1n);
  assert.deepEqual([told, it.room.pending, it.client.rooms.length], [['bad_frame'], [], 1]);
  it.room.send('good');
  assert.deepEqual(it.line.types(), ['join', 'send']);
});

test('what is changed after it was said changes nothing', async () => {
  const it = script();
  it.line.welcome([], { limits });
  const data = { v: 1 };
  const joining = it.client.join(ROOM, { nick: 'Bob', data });
  it.line.answer('join', JOINED);
  const room = await joining;
  room.history(1).catch(() => {});
  room.command({ type: 'history', filter: data }).catch(() => {});
  room.send('hello', { data }).catch(() => {});
  const changing = room.me({ data });
  data.v = 2;
  it.line.answer('history', { type: 'history', messages: [] });
  assert.deepEqual(it.line.asked('history').filter, { v: 1 }, 'what waits for its turn');
  it.line.ack('me', 3);
  await changing;
  it.line.lose();
  it.clock.run(20_000);
  it.line.welcome([], { limits });
  assert.deepEqual(it.line.asked('join').data, { v: 1 });
  it.line.answer('join', { ...JOINED, seq: 3 });
  assert.deepEqual(it.line.asked('send').data, { v: 1 });
});

test('a message that no connection survives is given up, and what comes after it goes on', async () => {
  const storage = memory();
  const first = await inRoom({ storage });
  first.room.send('bad', { key: 'a' }).catch(() => {});
  first.room.send('after', { key: 'b' }).catch(() => {});
  const lose = (it, code) => {
    it.clock.run(5_000);
    it.line.lose(code);
    it.clock.run(250);
    it.line.live(it.client.rooms[0].state.seq);
  };
  // What the server has a reason for is not the message's doing.
  for (const code of [4001, 4006, 4007]) lose(first, code);
  lose(first);
  // A refusal that may pass shows that it gets through.
  first.line.refuse('send', 'unavailable');
  first.clock.run(1_000);
  lose(first, 1009);
  for (let count = 0; count < 6; count += 1) lose(first);
  assert.deepEqual(sends(first.line), ['bad']);
  first.client.close();
  const second = script({ storage });
  const refused = [];
  second.client.rooms[0].on('refused', ({ key, error }) => refused.push([key, error.code]));
  second.line.live(2);
  second.line.tell(JOINED);
  assert.deepEqual([sends(second.line), refused], [['bad'], []]);
  lose(second);
  assert.deepEqual([sends(second.line), refused], [['after'], [['a', 'outcome_unknown']]]);
});

test('a message is not to blame for a connection that was given up here, or by who goes down', async t => {
  const listeners = new Map();
  globalThis.addEventListener = (name, listener) => listeners.set(name, listener);
  t.after(() => delete globalThis.addEventListener);
  const it = await inRoom();
  let outcome = 'waits';
  const sending = it.room.send('hello', { key: 'a' }).then(({ seq }) => { outcome = seq; }, ({ code }) => { outcome = code; });
  const comeBack = () => {
    it.clock.run(2_000);
    it.line.live(2);
  };
  const losses = [
    ...Array(8).fill(() => it.client.reconnect()),
    // A proxy says so where it ends, or begins anew.
    ...[1001, 1012, 1001].map(code => () => it.line.lose(code)),
    // A wake that nothing answers: the network has changed.
    ...Array(3).fill(() => {
      listeners.get('online')();
      it.clock.run(5_000);
    }),
  ];
  for (const lose of losses) {
    const before = it.lines.length;
    lose();
    comeBack();
    await turn();
    assert.deepEqual([outcome, it.lines.length - before, sends(it.line)], ['waits', 1, ['hello']]);
  }
  it.line.ack('send', 3);
  await sending;
  assert.deepEqual([outcome, it.room.pending], [3, []]);
});

test('a message that makes each connection mute is given up', async () => {
  const it = await inRoom();
  const sending = it.room.send('bad');
  for (let count = 0; count < 8; count += 1) {
    it.clock.run(15_000);
    if (count < 7) it.line.live(2);
  }
  await assert.rejects(sending, refusedWith('outcome_unknown'));
});

test('what the server refuses for good is asked once a connection, and hides nothing else', async () => {
  const it = script();
  it.line.welcome();
  const joining = it.client.join(ROOM, { nick: 'Bob' });
  it.line.answer('join', { ...JOINED, members_total: 3 });
  const room = await joining;
  room.read(2);
  it.line.refuse('members', 'rate_limited', { retry_after_ms: 100 });
  it.clock.run(100);
  it.line.refuse('members', 'forbidden', { retry_after_ms: 100 });
  it.clock.run(100);
  it.line.refuse('members', 'forbidden');
  it.line.tell({ type: 'gap', room: ROOM, epoch: EPOCH, from: 3, to: 5, members: [ANN, BOB], members_total: 2, topic: '', notices: 'told', changed_at: 0 });
  it.line.refuse('history', 'forbidden');
  room.read(5);
  it.line.refuse('read', 'forbidden');
  it.clock.run(40_000);
  assert.deepEqual([it.line.types(), room.state.synced], [['join', 'members', 'members', 'members', 'history', 'read'], false]);
  it.line.lose();
  it.clock.run(250);
  it.line.live(5);
  assert.deepEqual(it.line.types(), ['history']);
});

test('without what has changed what is held is read again', async () => {
  const it = await inRoom();
  it.line.tell(message(3, 'one'));
  it.line.tell({ type: 'gap', room: ROOM, epoch: EPOCH, from: 4, to: 5, members: [ANN, BOB], members_total: 2, topic: '', notices: 'told', changed_at: 5 });
  it.line.refuse('changes', 'unknown_type');
  assert.deepEqual([it.room.messages, it.line.asked('history').before], [[], 6]);
});
