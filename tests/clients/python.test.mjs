// The example in Python against the real server, over a line that is cut: what it holds is the log, and what it said was said once.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import WebSocket from 'ws';
import { missing as noServer, startLine, startServer, until } from '../../clients/js/test/support/real.mjs';

const SEED = Number(process.env.CHAT_SEED ?? 1);
const ROUNDS = 10;
const STEPS = 40;

/** Why it cannot run here; under CI nothing may be missing. */
function missing() {
  if (spawnSync('python3', ['-c', 'import websockets']).status === 0) return noServer();
  if (process.env.CI === 'true') throw new Error('missing: the Python package websockets; CI must not skip this test');
  return 'missing: the Python package websockets';
}

/** Numbers from a seed (mulberry32). */
function chance(seed) {
  return bound => {
    seed = (seed + 0x6D2B79F5) | 0;
    let mixed = Math.imul(seed ^ (seed >>> 15), seed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % bound;
  };
}

/** A plain client that asks one thing after the other. */
async function open(url) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/ws`, ['chat.v1']);
  const answers = new Map();
  let id = 0;
  socket.on('message', text => {
    const frame = JSON.parse(text);
    answers.get(frame.id)?.(frame);
    answers.delete(frame.id);
  });
  await new Promise(done => socket.once('open', done));
  return {
    ask(frame) {
      id += 1;
      socket.send(JSON.stringify({ ...frame, id }));
      return new Promise(done => answers.set(id, done));
    },
    stop: () => socket.close(),
  };
}

async function logOf(ann, room) {
  const { messages, more_before: more } = await ann.ask({ type: 'history', room, limit: 200 });
  assert.equal(more, false);
  return messages;
}

test('the example in Python holds the log, over a line that is cut', { skip: missing(), timeout: 120_000 }, async t => {
  const server = await startServer();
  t.after(() => server.stop());
  for (let round = 0; round < ROUNDS; round += 1) {
    const seed = SEED + round;
    const below = chance(seed);
    const line = await startLine(server.port);
    const ann = await open(server.url);
    const { room } = await ann.ask({ type: 'create', nick: 'Ann' });
    const script = `${import.meta.dirname}/python_chat.py`;
    const python = spawn('python3', [script, `${line.url.replace('http', 'ws')}/ws`, room, 'Bob'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const stop = () => {
      python.kill();
      ann.stop();
      line.stop();
    };
    t.after(stop);
    let state = { seq: 0, messages: [] };
    let welcomes = 0;
    createInterface({ input: python.stdout }).on('line', text => {
      state = JSON.parse(text);
      welcomes += state.welcomed;
    });
    await until(() => state.is_live, `${seed}: joined`);
    const [said, seqs] = [[], []];
    let cuts = 0;
    for (let step = 0; step < STEPS; step += 1) {
      const kind = below(10);
      if (kind < 3 || seqs.length === 0) {
        const { seq } = await ann.ask({ type: 'send', room, text: `Ann ${step}` });
        seqs.push(seq);
      } else if (kind < 6) {
        said.push(`Bob ${step}`);
        python.stdin.write(`${JSON.stringify(said.at(-1))}\n`);
      } else if (kind < 8) await ann.ask({ type: 'edit', room, target: seqs[below(seqs.length)], text: `changed ${step}` });
      else if (kind < 9) await ann.ask({ type: 'react', room, target: seqs[below(seqs.length)], name: '+1', on: below(3) > 0 });
      else await ann.ask({ type: below(4) > 0 ? 'redact' : 'redact_all', room, target: seqs[below(seqs.length)], member: 1, from: seqs.at(-1) });
      if (below(6) === 0) {
        line.cut();
        cuts += 1;
      }
      await new Promise(done => setTimeout(done, below(20)));
    }
    const isDone = () => state.taken === said.length && state.is_live && state.waiting === 0 && state.known === state.seq && !state.is_stale;
    await until(isDone, `${seed}: all is said, ${JSON.stringify({ ...state, messages: state.messages.length })}`);
    const log = await logOf(ann, room);
    const { seq } = await ann.ask({ type: 'send', room, text: 'the last' });
    await until(() => isDone() && state.seq >= seq, `${seed}: the last`);
    const now = await logOf(ann, room);
    assert.deepEqual(state.messages, now, `${seed}: what is held is the log`);
    assert.deepEqual(log.filter(({ nick }) => nick === 'Bob').map(({ text }) => text), said, `${seed}: each once, and in order`);
    assert.ok(cuts === 0 || welcomes > 1, `${seed}: it was cut off and came back`);
    stop();
  }
});
