// Against the real server: over either transport, through cuts at random moments and restarts, what is held is what the log says.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { connect, isChatError } from '../dist/index.js';
import './support/no-locks.mjs';
import { chance } from './support/random.mjs';
import { historyOf, missing, startLine, startServer, until } from './support/real.mjs';
import { inWords } from './support/room-model.mjs';

const SEED = Number(process.env.CHAT_SEED ?? 1);
/** Clients that are cut off, of each kind of run. */
const CUT_OFF = 12;
const ROUNDS = 5;
const RESTARTED = 10;
/** How often a log is looked at until nothing happens meanwhile: more often than anything is asked whose answer nobody waits for. */
const LOOKS = 50;

const memory = () => {
  const kept = new Map();
  return { getItem: key => kept.get(key) ?? null, setItem: (key, value) => void kept.set(key, value), removeItem: key => void kept.delete(key) };
};

describe('the real server', { skip: missing() }, () => {
  let server;
  const clients = new Set();
  const lines = new Set();
  const openLine = async () => {
    const line = await startLine(server.port);
    lines.add(line);
    return line;
  };
  const open = (options = {}) => {
    const client = connect({ url: server.url, storage: null, ...options });
    clients.add(client);
    return client;
  };

  before(async () => { server = await startServer({ keeps: true }); });
  after(async () => {
    for (const client of clients) client.close();
    for (const line of lines) line.stop();
    await server?.stop();
  });

  for (const transport of ['ws', 'sse']) {
    test(`over ${transport} a room is made, talked in and left`, async () => {
      const [ann, bob] = [open({ transports: [transport] }), open({ transports: [transport] })];
      const annes = await ann.create(null, { nick: 'Ann', data: { id: 'u1' } });
      const bobs = await bob.join(annes.code, { nick: 'Bob' });
      assert.deepEqual([ann.status.name, ann.status.transport], ['open', transport]);
      const sent = await annes.send('hello', { data: { kind: 'wave' } });
      await until(() => bobs.messages.length === 1);
      assert.deepEqual([bobs.messages[0].seq, bobs.messages[0].at, bobs.state.unread], [sent.seq, sent.at, 1]);
      bobs.read();
      await until(() => bobs.state.unread === 0 && bobs.state.synced);
      await bobs.react(sent.seq, '👍');
      await annes.edit(sent.seq, 'hello there');
      await until(() => bobs.messages[0].text === 'hello there');
      assert.deepEqual(bobs.messages[0].reactions, [{ name: '👍', count: 1, by: [2] }]);
      assert.equal('data' in bobs.messages[0], false);
      annes.typing();
      await until(() => bobs.state.typing.includes(1));
      await assert.rejects(bobs.edit(sent.seq, 'not mine'), error => isChatError(error, 'forbidden'));
      await assert.rejects(bobs.topic('not mine'), error => isChatError(error, 'forbidden'));
      await assert.rejects(bob.join('NOWHERE', { nick: 'Bob' }), error => isChatError(error, 'room_not_found'));
      await annes.topic('Tea');
      await annes.settings({ slow_ms: 1_000 });
      await until(() => bobs.state.topic === 'Tea' && bobs.state.settings.slow_ms === 1_000);
      await annes.redact(sent.seq);
      await until(() => bobs.messages[0].redacted);
      assert.deepEqual(bobs.messages.map(inWords), (await logOf(annes, bobs)).map(inWords));
      const quiet = await open({ transports: [transport] }).join(annes.code, { nick: 'Cid' });
      await annes.kick(quiet.state.you.member);
      await until(() => quiet.state.status === 'ended');
      assert.deepEqual(quiet.state.ended, { why: 'kicked', by: 1 });
      await assert.rejects(quiet.send('too late'), error => isChatError(error, 'left'));
      await bobs.leave();
      await until(() => annes.members.length === 1);
      assert.deepEqual([bob.rooms.length, annes.members[0].data], [0, { id: 'u1' }]);
      await ann.end();
      await until(() => ann.status.name === 'closed');
      assert.equal(ann.status.code, 4503);
    });

    test(`over ${transport} cuts at random moments cost nothing`, async () => {
      const random = chance(SEED);
      const line = await openLine();
      const runs = Array.from({ length: CUT_OFF }, () => stretch(line, [transport], random));
      const cutting = cut(line, random, runs);
      await Promise.all(runs);
      await cutting;
      line.stop();
    });
  }

  test('a line that goes mute is noticed, and left', async () => {
    const line = await openLine();
    const client = open({ url: line.url, transports: ['ws'] });
    const room = await client.create(null, { nick: 'Ann' });
    line.mute();
    // As a page does that is shown again.
    globalThis.dispatchEvent ? globalThis.dispatchEvent(new Event('online')) : room.typing();
    const sent = room.send('said into the void');
    assert.equal((await sent).seq, room.messages[0].seq);
    assert.equal((await logOf(room)).length, 1);
    line.stop();
  });

  test('where WebSocket is refused, SSE is taken, and the session goes on', async () => {
    const line = await openLine();
    const client = open({ url: line.url });
    const room = await client.create(null, { nick: 'Ann' });
    assert.equal(client.status.transport, 'ws');
    line.rules.webSocket = 'refused';
    const blocked = open({ url: line.url });
    const other = await blocked.join(room.code, { nick: 'Bob' });
    assert.equal(blocked.status.transport, 'sse');
    await other.send('by SSE');
    await until(() => room.messages.length === 1);
    line.cut();
    await until(() => blocked.status.name === 'open' && other.state.synced);
    assert.equal(blocked.status.transport, 'sse', 'what is blocked is not tried again and again');
    line.stop();
  });

  test('what is said faster than the server takes it waits, and all of it is said in order', async () => {
    const strict = await startServer({ flags: [] });
    const client = open({ url: strict.url });
    const room = await client.create(null, { nick: 'Ann' });
    const sent = await Promise.all(Array.from({ length: 16 }, (_, index) => room.send(String(index))));
    assert.deepEqual(sent.map(({ seq }) => seq), sent.map((_, index) => sent[0].seq + index));
    client.close();
    await strict.stop();
  });

  test('whoever was put out and is back is somebody new, and sees what newcomers see', async () => {
    const [ann, bob] = [await open().create(null, { nick: 'Ann' }), open()];
    await ann.settings({ history: 'none' });
    await ann.send('before');
    const bobs = await bob.join(ann.code, { nick: 'Bob' });
    await ann.send('between');
    await until(() => bobs.messages.length === 1);
    await ann.kick(bobs.state.you.member);
    await until(() => bobs.state.status === 'ended');
    await ann.send('without Bob');
    assert.equal(await bob.join(ann.code, { nick: 'Bob' }), bobs, 'a room is the same one again');
    await ann.send('after');
    await ann.edit(ann.messages[0].seq, 'changed before');
    await until(() => bobs.state.seq === ann.state.seq && bobs.state.synced);
    assert.deepEqual([bobs.messages.map(({ text }) => text), bobs.state.you.member, bobs.state.more], [['after'], 3, false]);
  });

  test('of many who react the first eight are named, whoever of them takes it back', async () => {
    const room = await open().create(null, { nick: 'Ann' });
    const crowd = await Promise.all(Array.from({ length: 10 }, (_, index) => open().join(room.code, { nick: `Reader ${index}` })));
    const { seq } = await room.send('hello');
    for (const reader of crowd) await reader.react(seq, '👍');
    await crowd[3].react(seq, '👍', false);
    await crowd[0].react(seq, '👍', false);
    await crowd[0].react(seq, '👍');
    await until(() => room.state.synced && room.messages[0].reactions[0].count === 9);
    assert.deepEqual(room.messages.map(inWords), (await logOf(room)).map(inWords));
    assert.equal(room.messages[0].reactions[0].by.length, 8);
  });

  test('a page that is loaded again says what it had still to say, once', async () => {
    const storage = memory();
    const first = open({ storage });
    const room = await first.create(null, { nick: 'Ann' });
    first.close();
    for (const text of ['one', 'two', 'three']) room.send(text).catch(() => {});
    const second = open({ storage });
    const [same] = second.rooms;
    await until(() => same.state.synced && same.pending.length === 0);
    assert.deepEqual([same.code, same.state.you.member, same.messages.map(({ text }) => text)], [room.code, 1, ['one', 'two', 'three']]);
  });

  test('another connection with the session ends the first, which forgets it', async () => {
    const storage = memory();
    const first = open({ storage });
    await first.create(null, { nick: 'Ann' });
    const second = open({ storage });
    await until(() => first.status.name === 'closed');
    assert.equal(first.status.code, 4501);
    await until(() => second.rooms[0]?.state.synced);
  });

  test(`restarts, by a crash and in good order, cost nothing: ${ROUNDS * RESTARTED} clients`, async () => {
    const random = chance(SEED + 1);
    for (let round = 0; round < ROUNDS; round += 1) {
      const line = await openLine();
      const runs = Array.from({ length: RESTARTED }, (_, index) => stretch(line, index % 2 ? ['sse'] : ['ws', 'sse'], random));
      const striking = (async () => {
        await pause(random.below(400));
        await server.restart(random.is(0.6) ? 'SIGKILL' : 'SIGTERM');
        await cut(line, random, runs, 3);
      })();
      await Promise.all([...runs, striking]);
      line.stop();
    }
  });

  /** A room in which two talk, of whom one comes over a line that is cut; in the end what they hold is the log. */
  async function stretch(line, transports, random) {
    const steady = open();
    const shaky = open({ url: line.url, transports, storage: memory(), catchUp: random.is(0.3) ? 3 : 500 });
    const room = await steady.create(null, { nick: 'Ann' });
    const other = await shaky.join(room.code, { nick: 'Bob' });
    const sends = [];
    for (let step = 0; step < 40; step += 1) {
      const who = random.is(0.5) ? room : other;
      const own = who.messages.filter(({ member, redacted }) => member === who.state.you.member && !redacted);
      const target = own.length > 0 ? random.pick(own).seq : null;
      const kind = random.below(10);
      if (kind < 5 || target === null) sends.push([who, `${who.state.you.nick} ${step}`, who.send(`${who.state.you.nick} ${step}`)]);
      else if (kind < 7) who.edit(target, `changed ${step}`).catch(allowed);
      else if (kind < 8) who.redact(target).catch(allowed);
      else if (kind < 9) who.react(target, '👍', random.is(0.7)).catch(allowed);
      else if (random.is(0.2)) who.command({ type: 'redact_all', member: who.state.you.member, from: target }).catch(allowed);
      else who.read();
      await pause(random.below(40));
    }
    // The last word is one whose answer nobody waits for.
    for (const who of [room, other]) {
      const last = who.messages.findLast(({ member, redacted }) => member === who.state.you.member && !redacted);
      if (last) who.redact(last.seq).catch(allowed);
    }
    const outcomes = await Promise.all(sends.map(([, , sent]) => sent));
    const log = (await logOf(room, other)).map(inWords);
    for (const { state, messages } of [room, other]) {
      const held = messages.map(inWords);
      assert.deepEqual(held, log.slice(log.length - held.length), `${room.code}, ${SEED}`);
      assert.equal(state.more, held.length < log.length);
      assert.deepEqual(state.members.map(({ nick }) => nick), ['Ann', 'Bob']);
    }
    // Each was said once, where it was said to be, and in the order in which it was handed in.
    for (const who of [room, other]) {
      const seqs = sends.flatMap(([by], index) => by === who ? [outcomes[index].seq] : []);
      assert.deepEqual(seqs, seqs.toSorted((a, b) => a - b));
    }
    assert.equal(log.length, sends.length);
    const counted = log.map(words => JSON.parse(words)).filter(({ seq, member, redacted }) => seq > other.state.read.through && member === 1 && !redacted);
    assert.equal(other.state.unread, counted.length);
    steady.close();
    shaky.close();
  }
});

