// The session against a scripted server in virtual time: how it comes back, what it says of itself, and when it stays away.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isChatError } from '../dist/index.js';
import { ANN, AT, BOB, EPOCH, JOINED, ROOM, inRoom, memory, message, script, turn } from './support/script.mjs';

const refusedWith = code => error => isChatError(error, code);

test('a lost connection is resumed with the newest token, at the position of each room', async () => {
  const it = await inRoom();
  assert.deepEqual(it.lines[0].hello, { type: 'hello', id: 0 });
  it.line.tell(message(3, 'one'), { type: 'token', token: 'S.1.y' });
  it.line.lose();
  assert.equal(it.room.state.status, 'away');
  it.clock.run(250);
  assert.deepEqual(it.line.hello, { type: 'hello', id: 0, resume: 'S.1.y', positions: { [ROOM]: `${EPOCH}:3` }, catch_up: 500 });
  it.line.live(3);
  it.line.tell(message(4, 'two'));
  assert.deepEqual(it.room.messages.map(({ text }) => text), ['one', 'two']);
  assert.deepEqual([it.room.state.status, it.line.sent], ['live', []]);
});

test('waits double, with full jitter, up to 20 seconds, and begin anew after a good connection', () => {
  const it = script();
  const waits = () => it.statuses.filter(({ name }) => name === 'waiting').map(({ retryMs }) => retryMs);
  for (let attempt = 0; attempt < 8; attempt += 1) {
    it.line.lose();
    it.clock.run(waits().at(-1));
  }
  assert.deepEqual(waits(), [250, 500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000]);
  it.line.welcome();
  it.clock.run(5_000);
  it.line.lose();
  assert.equal(waits().at(-1), 250);
});

test('a server that says when to come back is obeyed', () => {
  const it = script();
  it.line.welcome();
  it.line.tell({ type: 'closing', code: 4001, reason: 'draining', reconnect_after_ms: 850 });
  assert.deepEqual(it.statuses.at(-1), { name: 'waiting', retryMs: 850, code: 4001, reason: 'draining' });
  it.clock.run(849);
  assert.equal(it.lines.length, 1);
  it.clock.run(1);
  assert.equal(it.lines.length, 2);
});

for (const code of [4500, 4501, 4502, 4503, 4504]) {
  test(`after ${code} it does not come back by itself`, async () => {
    const storage = memory();
    const it = await inRoom({ storage });
    it.line.tell({ type: 'closing', code, reason: 'final' });
    it.clock.run(1_000_000);
    assert.deepEqual([it.lines.length, it.client.status], [1, { name: 'closed', code, reason: 'final' }]);
    it.client.connect();
    assert.equal(it.lines.length, 2);
    const isGone = code === 4501 || code === 4503;
    assert.equal(it.line.hello.resume, isGone ? undefined : 'S.1.x', 'a token that is not ours any more is forgotten');
    assert.equal(it.room.state.status, code === 4503 ? 'ended' : 'away');
  });
}

test('whoever says nothing is given up: the server before its welcome, and a connection without answers', async () => {
  const it = script();
  it.clock.run(10_000);
  assert.deepEqual([it.lines[0].isClosed, it.client.status.name], [true, 'waiting']);
  const other = await inRoom();
  other.room.send('hello');
  other.clock.run(15_000);
  assert.equal(other.lines[0].isClosed, true);
});

test('each answer gives the next as long again, and one alone has a minute', async () => {
  const it = await inRoom();
  it.room.command({ type: 'topic', topic: 'a' }).catch(() => {});
  for (let step = 0; step < 5; step += 1) {
    it.room.command({ type: 'typing', on: false });
    it.clock.run(11_000);
    it.line.ack('typing', 2);
  }
  assert.equal(it.lines[0].isClosed, false);
  it.clock.run(6_000);
  assert.equal(it.lines[0].isClosed, true);
});

