// The real server, a line to it that can be cut, and a plain client that says what its log says.

import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { connect as connectTcp, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const SERVER = process.env.CHAT_SERVER ?? fileURLToPath(new URL('../../../../target/release/server', import.meta.url));
/** Longer than any condition takes; reached only when one never comes true. */
export const PATIENCE_MS = 60_000;
const FREE = ['--send-rate', '0', '--sessions-per-address', '0'];

/** Why tests with the server cannot run here, or false; under CI none may be missing. */
export function missing() {
  if (existsSync(SERVER)) return false;
  const why = `there is no server at ${SERVER}: build it, or name it in CHAT_SERVER`;
  if (process.env.CI === 'true') throw new Error(`${why}; CI must not skip these tests`);
  return why;
}

/** Starts the server on a port of its own; with `keeps` it has a folder, and `restart` brings it back with what is in it. */
export async function startServer({ flags = FREE, keeps = false } = {}) {
  const folder = keeps ? mkdtempSync(join(tmpdir(), 'chat-client-')) : null;
  const port = await freePort();
  let running = await launch();

  async function launch() {
    const kept = folder === null ? [] : ['--data', folder, '--keep-empty', '1h'];
    const child = spawn(SERVER, ['--listen', `127.0.0.1:${port}`, '--drain-spread', '1', ...kept, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
    const ended = new Promise(done => child.once('exit', done));
    const lines = [];
    await new Promise((ready, fail) => {
      const hear = line => lines.push(line) && line.includes(`:${port}/`) && ready();
      createInterface({ input: child.stdout }).on('line', hear);
      createInterface({ input: child.stderr }).on('line', hear);
      ended.then(code => fail(new Error(`the server ended with ${code}:\n${lines.join('\n')}`)));
    });
    return { child, ended };
  }

  async function end(signal) {
    running.child.kill(signal);
    await running.ended;
  }

  return {
    port,
    url: `http://127.0.0.1:${port}`,
    /** Goes down, in good order or by a crash, and comes back. */
    async restart(signal = 'SIGKILL') {
      await end(signal);
      running = await launch();
    },
    async stop() {
      await end('SIGKILL');
      if (folder !== null) rmSync(folder, { recursive: true, force: true });
    },
  };
}

export function freePort() {
  return new Promise((done, fail) => {
    const probe = createServer().once('error', fail).listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => done(port));
    });
  });
}

/** A line in front of a port. It can be cut, go mute, and refuse WebSockets. */
export async function startLine(port) {
  const rules = { webSocket: 'pass' };
  const pairs = new Set();
  const sockets = new Set();
  const server = createServer(near => {
    const far = connectTcp(port, '127.0.0.1');
    const pair = { near, far, isMute: false };
    pairs.add(pair);
    for (const [socket, other] of [[near, far], [far, near]]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        pairs.delete(pair);
        sockets.delete(socket);
        // A line that has gone mute tells nobody.
        if (!pair.isMute) other.destroy();
      });
    }
    near.on('data', bytes => {
      if (pair.isMute) return;
      const isUpgrade = /^upgrade: *websocket/im.test(bytes.toString('latin1'));
      if (isUpgrade && rules.webSocket === 'refused') near.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
      else if (!isUpgrade || rules.webSocket === 'pass') far.write(bytes);
    });
    far.on('data', bytes => pair.isMute || near.write(bytes));
  });
  await new Promise(done => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    rules,
    cut() {
      for (const { near, far } of pairs) {
        near.destroy();
        far.destroy();
      }
    },
    /** Nothing gets through any more on the connections that there are, and nobody is told so. */
    mute() {
      for (const pair of pairs) pair.isMute = true;
    },
    stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

/** Until `look` comes true. */
export async function until(look, what = String(look)) {
  const patience = Date.now() + PATIENCE_MS;
  while (!look()) {
    if (Date.now() > patience) throw new Error(`in vain: ${what}`);
    await new Promise(done => setTimeout(done, 10));
  }
}

/** The whole log of a room, as its histories show it now, and as of which event each of them does. */
export async function historyOf(room) {
  const messages = [];
  const asOf = [];
  for (;;) {
    const page = await room.command({ type: 'history', limit: 200, ...(messages.length > 0 && { before: messages[0].seq }) });
    messages.unshift(...page.messages);
    asOf.push(page.as_of);
    if (!page.more_before) return { messages, asOf };
  }
}
