// Stock clients of every transport in one room: all are told the same messages in the same order, over a cut line too.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { PATIENCE_MS, withBrowser } from '../browser/chat.mjs';
import { startProxy } from '../browser/proxy.mjs';
import { test } from 'node:test';
import { Browser, Curl, PlainWebSocket, Python, SocketIo } from './clients.mjs';

const ROOM = 'MIXED';
const ROUNDS = 5;

/** Why a client cannot run here; under CI none may be missing. */
function missing() {
  const lacks = [];
  if (spawnSync('python3', ['-c', 'import socketio']).status !== 0) lacks.push('python-socketio');
  if (spawnSync('curl', ['--version']).status !== 0) lacks.push('curl');
  if (lacks.length > 0 && process.env.CI === 'true') throw new Error(`missing: ${lacks}; CI must not skip this test`);
  return lacks.length > 0 && `missing: ${lacks}`;
}

async function until(what, look) {
  const patience = Date.now() + PATIENCE_MS;
  while (!look()) {
    if (Date.now() > patience) throw new Error(`in vain: ${what()}`);
    await new Promise(done => setTimeout(done, 20));
  }
}

withBrowser('stock clients', chat => {
  test('all are told the same, and nothing is lost or repeated by a cut', { skip: missing() }, async t => {
    const line = await startProxy(chat.server.port);
    const page = async () => (await chat.browser.newContext()).newPage();
    // Straight to the server: it is there while the others are cut off.
    const anchor = new PlainWebSocket('anchor', chat.server.url, ROOM);
    anchor.open([{ type: 'create', id: 1, room: ROOM, nick: 'anchor' }]);
    await anchor.joined;
    const clients = [];
    t.after(() => {
      [anchor, ...clients].forEach(client => client.stop());
      line.stop();
    });
    const enter = async (client, ...options) => {
      clients.push(client);
      await client.start(...options);
    };
    await enter(new SocketIo('io', line.url, ROOM));
    await enter(new SocketIo('io-ws', line.url, ROOM), { transports: ['websocket'] });
    await enter(new PlainWebSocket('ws', line.url, ROOM));
    await enter(new Curl('curl', line.url, ROOM));
    await enter(new Python('python', line.url, ROOM));
    await enter(new Browser('event-source', line.url, ROOM), await page(), 'EventSource');
    await enter(new Browser('web-socket', line.url, ROOM), await page(), 'WebSocket');
    const all = [anchor, ...clients];

    const talk = async (speakers, prefix) => {
      for (let round = 0; round < ROUNDS; round += 1) {
        for (const speaker of speakers) await speaker.send(`${prefix}${round}`);
      }
    };
    let expected = 0;
    const everybodyHas = more => {
      expected += more;
      const counts = () => all.map(client => `${client.name} ${client.told.length}`).join(', ');
      return until(() => `${expected} each, but ${counts()}`, () => all.every(client => client.told.length >= expected));
    };

    await talk(all, 'together ');
    await everybodyHas(ROUNDS * all.length);
    const before = all.map(client => client.welcomes);
    line.cut();
    await talk([anchor], 'alone ');
    line.mend();
    await everybodyHas(ROUNDS);
    await talk(all, 'again ');
    await everybodyHas(ROUNDS * all.length);

    for (const [index, client] of all.entries()) {
      // python-socketio starts a thread for each event: in which order they run is not the order of what came.
      const told = client instanceof Python ? client.told.toSorted((one, other) => parseInt(one) - parseInt(other)) : client.told;
      assert.deepEqual(told, anchor.told, `${client.name} was told something else`);
      assert.deepEqual(client.problems, [], client.name);
      const welcomes = client === anchor ? 1 : before[index] + 1;
      assert.ok(client.welcomes >= welcomes, `${client.name} was cut off and came back`);
    }
    assert.equal(new Set(anchor.told).size, expected, 'no message twice');
  });
});