test('another transport is tried at once where nothing came, and the first again after ten minutes', () => {
  const it = script({ transports: ['ws', 'sse'] });
  it.line.lose();
  it.clock.run(0);
  assert.deepEqual(it.lines.map(({ name }) => name), ['ws', 'sse']);
  it.line.welcome();
  it.line.lose();
  it.clock.run(1_000);
  assert.equal(it.line.name, 'sse');
  it.line.welcome();
  for (let minute = 0; minute < 20; minute += 1) {
    it.clock.run(30_000);
    it.line.tell({ type: 'token', token: 'S.1.x' });
  }
  it.line.lose();
  it.clock.run(1_000);
  assert.equal(it.line.name, 'ws');
});

test('a transport that got through before is given up after some losses, and one that was answered not at all', () => {
  const it = script({ transports: ['ws', 'sse'] });
  it.line.welcome();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    it.line.lose();
    it.clock.run(2_000);
  }
  assert.deepEqual(it.lines.map(({ name }) => name), ['ws', 'ws', 'ws', 'sse']);
  const full = script({ transports: ['ws', 'sse'] });
  full.line.tell({ type: 'error', code: 'at_capacity', message: 'full' }, { type: 'closing', code: 4005, reason: 'at_capacity', reconnect_after_ms: 100 });
  full.clock.run(100);
  assert.deepEqual(full.lines.map(({ name }) => name), ['ws', 'ws']);
});

test('a session that is not known any more is begun anew, and goes back into its rooms', async () => {
  const it = await inRoom();
  const errors = [];
  it.client.on('error', error => errors.push(error.code));
  it.line.lose();
  it.clock.run(250);
  it.line.welcome([], { resumed: false, token: 'T.1.x' });
  it.line.tell({ type: 'error', code: 'bad_token', message: 'superseded' });
  assert.deepEqual(errors, ['bad_token']);
  assert.deepEqual(it.line.asked('join'), { type: 'join', id: 2, room: ROOM, nick: 'Bob', after: `${EPOCH}:2`, catch_up: 500 });
  // One's own ghost has the nick until its grace is over.
  it.line.refuse('join', 'nick_taken', { retry_after_ms: 5_000 });
  it.clock.run(5_000);
  assert.equal(it.line.asked('join').id, 3);
  it.line.answer('join', { ...JOINED, seq: 9, entered: 9, you: { ...BOB, member: 3 }, members: [{ ...BOB, member: 3 }, ANN] });
  assert.deepEqual([it.room.state.status, it.room.state.seq], ['live', 9]);
});

test('what a welcome says of a room is done', async () => {
  const back = async status => {
    const it = await inRoom();
    it.line.lose();
    it.clock.run(250);
    it.line.welcome([{ room: ROOM, ...status }]);
    const { state } = it.room;
    return [state.status, state.ended?.why, it.line.types()];
  };
  assert.deepEqual(await back({ status: 'live', epoch: EPOCH, seq: 2 }), ['live', undefined, []]);
  assert.deepEqual(await back({ status: 'live', epoch: EPOCH, seq: 1 }), ['away', undefined, []], 'its joined follows');
  assert.deepEqual(await back({ status: 'waiting' }), ['away', undefined, []]);
  assert.deepEqual(await back({ status: 'left', epoch: EPOCH, seq: 2 }), ['away', undefined, ['join']]);
  assert.deepEqual(await back({ status: 'left', reason: 'banned', until: AT }), ['ended', 'banned', []]);
  assert.deepEqual(await back({ status: 'closed' }), ['ended', 'closed', []]);
  assert.deepEqual(await back({ status: 'unknown' }), ['away', undefined, ['join']]);
  assert.deepEqual(await back({ status: 'unavailable' }), ['away', undefined, ['join']]);
});

test('a room that was waiting says so later', async () => {
  const it = await inRoom();
  it.line.lose();
  it.clock.run(250);
  it.line.welcome([{ room: ROOM, status: 'waiting' }]);
  it.line.tell({ type: 'resumed', room: ROOM, epoch: EPOCH, seq: 2, status: 'live' }, message(3, 'one'));
  assert.deepEqual([it.room.state.status, it.room.messages.length], ['live', 1]);
});

