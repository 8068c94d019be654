// Below a path prefix, behind a proxy that takes it away: the page, every transport, and links.

import assert from 'node:assert/strict';
import { createServer, request } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import { endWithTest } from './begun.mjs';
import { create, enter, EVERY_BROWSER, hear, over, say, withBrowser } from './chat.mjs';

const PREFIX = '/talk/here';

/** Listens in front of `port`; what is not below the prefix is not there. Answers where the page is. */
async function startMount(port) {
  const sockets = new Set();
  const strange = [];
  const inner = url => url.startsWith(`${PREFIX}/`) ? url.slice(PREFIX.length) : null;
  const server = createServer((asked, answer) => {
    const path = inner(asked.url);
    if (path === null) {
      // Browsers look there for an icon unasked.
      if (asked.url !== '/favicon.ico') strange.push(asked.url);
      return answer.writeHead(404).end();
    }
    const { method, headers } = asked;
    const far = request({ host: '127.0.0.1', port, path, method, headers }, told => {
      answer.writeHead(told.statusCode, told.headers);
      answer.flushHeaders();
      told.pipe(answer);
    });
    far.on('error', () => answer.destroy());
    answer.on('close', () => far.destroy());
    asked.pipe(far);
  });
  server.on('upgrade', (asked, near, head) => {
    const path = inner(asked.url);
    if (path === null) return strange.push(asked.url) && near.destroy();
    const far = connect(port, '127.0.0.1', () => {
      const headers = asked.rawHeaders.map((value, index) => index % 2 === 0 ? `${value}: ` : `${value}\r\n`).join('');
      far.write(`GET ${path} HTTP/1.1\r\n${headers}\r\n`);
      far.write(head);
      far.pipe(near);
      near.pipe(far);
    });
    for (const [one, other] of [[near, far], [far, near]]) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  });
  server.on('connection', socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  endWithTest(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { url: `http://127.0.0.1:${server.address().port}${PREFIX}`, strange };
}

withBrowser('prefix', chat => {
  for (const [name, words] of [['ws', 'WebSocket'], ['sse', 'SSE + POST'], ['socketio', 'Socket.IO']]) {
    test(`below a prefix all is there, over ${words}`, async () => {
      const { url, strange } = await startMount(chat.server.port);
      const [ann, bob] = [await chat.open(), await chat.open(`/?transport=${name}`, { url })];
      const code = await create(ann, 'Ann');
      await enter(bob, 'Bob', code);
      await over(bob, words);
      await say(bob, 'from below');
      await hear(ann, 'from below');
      await say(ann, 'from above');
      await hear(bob, 'from above');
      assert.deepEqual(strange, []);
      assert.equal(bob.url(), `${url}/?transport=${name}#${code}`);
      await bob.reload();
      await hear(bob, 'from above');
      await over(bob, words);
    });
  }

  test('a link to a room says where the page is', async () => {
    const { url, strange } = await startMount(chat.server.port);
    const ann = await chat.open('/', {
      url,
      prepare: () => {
        Object.defineProperty(navigator, 'clipboard', { value: { writeText: async text => { window.copied = text; } } });
      },
    });
    const code = await create(ann, 'Ann');
    await ann.getByRole('button', { name: 'Copy link to this room' }).click();
    await ann.getByText('Link copied').waitFor();
    assert.equal(await ann.evaluate(() => window.copied), `${url}/#${code}`);
    assert.deepEqual(strange, []);
  });
}, { browsers: EVERY_BROWSER });
