// The package as `npm pack` makes it, installed in a folder with nothing else in it: it is found by its name, with its types, and talks to a server.

import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { AT, JOINED, message, ROOM } from './support/script.mjs';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** A program that hangs is ended after this time. */
const PATIENCE_MS = 30_000;

const PROGRAM = `
  import { connect } from 'chat-core-client';
  import * as bundle from 'chat-core-client/min';
  const client = connect({ url: process.argv[2], storage: null, transports: ['sse'] });
  const room = await client.join('${ROOM}', { nick: 'Bob' });
  const { seq } = await room.send('hello');
  // The stream and the answer to a command come each in its own time.
  while (room.state.messages.length === 0) await new Promise(done => room.on('change', done));
  const { members, messages } = room.state;
  console.log(JSON.stringify({ seq, nicks: members.map(({ nick }) => nick), texts: messages.map(({ text }) => text), isBundled: 'connect' in bundle }));
  client.close();
`;

const TYPED = `
  import { connect, type Room, type RoomState } from 'chat-core-client';
  export const room: Room = await connect({ url: 'https://chat.example.org' }).join('TEA', { nick: 'Bob' });
  export const state: RoomState = room.state;
  // @ts-expect-error what is said is a text
  void room.send(7);
`;
const TYPED_BY = { compilerOptions: { target: 'ES2022', module: 'NodeNext', strict: true, noEmit: true, skipLibCheck: false, types: [] }, include: ['typed.ts'] };

/** A server that lets one in, and hears one message: a stream for what it tells, and an answer to each command. */
async function scripted() {
  let stream;
  const tell = frame => stream.write(`event: ${frame.type}\ndata: ${JSON.stringify(frame)}\n\n`);
  const server = createServer(async (request, answer) => {
    if (request.method === 'GET') {
      stream = answer.writeHead(200, { 'content-type': 'text/event-stream' });
      return tell({ type: 'welcome', session: 'S', token: 'S.1.x', resumed: false, rooms: [], limits: {} });
    }
    let body = '';
    for await (const part of request) body += part;
    const { id, type, text, key } = JSON.parse(body);
    const receipt = { type: 'ack', id, ...(type === 'send' ? { room: ROOM, seq: 3, at: AT } : {}) };
    if (type === 'send') tell(message(3, text, { member: 2, nick: 'Bob', color: 4, key }));
    answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(receipt));
    if (type === 'join') tell({ ...JOINED, id });
  });
  await new Promise(done => { server.listen(0, '127.0.0.1', done); });
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}

describe('the packed package', () => {
  let folder;
  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'chat-core-client-'));
    const npm = (cwd, ...args) => execFileSync('npm', [...args, '--ignore-scripts'], { cwd, stdio: 'pipe', timeout: PATIENCE_MS });
    // What is built is there: building it again would pull it from under the other tests.
    npm(ROOT, 'pack', '--pack-destination', folder);
    const [archive] = readdirSync(folder);
    writeFileSync(`${folder}/package.json`, JSON.stringify({ name: 'somebody', private: true, type: 'module' }));
    npm(folder, 'install', '--offline', '--no-audit', '--no-fund', `./${archive}`);
  });
  after(() => rmSync(folder, { recursive: true, force: true }));

  test('a program that installs it joins a room and says something', async () => {
    const { server, url } = await scripted();
    writeFileSync(`${folder}/program.js`, PROGRAM);
    try {
      const { stdout } = await promisify(execFile)(process.execPath, ['program.js', url], { cwd: folder, timeout: PATIENCE_MS });
      assert.deepEqual(JSON.parse(stdout), { seq: 3, nicks: ['Ann', 'Bob'], texts: ['hello'], isBundled: true });
    } finally {
      server.closeAllConnections();
      server.close();
    }
  });

  test('it brings its types', () => {
    writeFileSync(`${folder}/typed.ts`, TYPED);
    writeFileSync(`${folder}/tsconfig.json`, JSON.stringify(TYPED_BY));
    execFileSync(`${ROOT}/node_modules/.bin/tsc`, ['-p', '.'], { cwd: folder, timeout: PATIENCE_MS, encoding: 'utf8' });
  });
});