test('where the server has the session in the room already, it is shown afresh', async () => {
  const it = await inRoom();
  it.line.lose();
  it.clock.run(250);
  it.line.welcome([{ room: ROOM, status: 'unknown' }]);
  it.line.refuse('join', 'already_member');
  it.clock.run(1_000);
  assert.deepEqual([it.lines.length, it.line.hello.positions], [3, {}]);
  it.line.live(5);
  it.line.tell({ ...JOINED, seq: 5, history: [message(4, 'x')] });
  assert.deepEqual([it.room.state.status, it.room.messages.length], ['live', 1]);
});

test('a room that was made under a drawn code is found, though the answer was lost', async () => {
  const it = script();
  it.line.welcome();
  const making = it.client.create(null, { nick: 'Ann' });
  assert.deepEqual(it.line.asked('create'), { type: 'create', id: 1, nick: 'Ann' });
  it.line.lose();
  it.clock.run(250);
  it.line.live(1);
  it.line.tell({ ...JOINED, seq: 1, you: ANN, members: [ANN], members_total: 1 });
  const room = await making;
  assert.deepEqual([room.code, it.client.rooms.length, it.line.types()], [ROOM, 1, []]);
  const again = script();
  again.client.create(null, { nick: 'Ann' });
  again.line.welcome();
  again.line.lose();
  again.clock.run(250);
  again.line.welcome();
  assert.deepEqual(again.line.types(), ['create'], 'and made where it was not');
});

test('a join that is refused fails with its code, and what passes is waited for', async () => {
  const it = script();
  it.line.welcome();
  const joining = it.client.join(ROOM, { nick: 'Bob' });
  it.line.refuse('join', 'rate_limited', { retry_after_ms: 700 });
  it.clock.run(700);
  assert.equal(it.line.sent.length, 2);
  it.line.refuse('join', 'banned', { until: AT });
  await assert.rejects(joining, error => isChatError(error, 'banned') && error.until === AT && error.message === 'banned');
  assert.equal(it.client.rooms.length, 0);
});

test('whoever wants in is told where the server is full, and who was in goes on trying', async () => {
  for (const ask of ['create', 'join']) {
    const it = script();
    it.line.welcome();
    const entering = it.client[ask](ROOM, { nick: 'Bob' });
    it.line.refuse(ask, 'at_capacity', { limit: 64, retry_after_ms: 700 });
    await assert.rejects(entering, error => isChatError(error, 'at_capacity') && error.limit === 64 && error.retryAfterMs === 700);
    it.clock.run(10_000);
    assert.deepEqual([it.client.rooms, it.line.types()], [[], [ask]]);
  }
  const back = async (it, line) => {
    line.refuse('join', 'at_capacity', { retry_after_ms: 700 });
    it.clock.run(700);
    it.line.answer('join', JOINED);
    assert.deepEqual([it.client.rooms[0].state.status, line.types()], ['live', ['join', 'join']]);
  };
  const storage = memory();
  const it = await inRoom({ storage });
  it.line.lose();
  it.clock.run(250);
  it.line.welcome();
  await back(it, it.line);
  it.client.close();
  const again = script({ storage });
  again.line.welcome();
  await back(again, again.line);
  // Put out, one asks again, and is told.
  again.line.tell({ type: 'member_left', room: ROOM, seq: 3, at: AT, member: 2, nick: 'Bob', reason: 'kicked', by: 1 });
  const joining = again.client.join(ROOM, { nick: 'Bob' });
  again.line.refuse('join', 'at_capacity');
  await assert.rejects(joining, refusedWith('at_capacity'));
  assert.deepEqual([again.client.rooms[0].state.status, again.client.rooms[0].state.ended.why], ['ended', 'refused']);
});

test('whoever asks for a room anew while a join waits is let in once', async () => {
  const it = script();
  it.line.welcome();
  const first = it.client.join(ROOM, { nick: 'Bob' });
  it.line.refuse('join', 'unavailable', { retry_after_ms: 700 });
  const second = it.client.join(ROOM, { nick: 'Bobby' });
  await assert.rejects(first, refusedWith('closed'));
  it.line.answer('join', JOINED);
  await second;
  it.clock.run(10_000);
  assert.deepEqual(it.line.types(), ['join', 'join']);
});

