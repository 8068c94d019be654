// The ten recipes, each run as it stands in the README, against the real server.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { transformSync } from 'esbuild';
import { connect } from 'chat-core-client';
import { missing, startServer } from './support/real.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = `${ROOT}/test/recipes-run`;
const recipes = [...readFileSync(`${ROOT}/README.md`, 'utf8').matchAll(/```ts\n(.*?)```/gs)].map(([, code]) => code);
const KEY = 'forty-eight-letters-that-nobody-else-could-think-of';

/** As an application makes it for somebody who is logged in. */
function tokenOf(claims) {
  const part = value => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256' })}.${part({ exp: Math.floor(Date.now() / 1_000) + 600, ...claims })}`;
  return `${signed}.${createHmac('sha256', KEY).update(signed).digest('base64url')}`;
}

describe('recipes', { skip: missing() }, () => {
  let server;
  const clients = [];
  const open = (options = {}) => clients[clients.push(connect({ url: server.url, storage: null, ...options })) - 1];
  before(async () => {
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(`${FOLDER}/key`, KEY, { mode: 0o600 });
    server = await startServer({ flags: ['--send-rate', '0', '--sessions-per-address', '0', '--jwt-key', `${FOLDER}/key`, '--guests', 'allow'] });
  });
  after(async () => {
    clients.forEach(client => client.close());
    await server?.stop();
    rmSync(FOLDER, { recursive: true, force: true });
  });

  /** Runs a recipe in the room LUNCH, which somebody else has made; `said()` is what stands in its log after that. */
  async function run(number) {
    const host = await open().create('LUNCH', { nick: 'Host' });
    await host.send('first');
    const code = recipes[number - 1];
    const asksForRoom = /\broom\b/.test(code) && !/const room\b|room: Room/.test(code);
    const listeners = {};
    const said = [];
    globalThis.recipe = {
      said,
      room: asksForRoom ? await open().join('LUNCH', { nick: 'Guest' }) : undefined,
      document: {
        title: '', visibilityState: 'visible',
        addEventListener: (name, listener) => { listeners[name] = listener; },
        querySelector: () => ({ addEventListener: (name, listener) => { listeners[name] = listener; } }),
      },
      fetch: async () => new Response(tokenOf({ sub: 'ann', name: 'Ann of the application' })),
      process: { on: (name, listener) => { listeners[name] = listener; } },
      console: { log: (...words) => said.push(words.join(' ')) },
      connect: options => open({ ...options, url: server.url }),
    };
    const own = code.replace(/^import .*$/gm, '').replace(/^export /gm, '');
    const names = ['room', 'document', 'fetch', 'process', 'console', 'connect'].filter(name => name !== 'room' || asksForRoom);
    const file = `${FOLDER}/${number}.mjs`;
    const { code: plain } = transformSync(own, { loader: 'ts', format: 'esm' });
    const last = /function (\w+)/.exec(own)?.[1];
    writeFileSync(file, `import { isChatError } from 'chat-core-client';\nconst { ${names.join(', ')} } = globalThis.recipe;\n${plain}\n`
      + (last ? `export { ${last} };\n` : ''));
    const module = await import(file);
    return { host, listeners, module, said, ...globalThis.recipe };
  }

  /** Waits until something is so; in vain it fails. */
  async function until(isSo, what) {
    const end = Date.now() + 10_000;
    while (!isSo()) {
      assert.ok(Date.now() < end, `never: ${what}`);
      await new Promise(done => { setTimeout(done, 10); });
    }
  }
  const texts = host => host.state.messages.map(({ text, redacted }) => redacted ? null : text);

  const outcomes = {
    async 1({ host, said }) {
      assert.match(said[0], /^said as \d+ at \d{4}-/);
      await until(() => texts(host).includes('hello'), 'it is said');
    },
    async 2({ host, said }) {
      await host.send('shown');
      await until(() => said.includes('Host: shown'), 'it is shown');
      assert.match(said[0], /: 2 members, live/);
    },
    async 3({ host, said }) {
      await until(() => texts(host).includes('written on a train'), 'it is said');
      assert.match(said[0], /^waiting: written on a train \(/);
    },
    async 4({ module, host }) {
      await module.scrolledUp(host);
      assert.deepEqual(texts(host), ['first']);
    },
    async 5({ host }) {
      await until(() => texts(host).at(-1) === null, 'it is taken back');
    },
    async 6({ host, document, listeners }) {
      await host.send('unread');
      await until(() => document.title === '(1) Chat', 'the title says so');
      listeners.visibilitychange();
      await until(() => document.title === 'Chat', 'it is read');
    },
    async 7({ host, listeners, said }) {
      listeners.input();
      await until(() => texts(host).includes('Let me see. It is noon.'), 'it has grown');
      await until(() => said.length > 0, 'what passes is told');
      await until(() => host.state.signals.length > 0, 'a hand is up');
    },
    async 8({ host }) {
      await clients.at(-1).join('LUNCH', { nick: 'Somebody' });
      await until(() => host.members.some(({ nick }) => nick === 'Ann of the application'), 'it is known by the token');
    },
    async 9({ host, said }) {
      const guest = () => host.members.find(({ nick }) => nick === 'Ann');
      await until(() => guest() !== undefined, 'it is in');
      await host.kick(guest().member);
      await until(() => said.includes('out: kicked '), 'it says why');
    },
    async 10({ host, listeners }) {
      await host.send('hello');
      await until(() => texts(host).includes('you said: hello'), 'it echoes');
      await listeners.SIGINT();
      await until(() => host.members.length === 1, 'it has left');
    },
  };

  for (let number = 1; number <= recipes.length; number += 1) {
    test(`recipe ${number} runs`, async () => {
      const it = await run(number);
      try {
        await outcomes[number](it);
      } finally {
        clients.splice(0).forEach(client => client.end().catch(() => client.close()));
        await server.restart();
      }
    });
  }
});
