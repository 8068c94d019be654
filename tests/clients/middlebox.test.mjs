// The stock Socket.IO client behind middleboxes that let the change to WebSocket begin and not end: it stays connected, by long-polling.

import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { io } from 'socket.io-client';
import { PATIENCE_MS, startServer } from '../browser/chat.mjs';

const UPGRADE = /upgrade: websocket/i;

/**
 * A proxy of TCP on a port of its own. `harm(client, server)` is done to the connection of a WebSocket when its client first says something after
 * the 101; `upgrades` counts those that came so far, and `ended` those that are over.
 */
async function startMiddlebox(target, harm) {
  const box = { upgrades: 0, ended: 0 };
  const sockets = new Set();
  const listener = net.createServer(client => {
    const server = net.connect(target, '127.0.0.1');
    let isWebSocket = false, isHarmed = false;
    for (const [from, to] of [[client, server], [server, client]]) {
      sockets.add(from);
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
    server.on('data', bytes => { if (!isHarmed) client.write(bytes); });
    client.on('data', bytes => {
      if (isWebSocket) {
        isHarmed = true;
        return harm(client, server);
      }
      if (UPGRADE.test(bytes.toString('latin1'))) {
        isWebSocket = true;
        box.upgrades += 1;
        client.on('close', () => { box.ended += 1; });
      }
      server.write(bytes);
    });
  });
  await new Promise(done => listener.listen(0, '127.0.0.1', done));
  box.url = `http://127.0.0.1:${listener.address().port}`;
  box.stop = () => {
    sockets.forEach(socket => socket.destroy());
    listener.close();
  };
  return box;
}

/** Until `look` comes true. */
async function until(look) {
  const patience = Date.now() + PATIENCE_MS;
  while (!look()) {
    assert.ok(Date.now() < patience, `in vain: ${look}`);
    await new Promise(done => setTimeout(done, 20));
  }
}

for (const [what, harm] of [
  ['cuts it', (client, server) => { client.destroy(); server.destroy(); }],
  ['cuts the side of the server', (client, server) => server.destroy()],
  ['swallows all of it', () => {}],
]) {
  test(`a client whose middlebox ${what} stays connected`, async t => {
    const server = await startServer();
    const box = await startMiddlebox(server.port, harm);
    const socket = io(box.url);
    t.after(async () => {
      socket.close();
      box.stop();
      await server.stop();
    });
    const told = [], lost = [];
    let connects = 0;
    socket.on('connect', () => { connects += 1; });
    socket.on('disconnect', reason => lost.push(reason));
    socket.on('message', frame => told.push(frame.text));
    const ask = (name, fields) => socket.timeout(PATIENCE_MS).emitWithAck(name, fields);
    const joined = await ask('create', { nick: 'Ann' });
    const say = async text => assert.equal((await ask('send', { room: joined.room, text })).type, 'ack');
    await until(() => box.upgrades > 0);
    for (const text of ['one', 'two', 'three']) await say(text);
    if (what !== 'swallows all of it') await until(() => box.ended > 0);
    for (const text of ['four', 'five']) await say(text);
    await until(() => told.length === 5);
    assert.deepEqual(told, ['one', 'two', 'three', 'four', 'five']);
    assert.deepEqual([connects, lost, socket.io.engine.transport.name], [1, [], 'polling']);
  });
}