test('whoever was put out and asks to come back does so, over a lost connection too', async () => {
  const it = await inRoom();
  it.line.tell({ type: 'member_left', room: ROOM, seq: 3, at: AT, member: 2, nick: 'Bob', reason: 'kicked', by: 1 });
  const joining = it.client.join(ROOM, { nick: 'Bob' });
  it.line.lose();
  it.clock.run(250);
  it.line.welcome([{ room: ROOM, status: 'left', reason: 'kicked' }]);
  it.line.answer('join', { ...JOINED, seq: 4, entered: 4, you: { ...BOB, member: 3 }, members: [{ ...BOB, member: 3 }, ANN] });
  assert.equal((await joining).state.you.member, 3);
});

test('a room that the session was in, and nobody here asked for, is told of', () => {
  const it = script();
  const rooms = [];
  it.client.on('room', room => rooms.push(room.code));
  it.line.live(2);
  it.line.tell(JOINED);
  assert.deepEqual([rooms, it.client.rooms.length], [[ROOM], 1]);
});

test('who is brought into a room by the host is told of it, and is in it as in any other', async () => {
  const storage = memory();
  const it = script({ storage });
  const rooms = [];
  it.client.on('room', room => rooms.push(room));
  it.line.welcome();
  it.line.tell(JOINED, message(3, 'welcome'));
  const [room] = rooms;
  assert.deepEqual([rooms.length, it.client.rooms, room.state.you.nick, room.messages.map(({ text }) => text)], [1, [room], 'Bob', ['welcome']]);
  const sent = room.send('thanks', { key: 'k' });
  it.line.ack('send', 4);
  await sent;
  it.line.lose();
  it.clock.run(250);
  assert.deepEqual(it.line.hello.positions, { [ROOM]: `${EPOCH}:3` });
  const again = script({ storage });
  assert.deepEqual(again.client.rooms.map(({ code }) => code), [ROOM]);
  // Who was put out before is in the same room again.
  again.line.live(2);
  again.line.tell(JOINED, { type: 'member_left', room: ROOM, seq: 3, at: AT, member: 2, nick: 'Bob', reason: 'kicked', by: 1 });
  const [held] = again.client.rooms;
  let joined = 0;
  held.on('joined', () => { joined += 1; });
  again.line.tell({ ...JOINED, seq: 4, entered: 4 });
  assert.deepEqual([again.client.rooms, held.state.status, joined], [[held], 'live', 1]);
});

test('who is brought in while they ask to come in is in, and stays connected', async () => {
  const it = script();
  it.line.welcome();
  const joining = it.client.join(ROOM, { nick: 'Bob' });
  it.line.tell(JOINED);
  assert.equal((await joining).state.status, 'live');
  it.line.refuse('join', 'already_member');
  it.clock.run(1_000);
  assert.deepEqual([it.client.rooms[0].state.status, it.lines.length], ['live', 1]);
});

test('credentials are asked for at each connection, before they run out, and after', async () => {
  const asked = [];
  const it = script({ credentials: why => { asked.push(why); return `pass ${asked.length}`; } });
  await turn();
  assert.deepEqual(it.line.hello, { type: 'hello', id: 0, token: 'pass 1' });
  it.line.welcome();
  it.line.tell({ type: 'auth_expiring' });
  await turn();
  assert.deepEqual(it.line.asked('auth'), { type: 'auth', id: 1, token: 'pass 2' });
  it.line.lose(4007, 'expired');
  it.clock.run(250);
  await turn();
  assert.deepEqual([asked, it.line.hello.token], [['connect', 'expiring', 'expired'], 'pass 3']);
});

test('credentials that cannot be had are asked for again', async () => {
  const it = script({ credentials: async () => { throw new Error('no'); } });
  await turn();
  assert.deepEqual([it.lines.length, it.client.status.name], [0, 'waiting']);
});

test('what is not known is passed over', async () => {
  const it = await inRoom();
  it.line.tell({ type: 'weather', is: 'fine' }, { type: 'waved', room: ROOM, seq: 3, at: AT, member: 1 }, { type: 'glow', room: ROOM, level: 3 },
    { type: 'ack', id: 999, room: ROOM, seq: 3 }, { type: 'message', room: 'ELSEWHERE', seq: 1, at: AT, nick: 'x', text: 'y' });
  assert.deepEqual([it.room.state.seq, it.room.state.synced], [3, true]);
});

