// A thousand worlds of cuts, restarts, slow reads, edits and redactions, from a seed each: in the end what the client holds is what the log says.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect } from '../dist/index.js';
import './support/no-locks.mjs';
import { VirtualClock, chance } from './support/random.mjs';
import { Refusal, inWords } from './support/room-model.mjs';
import { ModelServer } from './support/server-model.mjs';

const RUNS = Number(process.env.CHAT_RUNS ?? 1_000);
const FIRST = Number(process.env.CHAT_SEED ?? 1);
const PEERS = ['ann', 'bob', 'cid', 'dan'];
const CODES = ['TEA', 'COFFEE'];

class World {
  told = [];
  sent = new Map();
  problems = [];
  #stored = new Map();

  constructor(seed) {
    this.random = chance(seed);
    const { random } = this;
    this.clock = new VirtualClock(random.random);
    this.server = new ModelServer(this.clock, random, { hasLog: random.is(0.7), backlog: 5 + random.below(40), changesMax: 3 + random.below(40) });
    this.server.refusals = random.is(0.5) ? 0.1 : 0;
    this.server.slowness = random.is(0.3) ? 0.2 : 0;
    this.server.takesWebSocket = random.is(0.8);
    this.isSse = random.is(0.3);
    this.storage = {
      getItem: key => this.#stored.get(key) ?? null,
      setItem: (key, value) => void this.#stored.set(key, value),
      removeItem: key => void this.#stored.delete(key),
    };
    for (const code of CODES) this.populate(code);
    this.open();
    for (const code of CODES) this.enter(code);
  }

  populate(code) {
    const room = this.server.found(code);
    room.membersPage = this.random.pick([2, 500]);
    if (this.random.is(0.2)) {
      room.join(PEERS[0], PEERS[0]);
      room.set(1, { history: 'none' });
    }
    for (const name of PEERS) if (room.numberOf(name) === undefined) room.join(name, name);
  }

  open() {
    const { clock, server, storage, isSse } = this;
    const ways = [['ws', server.opener('ws')], ['sse', server.opener('sse')]];
    this.client = connect({ url: 'http://model', clock, storage, transports: isSse ? ways.slice(1) : ways, catchUp: this.random.is(0.3) ? 10 : 500 });
    // With a trace every frame is printed, and when.
    if (process.env.CHAT_TRACE) {
      this.client.on('frame', frame => console.log(clock.now(), JSON.stringify(frame).slice(0, 600)));
      this.client.on('status', status => console.log(clock.now(), JSON.stringify(status)));
    }
    for (const room of this.client.rooms) this.watch(room);
  }

  enter(code) {
    // Whoever is not let in tries no more; the world goes on without them.
    this.client.join(code, { nick: 'eve' }).then(room => this.watch(room), () => {});
    const room = this.client.room(code);
    if (room) this.watch(room);
  }

  watch(room) {
    if (room.isWatched) return;
    room.isWatched = true;
    room.on('change', state => this.check(state));
  }

  /** At any time: what is held is everything there is from `from` on, but for the hole. */
  check(state) {
    const room = this.server.rooms.get(state.code);
    if (room?.epoch !== state.epoch || state.status !== 'live') return;
    const floor = room.floorOf(state.you.member);
    const { after = 0, through = 0 } = state.hole ?? {};
    const due = [...room.messages.keys()].filter(seq => seq >= state.from && seq <= state.seq && seq > floor && !(seq > after && seq <= through));
    const held = state.messages.map(({ seq }) => seq);
    if (JSON.stringify(held) !== JSON.stringify(due)) this.problems.push(`${state.code} holds ${held} and should ${due} at ${state.seq}, from ${state.from}`);
  }

  /** Somebody else does something, in a room that they are in. */
  act() {
    const { random } = this;
    const room = this.server.rooms.get(random.pick(CODES));
    if (room === undefined) return;
    const name = random.pick(PEERS);
    const number = room.numberOf(name);
    const target = random.pick([...room.messages.keys()]) ?? 1;
    try {
      if (number === undefined) room.join(name, name);
      else if (random.is(0.5)) room.send(number, { text: `said ${room.head}`, ...(random.is(0.2) && { data: { at: room.head }, reply_to: target }) });
      else {
        random.pick([
          () => room.edit(number, { target, text: `edit ${room.head}` }), () => room.redact(number, target), () => room.redact(number, target),
          () => room.react(number, { target, name: random.pick(['+1', '-1']), on: random.is(0.7) }),
          () => random.is(0.2) && room.sweep(number, 1 + random.below(room.head)), () => room.me(number, { nick: `${name}${room.head}` }),
          () => room.about(number, `about ${room.head}`), () => random.is(0.3) && room.part(number, 'left'),
        ])();
      }
    } catch (refusal) {
      if (!(refusal instanceof Refusal)) throw refusal;
    }
    this.server.pump();
  }

  /** The one under test does something. */
  speak() {
    const { random } = this;
    const room = random.pick(this.client.rooms);
    if (room === undefined || room.state.status === 'ended') return;
    const mine = room.messages.filter(({ member, redacted }) => member === room.state.you?.member && !redacted);
    const others = [
      () => mine.length > 0 && room.edit(random.pick(mine).seq, `changed ${this.sent.size}`),
      () => room.messages.length > 0 && room.react(random.pick(room.messages).seq, '+1', random.is(0.7)),
      () => mine.length > 0 && room.redact(random.pick(mine).seq), () => room.history(10), () => room.read(), () => room.typing(),
    ];
    if (random.is(0.4)) return void Promise.resolve(random.pick(others)()).catch(() => {});
    const key = `k${this.sent.size}`;
    const sent = { code: room.code, epoch: room.state.epoch, outcome: null };
    this.sent.set(key, sent);
    room.send(`mine ${key}`, { key }).then(outcome => { sent.outcome = outcome; }, error => { sent.outcome = error.code; });
  }

