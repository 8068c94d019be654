// A line between page and server that can be cut and mended, and proxies that are no friends of WebSocket.

import { connect, createServer } from 'node:net';
import { endWithTest } from './begun.mjs';

const REFUSAL = 'HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n';

/**
 * Listens in front of `port`. While cut, nothing passes and nothing connects. `upgrades` says what becomes of WebSockets:
 * they `pass`, are `refused`, are `swallowed` (no answer ever comes), or are `muted` (they open, and nothing comes
 * after). `streams` says the same of SSE: `pass` or `refused`.
 */
export async function startProxy(port, rules = {}) {
  const sockets = new Set();
  const seen = { upgrades: 0 };
  let isCut = false;
  const server = createServer(near => {
    if (isCut) return near.destroy();
    keep(near);
    let far = null;
    let isSwallowed = false;
    // A browser waits for an answer before its next request on a line: each begins a chunk.
    near.on('data', chunk => {
      if (isSwallowed) return;
      const head = chunk.toString('latin1');
      const isUpgrade = /^upgrade: *websocket/im.test(head);
      const isStream = /^(GET|HEAD) \/sse\b/.test(head);
      seen.upgrades += isUpgrade;
      const fate = isUpgrade ? rules.upgrades : isStream ? rules.streams : 'pass';
      if (fate === 'refused') return near.end(REFUSAL);
      isSwallowed = fate === 'swallowed';
      if (isSwallowed) return;
      far ??= reach(near, fate === 'muted');
      far.write(chunk);
    });
  });

  function keep(socket) {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  }

  function reach(near, isMuted) {
    const far = connect(port, '127.0.0.1');
    keep(far);
    near.on('close', () => far.destroy());
    far.on('close', () => near.destroy());
    if (isMuted) far.once('data', answer => near.write(answer) && far.resume());
    else far.pipe(near);
    return far;
  }

  await new Promise(done => server.listen(0, '127.0.0.1', done));
  const cut = () => {
    isCut = true;
    for (const socket of sockets) socket.destroy();
  };
  const stop = () => {
    cut();
    server.close();
  };
  endWithTest(stop);
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    seen,
    rules,
    cut,
    mend() {
      isCut = false;
    },
    stop,
  };
}