test('what was missed is asked for, one question at a time, and again where it could not be read', async () => {
  const it = await inRoom();
  it.line.tell(message(3, 'one'), { type: 'gap', room: ROOM, epoch: EPOCH, from: 4, to: 8, members: [ANN, BOB], members_total: 2, topic: '', notices: 'told', changed_at: 7 });
  assert.deepEqual(it.line.types(), ['join', 'changes']);
  it.line.answer('changes', { type: 'changes', epoch: EPOCH, messages: [], through: 3, more: true, as_of: 8 });
  assert.equal(it.line.sent.length, 2);
  it.clock.run(1_000);
  assert.equal(it.line.sent.length, 3);
  it.line.refuse('changes', 'out_of_reach');
  assert.deepEqual([it.room.messages, it.line.asked('history').before], [[], 9]);
  it.line.answer('history', { type: 'history', epoch: EPOCH, messages: [message(3, 'now'), message(6, 'two')], more: true, more_before: true, more_after: false, as_of: 8 });
  it.line.answer('read', { type: 'read', through: 2, unread: 2, as_of: 8 });
  assert.deepEqual([it.room.messages.map(({ text }) => text), it.room.state.from, it.room.state.synced], [['now', 'two'], 3, true]);
});

test('pages are asked for one at a time, and only so many commands are in flight', async () => {
  const it = await inRoom();
  for (let count = 0; count < 3; count += 1) it.room.command({ type: 'history', limit: 1 }).catch(() => {});
  for (let count = 0; count < 30; count += 1) it.room.topic(String(count)).catch(() => {});
  assert.equal(it.line.sent.filter(({ type }) => type === 'history').length, 1);
  assert.equal(it.line.sent.length, 1 + 16);
  it.line.answer('history', { type: 'history', epoch: EPOCH, messages: [], more_before: false, more_after: false, as_of: 2 });
  assert.equal(it.line.sent.filter(({ type }) => type === 'history').length, 2);
  const many = Array.from({ length: 300 }, () => it.room.topic('x'));
  await assert.rejects(many.at(-1), refusedWith('busy'));
  it.line.lose();
  await assert.rejects(many[0], refusedWith('disconnected'));
  await Promise.allSettled(many);
});

test('leaving is done with the answer, or as soon as there is a connection', async () => {
  const it = await inRoom();
  const left = it.room.leave();
  it.line.tell({ type: 'member_left', room: ROOM, seq: 3, at: AT, member: 2, nick: 'Bob', reason: 'left' });
  it.line.ack('leave', 3);
  await left;
  assert.deepEqual([it.client.rooms.length, it.room.state.status], [0, 'ended']);
  const away = await inRoom();
  away.line.lose();
  const leaving = away.room.leave();
  away.clock.run(250);
  away.line.live(2);
  away.line.ack('leave', 3);
  await leaving;
  assert.equal(away.client.rooms.length, 0);
});

test('a room that is left before one is in is left as soon as one is', async () => {
  const it = script();
  it.line.welcome();
  it.client.join(ROOM, { nick: 'Bob' }).catch(() => {});
  const leaving = it.client.rooms[0].leave();
  it.line.answer('join', JOINED);
  it.line.ack('leave', 3);
  await leaving;
  assert.deepEqual([it.client.rooms.length, it.line.types()], [0, ['join', 'leave']]);
});

test('typing is said as seldom as it has to be', async () => {
  const it = await inRoom();
  const said = () => it.line.sent.filter(({ type }) => type === 'typing').map(({ on }) => on);
  for (let key = 0; key < 10; key += 1) it.room.typing();
  it.clock.run(3_000);
  it.room.typing();
  it.room.typing(false);
  it.room.typing(false);
  assert.deepEqual(said(), [true, true, false]);
});

test('each event is told once, in order, under its name', async () => {
  const it = await inRoom();
  const told = [];
  it.room.on('message', ({ text }) => told.push(text));
  const stop = it.room.on('event', ({ type, seq }) => told.push(`${seq} ${type}`));
  it.line.tell(message(3, 'one'), message(3, 'one'), { type: 'redacted', room: ROOM, seq: 4, at: AT, target: 3, by: 1 });
  stop();
  it.line.tell(message(5, 'two'));
  assert.deepEqual(told, ['one', '3 message', '4 redacted', 'two']);
});

