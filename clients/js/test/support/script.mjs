// A server that says exactly what a test tells it to, in virtual time.

import './no-locks.mjs';
import { connect } from '../../dist/index.js';
import { VirtualClock } from './random.mjs';

export const ROOM = 'TLBSWGOC';
export const EPOCH = '04HMASW9NF6YF';
export const AT = '2026-11-22T18:00:00.123Z';
export const ANN = { member: 1, nick: 'Ann', color: 0, role: 'owner', online: true };
export const BOB = { member: 2, nick: 'Bob', color: 4, role: 'member', online: true };
export const JOINED = {
  type: 'joined', room: ROOM, epoch: EPOCH, seq: 2, entered: 2, you: BOB, members: [BOB, ANN], members_total: 2, topic: '',
  notices: 'told', history: [], more: false, as_of: 2, changed_at: 0, read: { through: 2, unread: 0, as_of: 2 },
};
export const message = (seq, text, fields) =>
  ({ type: 'message', room: ROOM, seq, at: AT, member: 1, nick: 'Ann', color: 0, text, ...fields });

export const memory = (kept = new Map()) => ({
  kept,
  getItem: key => kept.get(key) ?? null,
  setItem: (key, value) => void kept.set(key, value),
  removeItem: key => void kept.delete(key),
});

/** A client in virtual time. `lines` are its connections so far; chance is always a half. */
export function script(options = {}) {
  const clock = new VirtualClock(() => 0.5);
  const lines = [];
  const opener = name => (hello, handlers) => {
    const line = {
      name, hello, sent: [], isClosed: false,
      tell: (...frames) => frames.forEach(frame => handlers.onFrame(frame)),
      lose: (code = 1006, reason = '') => handlers.onClose(code, reason),
      open: () => handlers.onOpen(),
      /** The last command of this type, and its answer. */
      asked: type => line.sent.findLast(frame => frame.type === type),
      answer: (type, fields) => line.tell({ id: line.asked(type).id, room: line.asked(type).room, ...fields }),
      ack: (type, seq) => line.answer(type, { type: 'ack', seq, at: AT }),
      refuse: (type, code, fields) => line.answer(type, { type: 'error', code, message: code, ...fields }),
      welcome(rooms = [], fields = {}) {
        handlers.onOpen();
        line.tell({ type: 'welcome', id: 0, session: 'S', token: `S.${lines.length}.x`, resumed: hello.resume !== undefined, rooms, ...fields });
      },
      live: (seq, fields) => line.welcome([{ room: ROOM, epoch: EPOCH, seq, status: 'live', ...fields }]),
      types: () => line.sent.map(({ type }) => type),
    };
    lines.push(line);
    return {
      send: frame => line.sent.push(JSON.parse(JSON.stringify(frame))),
      close: () => { line.isClosed = true; },
      buffered: () => 0,
    };
  };
  const { transports = ['ws'], ...others } = options;
  const statuses = [];
  const client = connect({ url: 'http://script', storage: null, clock, transports: transports.map(name => [name, opener(name)]), ...others });
  client.on('status', status => statuses.push(status));
  return { client, clock, lines, statuses, get line() { return lines.at(-1); } };
}

/** A client that is in the room as Bob. */
export async function inRoom(options) {
  const it = script(options);
  it.line.welcome();
  const joining = it.client.join(ROOM, { nick: 'Bob' });
  it.line.answer('join', JOINED);
  const room = await joining;
  return Object.assign(it, { room });
}

/** Lets promises go on. */
export const turn = () => new Promise(done => setImmediate(done));