  /** Something goes wrong. */
  strike() {
    const { random, server } = this;
    const [line] = server.connections;
    random.pick([
      () => line?.cut(), () => line?.cut(), () => line?.cut(random.is(0.5)),
      () => { if (line) line.isStalled = true; }, () => this.flow(), () => this.flow(),
      () => random.is(0.3) && server.crash(random.below(5_000)), () => random.is(0.3) && server.drain(random.below(3_000)),
      () => random.is(0.3) && this.reload(),
      () => this.clock.run(random.pick([1_000, 10_000, 40_000, 100_000])),
      () => { for (const code of CODES) if (!server.rooms.has(code) && random.is(0.5)) this.populate(code); },
      () => random.is(0.1) && this.putOut(),
    ])();
  }

  putOut() {
    for (const room of this.server.rooms.values()) {
      const eve = room.listed().find(({ nick }) => nick === 'eve');
      if (eve && room.members.size > 1) room.part(eve.member, 'kicked', 1);
    }
    this.server.pump();
  }

  flow() {
    for (const line of this.server.connections) {
      line.isStalled = false;
      line.pump();
    }
  }

  /** The page is loaded again: what lived in it is gone, what was stored is not. */
  reload() {
    this.client.close();
    this.open();
  }

  async settle() {
    // What promises bring is asked for after they were kept.
    for (let turn = 0; turn < 40; turn += 1) {
      this.flow();
      this.clock.run(10_000);
      await null;
      await null;
    }
  }
}

async function play(seed) {
  const world = new World(seed);
  const { random, clock, server } = world;
  for (let step = 0; step < 120; step += 1) {
    random.pick([() => world.act(), () => world.act(), () => world.speak(), () => random.is(0.5) && world.strike()])();
    clock.run(random.below(300));
    await null;
  }
  server.refusals = server.slowness = 0;
  await world.settle();
  assert.deepEqual(world.problems.slice(0, 3), []);
  for (const { state, pending } of world.client.rooms) {
    if (state.status === 'ended') continue;
    const room = server.rooms.get(state.code);
    const words = `${state.code}: ${JSON.stringify({ ...state, members: 0, messages: state.messages.length })}`;
    assert.equal(state.synced, true, words);
    assert.deepEqual([state.epoch, state.seq, state.topic, state.settings], [room.epoch, room.head, room.topic, room.settings]);
    const own = state.you.member;
    const log = [...room.messages.keys()].filter(seq => seq >= state.from && seq > room.floorOf(own));
    assert.deepEqual(state.messages.map(inWords), log.map(seq => inWords(room.shown(seq))), state.code);
    assert.equal(state.more, [...room.messages.keys()].some(seq => seq < state.from && seq > room.floorOf(own)), words);
    const listed = members => members.map(({ online, ...member }) => inWords(member));
    assert.deepEqual(listed(state.members), listed(room.listed()));
    assert.equal(state.membersTotal, room.members.size);
    assert.equal(state.unread, room.readOf(own).unread, words);
    assert.deepEqual(pending, []);
  }
  checkSent(world);
  world.client.close();
  return world;
}

/** Everything was said once at most, where it was said to be, and never in another life of the room. */
function checkSent({ server, sent }) {
  const lives = [...server.rooms.values(), ...server.graveyard];
  for (const [key, { code, epoch, outcome }] of sent) {
    const said = lives.flatMap(room => room.log.filter(event => event.type === 'message' && event.text === `mine ${key}`).map(({ seq }) => ({ seq, epoch: room.epoch, code: room.code })));
    assert.ok(said.length <= 1, `${key} was said ${said.length} times`);
    if (said.length === 1) assert.deepEqual([said[0].code, said[0].epoch], [code, epoch ?? said[0].epoch], key);
    if (outcome?.seq !== undefined) assert.equal(said[0]?.seq, outcome.seq, `${key}: ${JSON.stringify(outcome)}`);
    if (['left', 'outbox_full'].includes(outcome)) assert.equal(said.length, 0, `${key}: ${outcome}`);
  }
  for (const room of lives) {
    const own = room.log.filter(({ type, text }) => type === 'message' && text.startsWith('mine ')).map(({ text }) => Number(text.slice(6)));
    assert.deepEqual(own, own.toSorted((a, b) => a - b), `out of order in ${room.code}`);
  }
}

test(`in ${RUNS} worlds what is held in the end is the log`, async t => {
  const seen = { live: 0, ended: 0, resolved: 0, refused: 0 };
  for (let seed = FIRST; seed < FIRST + RUNS; seed += 1) {
    try {
      const world = await play(seed);
      for (const { state } of world.client.rooms) seen[state.status === 'ended' ? 'ended' : 'live'] += 1;
      for (const { outcome } of world.sent.values()) seen[outcome?.seq === undefined ? 'refused' : 'resolved'] += 1;
    } catch (error) {
      error.message = `CHAT_SEED=${seed} CHAT_RUNS=1: ${error.message}`;
      throw error;
    }
  }
  t.diagnostic(JSON.stringify(seen));
  // One world alone may have none of it.
  if (RUNS >= 1_000) for (const [what, count] of Object.entries(seen)) assert.ok(count > 50, `${what} ${count}`);
});