const pause = ms => new Promise(done => setTimeout(done, ms));

/**
 * The whole log, as of the event up to which all of these rooms hold it. What was asked on a connection that was cut is done later, or never: a
 * page may be older or newer than what is held, and neither is wrong.
 */
async function logOf(...rooms) {
  for (let tries = 0; tries < LOOKS; tries += 1) {
    await until(() => rooms.every(({ state, pending }) => state.synced && state.seq === rooms[0].state.seq && pending.length === 0),
      JSON.stringify(rooms.map(({ state }) => ({ ...state, messages: state.messages.length }))));
    const { messages, asOf } = await historyOf(rooms[0]);
    if (rooms.every(({ state }) => state.synced && asOf.every(seq => seq === state.seq))) return messages;
  }
  throw new Error(`${rooms[0].code} does not come to rest`);
}

/** What may become of an edit or redaction whose message was taken back meanwhile, or whose answer was lost. */
function allowed(error) {
  if (!isChatError(error) || !['message_not_found', 'disconnected', 'unavailable', 'draining'].includes(error.code)) throw error;
}

/** Cuts a line, now here and now there, until all of these are done. */
async function cut(line, random, runs, most = 6) {
  let isDone = false;
  Promise.allSettled(runs).then(() => { isDone = true; });
  for (let count = 0; !isDone && count < most; count += 1) {
    await pause(20 + random.below(400));
    line.cut();
  }
}
