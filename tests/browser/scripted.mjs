// A server that says exactly what a test tells it to: for what a real one does seldom, or never when asked.

import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, resolve } from 'node:path';
import { WebSocketServer } from 'ws';
import { endWithTest } from './begun.mjs';
import { inRoom, PATIENCE_MS, tryToEnter } from './chat.mjs';

const PAGE = resolve(import.meta.dirname, '../../examples/page');
const TYPES = { '.html': 'text/html', '.css': 'text/css', '.js': 'text/javascript' };
export const EPOCH = '04HMASW9NF6YF';
export const ANN = { member: 1, nick: 'Ann', color: 0, role: 'owner', online: true };
export const BOB = { member: 2, nick: 'Bob', color: 4, role: 'member', online: true };

/** Serves the page; `server.connection()` is the next connection, whose frames the test reads and writes. */
export async function serveScript() {
  const connections = queue();
  let made = 0;
  const http = createServer(async ({ url }, answer) => {
    const path = new URL(url, 'http://host').pathname;
    if (path === '/lobby') return answer.writeHead(200, { 'content-type': 'application/json' }).end('{"rooms":[]}');
    const file = path === '/' ? 'index.html' : path.replace(/^\/page\//, '');
    const body = await readFile(resolve(PAGE, file)).catch(() => null);
    answer.writeHead(body ? 200 : 404, { 'content-type': TYPES[extname(file)] ?? 'text/plain' }).end(body);
  });
  new WebSocketServer({ server: http, path: '/ws' }).on('connection', socket => {
    const frames = queue();
    const line = {
      /** All that came, in order. */
      seen: [],
      /** Who is connected is asked again and again; a test that is not about that says nothing of it. */
      listsMembers: false,
      /** What is done with each frame as it comes. */
      onFrame() {},
      send: (...told) => told.forEach(frame => socket.send(JSON.stringify(frame))),
      close: (code, reason) => socket.close(code, reason),
      closed: new Promise(done => socket.once('close', done)),
      /** The next frame of this type, or of any; what comes before it is passed over. */
      async next(type) {
        for (;;) {
          const frame = await frames.next();
          if (type === undefined || frame.type === type) return frame;
        }
      },
    };
    made += 1;
    socket.on('message', data => {
      const frame = JSON.parse(data);
      line.seen.push(frame);
      if (frame.type === 'members' && !line.listsMembers) return line.send({ type: 'error', id: frame.id, code: 'busy', message: 'not now' });
      frames.push(frame);
      line.onFrame(frame);
    });
    connections.push(line);
  });
  await new Promise(done => http.listen(0, '127.0.0.1', done));
  const sockets = new Set();
  http.on('connection', socket => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  const stop = () => {
    http.close();
    // Also those that became WebSockets.
    for (const socket of sockets) socket.destroy();
  };
  endWithTest(stop);
  return {
    url: `http://127.0.0.1:${http.address().port}`,
    connection: connections.next,
    /** Passes over connections that nobody has asked for, as that of a page that came back as its test ended. */
    forget: connections.clear,
    connectionsMade: () => made,
    stop,
  };
}

/** Bob's page in the room LAB as `told` by its `joined`, and the connection of it. */
export async function enterLab(chat, { features = [], ...told } = {}, options = undefined) {
  chat.server.forget();
  const bob = await chat.open('/', options);
  const line = await chat.server.connection();
  await line.next('hello');
  line.send({ ...welcome(), features });
  await tryToEnter(bob, 'Bob', 'lab');
  const { id } = await line.next('join');
  line.send(joined({ id, ...told }));
  await inRoom(bob, 'LAB');
  return { bob, line };
}

/** What was pushed, one after another, to whoever asks next; who asks in vain is told so in the end. */
function queue() {
  const items = [];
  const waiting = [];
  return {
    clear: () => items.splice(0),
    push: item => waiting.length > 0 ? waiting.shift()(item) : items.push(item),
    next: () => items.length > 0 ? Promise.resolve(items.shift()) : new Promise((done, fail) => {
      const take = item => {
        clearTimeout(inVain);
        done(item);
      };
      const inVain = setTimeout(() => {
        waiting.splice(waiting.indexOf(take), 1);
        fail(new Error('what the test waits for never came'));
      }, PATIENCE_MS);
      waiting.push(take);
    }),
  };
}

export const at = seq => new Date(Date.now() - 60_000 + seq).toISOString();
export const welcome = (rooms = []) =>
  ({ type: 'welcome', id: 0, session: 'S', token: 'TOKEN', resumed: rooms.length > 0, rooms, limits: {} });
export const message = (seq, text, by = ANN, key = undefined) =>
  ({ type: 'message', room: 'LAB', seq, at: at(seq), member: by.member, nick: by.nick, color: by.color, text, key });
export const history = (id, messages, told = {}) =>
  ({ type: 'history', id, room: 'LAB', epoch: EPOCH, messages, more_before: true, more_after: false, as_of: 1_000, ...told });
/** What is set for the room from now on. */
export const settings = (seq, set, by = 1) =>
  ({ type: 'settings_changed', room: 'LAB', seq, at: at(seq), settings: set, by });
export const swept = (seq, member, from, to) => ({ type: 'swept', room: 'LAB', seq, at: at(seq), member, from, to, by: 1 });
export const reacted = (seq, target, name, by, on, count) =>
  ({ type: 'reacted', room: 'LAB', seq, at: at(seq), target, name, by, on, count });
export const redacted = (seq, target) => ({ type: 'redacted', room: 'LAB', seq, at: at(seq), target, by: 1 });
/** Without a text it was superseded. */
export const edited = (seq, target, text, n, more = {}) =>
  ({ type: 'edited', room: 'LAB', seq, at: at(seq), target, ...(text === undefined ? {} : { by: 1, n, text }), ...more });
export const changes = (id, messages, told = {}) =>
  ({ type: 'changes', id, room: 'LAB', epoch: EPOCH, messages, through: 1_000, as_of: 1_000, more: false, ...told });
export const gap = (from, to, topic = '', changed_at = 0) => ({
  type: 'gap', room: 'LAB', epoch: EPOCH, from, to, members: [BOB, ANN], members_total: 2, topic, notices: 'told', changed_at,
});
export const joined = ({ you = BOB, members = [you, ANN], ...more } = {}) => ({
  type: 'joined', room: 'LAB', epoch: EPOCH, seq: 10, you, members, members_total: members.length,
  topic: '', notices: 'told', history: [], more: false, as_of: 10, changed_at: 0, ...more,
});