/** The listeners of a page, as long as `use` takes. */
async function inPage(use) {
  const listeners = new Map();
  Object.assign(globalThis, { addEventListener: (name, listener) => listeners.set(name, listener), removeEventListener() {} });
  try {
    await use(name => listeners.get(name)());
  } finally {
    delete globalThis.addEventListener;
    delete globalThis.removeEventListener;
  }
}

test('a page that is shown again asks whether its connection lives, and tries at once where it waits', () => inPage(async happens => {
  const it = await inRoom();
  happens('online');
  assert.deepEqual(it.line.asked('history'), { type: 'history', id: 2, room: ROOM, limit: 0 });
  happens('pageshow');
  assert.equal(it.line.sent.length, 2, 'one question is enough');
  it.clock.run(5_000);
  assert.equal(it.lines[0].isClosed, true);
  it.clock.run(0);
  it.line.lose();
  it.line.lose();
  const before = it.lines.length;
  happens('online');
  assert.equal(it.lines.length, before + 1);
}));

test('a connection over which anything is heard lives, though the answer waits for others', () => inPage(async happens => {
  const it = await inRoom();
  it.room.history().catch(() => {});
  it.room.command({ type: 'history', limit: 1 }).catch(() => {});
  happens('online');
  it.clock.run(4_000);
  it.line.tell(message(3, 'one'));
  it.clock.run(4_000);
  assert.equal(it.lines[0].isClosed, false);
  happens('online');
  it.clock.run(5_000);
  assert.equal(it.lines[0].isClosed, true, 'the next question has its own time');
}));

test('a connection that has said nothing for long is asked whether it lives, and so is one over a sleep', async () => {
  const it = await inRoom();
  it.clock.run(59_000);
  assert.deepEqual(it.line.types(), ['join']);
  it.clock.run(1_000);
  assert.deepEqual(it.line.types(), ['join', 'history']);
  it.line.answer('history', { type: 'history', epoch: EPOCH, messages: [], more_before: false, more_after: false, as_of: 2 });
  it.clock.run(10_000);
  assert.equal(it.lines[0].isClosed, false);
});

test('what is spoilt in the storage costs itself, and nothing beside it', () => {
  const entry = { key: 'k', frame: { type: 'send', text: 'unsent' }, epoch: null, member: null };
  const room = { code: ROOM, entrance: { nick: 'Bob' }, outbox: [entry] };
  const taken = stored => {
    const it = script({ storage: { ...memory(), getItem: () => JSON.stringify({ token: 'S.1.x', ...stored }) } });
    it.line.welcome();
    return [it.line.hello.resume, it.client.rooms.map(({ code, pending }) => [code, pending.length]), it.line.types()];
  };
  const whole = ['S.1.x', [[ROOM, 1]], ['join']];
  for (const other of [null, 7, {}, { ...room, code: 5 }, { code: 'TEA', outbox: [] }, { code: 'TEA', entrance: {}, outbox: [] }]) {
    assert.deepEqual(taken({ rooms: [other, room] }), whole, JSON.stringify(other));
  }
  for (const other of [null, {}, { ...entry, key: 1 }, { ...entry, frame: null }, { ...entry, member: undefined }, { ...entry, epoch: 3 }]) {
    assert.deepEqual(taken({ rooms: [{ ...room, outbox: [other, entry] }] }), whole, JSON.stringify(other));
  }
  assert.deepEqual(taken({ rooms: [{ ...room, outbox: {} }] }), ['S.1.x', [[ROOM, 0]], ['join']]);
  assert.deepEqual(taken({ rooms: {} }), ['S.1.x', [], []]);
  assert.deepEqual(taken({ token: 5, rooms: [room] }), [undefined, ...whole.slice(1)]);
});

test('what was stored is taken up again, and what is spoilt is not', async () => {
  const storage = memory();
  const first = await inRoom({ storage });
  first.client.close();
  const second = script({ storage });
  assert.deepEqual(second.line.hello, { type: 'hello', id: 0, resume: 'S.1.x', positions: {}, catch_up: 500 });
  second.line.live(2);
  second.line.tell(JOINED);
  assert.equal(second.client.room(ROOM).state.status, 'live');
  for (const spoilt of ['{', 'null', '{"rooms":7}']) {
    const it = script({ storage: { ...memory(), getItem: () => spoilt } });
    assert.deepEqual([it.client.rooms.length, it.line.hello.resume], [0, undefined]);
  }
  const full = await inRoom({ storage: { getItem() { throw new Error(); }, setItem() { throw new Error(); }, removeItem() {} } });
  assert.equal(full.room.state.status, 'live');
});

test('whoever was in a room stays who they are without one, and who never was is not stored', async () => {
  const storage = memory();
  const it = await inRoom({ storage });
  it.line.tell({ type: 'room_closed', room: ROOM, epoch: EPOCH, reason: 'host' });
  const again = script({ storage });
  assert.deepEqual([again.line.hello.resume, again.client.rooms], ['S.1.x', []]);
  const other = memory();
  script({ storage: other }).line.welcome();
  assert.equal(other.kept.size, 0);
});

test('a secret and what is for the policy are shown, and never stored', async () => {
  const storage = memory();
  const it = script({ storage });
  it.line.welcome();
  const joining = it.client.join(ROOM, { nick: 'Bob', secret: 'swordfish', params: { invite: 'swordfish' } });
  const { secret, params } = it.line.asked('join');
  assert.deepEqual([secret, params], ['swordfish', { invite: 'swordfish' }]);
  it.line.answer('join', JOINED);
  await joining;
  assert.doesNotMatch([...storage.kept.values()].join(), /swordfish/);
});

/** The locks of a browser, as far as they are used here, for as long as `use` takes. */
async function withLocks(use) {
  const held = new Set();
  const locks = {
    async request(name, _, use) {
      if (held.has(name)) return use(null);
      held.add(name);
      await use({ name });
      held.delete(name);
    },
  };
  Object.defineProperty(globalThis, 'navigator', { value: { locks }, configurable: true });
  try {
    await use(held);
  } finally {
    Object.defineProperty(globalThis, 'navigator', { value: undefined, configurable: true });
  }
}

test('a duplicated tab leaves the session, and what waits, to the other', () => withLocks(async held => {
  const kept = new Map();
  const first = await inRoom({ storage: memory(kept) });
  first.line.lose();
  first.room.send('mine').catch(() => {});
  const second = script({ storage: memory(new Map(kept)) });
  await turn();
  second.clock.run(200);
  await turn();
  assert.deepEqual([second.line.hello.resume, second.client.rooms[0].pending], [undefined, []]);
  second.line.welcome([], { session: 'T', token: 'T.1.x' });
  assert.deepEqual(second.line.types(), ['join']);
  assert.deepEqual([...held], ['chat S', 'chat T']);
}));

test('where it is to take over, a duplicated tab has the session, and what waits', () => withLocks(async held => {
  const kept = new Map();
  const first = await inRoom({ storage: memory(kept), takesOver: true });
  first.line.lose();
  first.room.send('mine').catch(() => {});
  const second = script({ storage: memory(new Map(kept)), takesOver: true });
  assert.deepEqual([second.line.hello.resume, second.client.rooms[0].pending.length, [...held]], ['S.1.x', 1, []]);
}));

test('a tab that was closed lets the session go, to whoever has a copy and to itself', () => withLocks(async held => {
  const kept = new Map();
  const first = await inRoom({ storage: memory(kept) });
  first.client.close();
  const second = script({ storage: memory(new Map(kept)) });
  await turn();
  second.clock.run(200);
  await turn();
  assert.equal(second.line.hello.resume, 'S.1.x');
  second.client.close();
  second.client.connect();
  await turn();
  second.clock.run(200);
  await turn();
  assert.deepEqual([second.lines.length, second.line.hello.resume, [...held]], [2, 'S.1.x', ['chat S']]);
  second.client.close();
  second.client.connect();
  second.client.close();
  await turn();
  second.clock.run(200);
  await turn();
  assert.deepEqual([second.lines.length, [...held]], [2, []], 'one that was closed again does not come back');
}));

test('the connection can be given up for another one, which goes on at once', async () => {
  const it = await inRoom();
  it.client.reconnect();
  it.clock.run(0);
  assert.deepEqual([it.lines[0].isClosed, it.lines.length, it.line.hello.positions], [true, 2, { [ROOM]: `${EPOCH}:2` }]);
  // While it waits, too.
  it.line.lose();
  it.client.reconnect();
  assert.equal(it.lines.length, 3);
});

test('a list of members that was asked for before somebody came is passed over', async () => {
  const it = await inRoom();
  const page = { type: 'members', members: [{ ...ANN, online: false }, BOB], members_total: 2, more: false };
  const listed = it.room.listMembers();
  assert.deepEqual(it.line.asked('members'), { type: 'members', room: ROOM, id: it.line.asked('members').id });
  it.line.answer('members', page);
  assert.deepEqual((await listed).map(({ online }) => online), [false, true]);
  const late = it.room.listMembers(1);
  assert.equal(it.line.asked('members').after, 1);
  it.line.tell({ ...BOB, type: 'member_joined', room: ROOM, seq: 3, at: AT, member: 3, nick: 'Cyd' });
  it.line.answer('members', page);
  assert.deepEqual((await late).map(({ nick }) => nick), ['Ann', 'Bob', 'Cyd']);
});

test('as many messages are held as is said, and no more', async () => {
  for (const most of [0, 1, 3, 4, 10]) {
    const it = await inRoom();
    it.room.hold(most);
    assert.equal(it.room.state.more, false, 'nothing was dropped');
    for (let seq = 3; seq <= 62; seq += 1) {
      it.line.tell(message(seq, `${seq}`));
      const { messages, from, more } = it.room.state;
      assert.ok(messages.length <= most && messages.length >= Math.min(seq - 2, most - (most >> 2)), `${messages.length} of ${most}`);
      assert.deepEqual([more, from], messages.length === seq - 2 ? [false, 1] : [true, messages[0]?.seq ?? seq + 1]);
    }
  }
});

test('what is above is let go at once, and what is asked for beside it is held', async () => {
  const it = await inRoom();
  for (let seq = 3; seq <= 62; seq += 1) it.line.tell(message(seq, `${seq}`));
  it.room.hold(60);
  assert.deepEqual([it.room.messages.length, it.room.state.more], [60, false]);
  it.room.hold(10);
  assert.deepEqual([it.room.messages.length, it.room.state.from, it.room.state.more, it.room.state.synced], [10, 53, true, true]);
  const page = it.room.history(5);
  const messages = [48, 49, 50, 51, 52].map(seq => message(seq, `${seq}`));
  it.line.answer('history', { type: 'history', epoch: EPOCH, messages, more_before: true, more_after: true, as_of: 62 });
  assert.equal((await page).length, 15);
  it.line.tell(message(63, '63'));
  assert.deepEqual([it.room.messages.length, it.room.state.from], [12, 52]);
  it.room.hold(20);
  for (let seq = 64; seq <= 71; seq += 1) it.line.tell(message(seq, `${seq}`));
  assert.equal(it.room.messages.length, 20);
  it.line.tell({ ...JOINED, epoch: 'another', seq: 40, history: Array.from({ length: 30 }, (_, index) => message(index + 11, 'x')), more: true });
  assert.deepEqual([it.room.messages.length, it.room.state.from], [15, 26], 'a longer history than that, too');
});

test('what is read again after everything was dropped takes the place of what was held', async () => {
  const it = await inRoom();
  it.room.hold(10);
  it.line.tell({ type: 'gap', room: ROOM, epoch: EPOCH, from: 3, to: 900, members: [ANN, BOB], members_total: 2, topic: '', notices: 'told', changed_at: 0 });
  const messages = Array.from({ length: 50 }, (_, index) => message(851 + index, 'x'));
  it.line.answer('history', { type: 'history', epoch: EPOCH, messages, more_before: true, more_after: false, as_of: 900 });
  assert.deepEqual([it.room.state.heldMax, it.room.messages.length <= 10, it.room.state.more], [10, true, true]);
});
