// A server in this process, in virtual time: sessions, resumes, gaps, graces and restarts as docs/protocol.md says, and lines that can be cut.

import { ModelRoom, Refusal } from './room-model.mjs';

const GRACE_MS = 30_000;
const RECEIPTS = new Set(['join', 'create']);

export class ModelServer {
  rooms = new Map();
  /** Lives of rooms that are over. */
  graveyard = [];
  isDown = false;
  /** Whether a WebSocket gets through to it. */
  takesWebSocket = true;
  /** How often a command is refused that would be taken a little later. */
  refusals = 0;
  /** How often a room is slow to say where one stands. */
  slowness = 0;
  connections = new Set();
  #sessions = new Map();
  #epochs = 0;
  #names = 0;

  constructor(clock, chance, { hasLog = true, backlog = 20, changesMax = 24 } = {}) {
    Object.assign(this, { clock, chance, hasLog, backlog, changesMax });
  }

  /** Founds a room from inside, as the people of a test do. */
  found(code) {
    const room = new ModelRoom(code, `EPOCH${this.#epochs++}`, { now: () => this.clock.now(), changesMax: this.changesMax });
    this.rooms.set(code, room);
    return room;
  }

  /** Opens a connection of this kind: what a transport of the client does. */
  opener(kind) {
    return (hello, handlers) => new Line(this, kind, hello, handlers);
  }

  /** Everybody is told what there is to tell, as far as they read. */
  pump() {
    for (const line of this.connections) line.pump();
  }

  /** All connections end; what lives in memory alone is gone. */
  crash(downMs) {
    for (const line of [...this.connections]) line.cut();
    this.isDown = true;
    this.#sessions.clear();
    if (!this.hasLog) {
      this.graveyard.push(...this.rooms.values());
      this.rooms.clear();
    }
    // Those who were there have their grace from now on.
    for (const room of this.rooms.values()) {
      for (const session of room.sessions?.keys() ?? []) this.#expire(room, session);
    }
    this.clock.after(downMs, () => { this.isDown = false; });
  }

  drain(downMs) {
    for (const line of [...this.connections]) line.end(4001, 'draining', downMs + 100);
    this.crash(downMs);
  }

  session(id) {
    return this.#sessions.get(id);
  }

  /** A membership ends where nobody comes back in time. */
  #expire(room, id) {
    this.clock.after(GRACE_MS, () => {
      const isBack = this.#sessions.get(id)?.line && this.#sessions.get(id).rooms.has(room.code);
      const number = room.numberOf(id);
      if (number === undefined || isBack || this.rooms.get(room.code) !== room) return;
      this.#sessions.get(id)?.rooms.delete(room.code);
      room.part(number, 'timeout');
      this.pump();
    });
  }

  lost(line) {
    this.connections.delete(line);
    const { session } = line;
    if (session?.line !== line) return;
    session.line = null;
    for (const code of session.rooms) {
      const room = this.rooms.get(code);
      if (room) this.#expire(room, session.id);
    }
  }

  /** The first frame. */
  hello(line, { resume, positions = {}, catch_up = Infinity }) {
    const [id, generation] = resume?.split('.') ?? [];
    let session = this.#sessions.get(id) ?? (resume === undefined ? undefined : { id, used: 0, rooms: new Set(), line: null });
    const isGood = session !== undefined && Number(generation) >= session.used;
    if (!isGood) session = { id: `session${this.#names++}`, used: 0, rooms: new Set(), line: null };
    else session.used = Number(generation);
    this.#sessions.set(session.id, session);
    const before = session.line;
    session.line = line;
    line.session = session;
    if (before) {
      this.connections.delete(before);
      before.end(4501, 'replaced');
    }
    const codes = new Set([...session.rooms, ...(isGood ? Object.keys(positions) : [])]);
    const then = [];
    const rooms = [...codes].map(code => {
      if (!this.chance.is(this.slowness)) return this.#status(line, code, positions[code], catch_up, then);
      this.clock.after(500 + this.chance.below(2_000), () => {
        if (session.line !== line) return;
        const late = [];
        line.tell({ type: 'resumed', ...this.#status(line, code, positions[code], catch_up, late) });
        late.forEach(run => run());
        line.pump();
      });
      return { room: code, status: 'waiting' };
    });
    line.tell({ type: 'welcome', id: 0, session: session.id, token: `${session.id}.${session.used + 1}.x`, resumed: isGood, rooms, limits: { in_flight: 32 } });
    if (resume !== undefined && !isGood) line.tell({ type: 'error', code: 'bad_token', message: 'bad_token' });
    then.forEach(run => run());
    line.pump();
  }

  #status(line, code, position, catchUp, then) {
    const { session } = line;
    const room = this.rooms.get(code);
    const [epoch, named] = position?.split(':') ?? [];
    const seq = Number(named);
    if (room === undefined) return { room: code, status: this.graveyard.some(old => old.epoch === epoch) ? 'closed' : 'unknown' };
    const number = room.numberOf(session.id);
    if (number === undefined) {
      session.rooms.delete(code);
      if (epoch !== undefined && epoch !== room.epoch) return { room: code, status: 'closed' };
      return room.wasMember(session.id) ? { room: code, epoch: room.epoch, seq: room.head, status: 'left' } : { room: code, status: 'unknown' };
    }
    session.rooms.add(code);
    const read = room.readOf(number);
    const { entered } = room.members.get(number);
    if (epoch !== room.epoch || seq > room.head || seq < room.firstOf(number) || (seq < entered && seq < room.head - this.backlog)) {
      then.push(() => this.#show(line, room, number));
      return { room: code, epoch: room.epoch, seq: room.head, status: 'live', read };
    }
    const cursor = { seq, number };
    line.cursors.set(code, cursor);
    if (seq < entered) then.push(() => line.tell(room.joined(number, seq, true)));
    const skips = room.head - seq > catchUp || seq < room.head - this.backlog;
    if (skips && seq < room.head) {
      then.push(() => {
        line.tell(room.gap(number, cursor.seq + 1));
        cursor.seq = room.head;
      });
    }
    return { room: code, epoch: room.epoch, seq, status: skips ? 'gap' : 'live', read };
  }

  #show(line, room, number, id, after) {
    const isAfter = after !== undefined;
    const seq = isAfter ? after : room.head;
    line.session.rooms.add(room.code);
    line.cursors.set(room.code, { seq, number });
    line.tell({ ...room.joined(number, seq, isAfter, 20), ...(id !== undefined && { id }) });
    line.pump();
  }

  /** A command; what is returned is its answer, or nothing where that comes down the stream. */
  command(line, frame) {
    const { session } = line;
    const { type, id, room: code } = frame;
    const answer = fields => ({ id, room: code, ...fields });
    if (this.chance.is(this.refusals)) {
      const isDone = this.chance.is(0.5);
      if (!isDone) return answer({ type: 'error', code: this.chance.pick(['rate_limited', 'busy', 'unavailable']), message: 'later', retry_after_ms: 50 + this.chance.below(400) });
      // Carried out, and nobody can say so.
      if (!RECEIPTS.has(type)) {
        this.#carryOut(line, session, frame);
        return answer({ type: 'error', code: 'unavailable', message: 'who knows', retry_after_ms: 300 });
      }
    }
    const told = this.#carryOut(line, session, frame);
    return told && answer(told);
  }

  #carryOut(line, session, frame) {
    try {
      return this.#act(line, session, frame);
    } catch (refusal) {
      if (refusal instanceof Refusal) return refusal.frame;
      throw refusal;
    } finally {
      this.pump();
    }
  }

  #act(line, session, frame) {
    const { type, id, room: code, target } = frame;
    if (type === 'create') {
      const name = code ?? `DRAWN${this.#names++}`;
      if (this.rooms.has(name)) throw new Refusal('name_taken');
      const made = this.found(name);
      made.join(session.id, frame.nick, frame.data);
      this.#remember(made, session.id);
      return void this.#show(line, made, made.numberOf(session.id), id);
    }
    const room = this.rooms.get(code);
    if (room === undefined) throw new Refusal(type === 'join' ? 'room_not_found' : 'not_member');
    if (type === 'join') return void this.#join(line, session, room, frame);
    const number = session.rooms.has(code) ? room.numberOf(session.id) : undefined;
    if (number === undefined) throw new Refusal('not_member');
    const ack = ({ seq, at }) => ({ type: 'ack', seq, ...(at && { at }) });
    switch (type) {
      case 'send': return ack(room.send(number, frame));
      case 'edit': return ack(room.edit(number, frame));
      case 'react': return ack(room.react(number, frame));
      case 'redact': return ack(room.redact(number, target));
      case 'me': return ack(room.me(number, frame));
      case 'leave': return ack(room.part(number, 'left'));
      case 'read': return { type: 'read', ...room.read(number, frame.through) };
      case 'history': return room.page(number, { ...frame, limit: Math.min(frame.limit ?? 50, 10) });
      case 'changes': return room.changes(number, frame.after, 5);
      case 'members': return room.list(frame.after, 2);
      case 'typing': return null;
      default: throw new Refusal('unknown_type');
    }
  }

  #join(line, session, room, { id, nick, data, after }) {
    const [epoch, seq] = after?.split(':') ?? [];
    if (session.rooms.has(room.code) && room.numberOf(session.id) !== undefined && line.cursors.has(room.code)) throw new Refusal('already_member');
    const isKnown = epoch === room.epoch && room.wasMember(session.id);
    if (room.numberOf(session.id) === undefined) room.join(session.id, nick, data);
    this.#remember(room, session.id);
    this.#show(line, room, room.numberOf(session.id), id, isKnown ? Math.min(Number(seq), room.head) : undefined);
  }

  #remember(room, id) {
    room.sessions ??= new Map();
    room.sessions.set(id, true);
  }
}

/** A connection: two directions, each in order and late; over SSE answers have a way of their own. */
class Line {
  cursors = new Map();
  session = null;
  isOver = false;
  isStalled = false;
  /** Nothing gets through any more, and nobody says so. */
  isMute = false;
  #ways = { up: 0, stream: 0, answers: 0 };
  #posts = [];
  #isPosting = false;

  constructor(server, kind, hello, handlers) {
    Object.assign(this, { server, kind, handlers });
    const fate = server.isDown ? 'refused' : kind === 'ws' && !server.takesWebSocket ? 'blocked' : 'open';
    if (fate === 'refused') this.#go('stream', () => this.#close(1006, 'refused'));
    if (fate !== 'open') return;
    server.connections.add(this);
    this.#go('up', () => {
      handlers.onOpen();
      server.hello(this, hello);
    });
  }

  /** Runs a little later, after whatever went this way before. */
  #go(way, run) {
    const { clock, chance } = this.server;
    const at = Math.max(this.#ways[way], clock.now() + 1 + chance.below(way === 'answers' ? 400 : 40));
    this.#ways[way] = at;
    clock.after(at - clock.now(), () => this.isOver || this.isMute || run());
  }

  // What the client does.

  send(frame) {
    const text = JSON.stringify(frame);
    if (this.kind === 'ws') {
      return this.#go('up', () => {
        const answer = this.server.command(this, JSON.parse(text));
        if (answer && frame.id !== undefined) this.tell(answer);
      });
    }
    this.#posts.push(text);
    this.#post();
  }

  #post() {
    if (this.#isPosting || this.#posts.length === 0) return;
    this.#isPosting = true;
    const text = this.#posts.shift();
    this.#go('up', () => {
      const answer = this.server.command(this, JSON.parse(text));
      this.#go('answers', () => {
        this.#isPosting = false;
        if (answer) this.handlers.onFrame(JSON.parse(JSON.stringify(answer)));
        this.#post();
      });
    });
  }

  close() {
    if (this.isOver) return;
    this.isOver = true;
    this.server.lost(this);
  }

  buffered() {
    return 0;
  }

  // What the server and the world do.

  tell(frame) {
    const text = JSON.stringify(frame);
    this.#go('stream', () => this.handlers.onFrame(JSON.parse(text)));
  }

  pump() {
    if (this.isStalled || this.isOver || this.session === null) return;
    for (const [code, cursor] of this.cursors) {
      const room = this.server.rooms.get(code);
      while (room !== undefined && this.cursors.get(code) === cursor && cursor.seq < room.head) this.#next(room, cursor);
    }
  }

  #next(room, cursor) {
    const { number } = cursor;
    if (cursor.seq < room.head - this.server.backlog && room.members.has(number)) {
      this.tell(room.gap(number, cursor.seq + 1));
      cursor.seq = room.head;
      return;
    }
    cursor.seq += 1;
    const frame = room.told(cursor.seq, number);
    this.tell(frame);
    const entered = room.members.get(number)?.entered ?? 0;
    if (frame.type === 'member_left' && frame.member === number && cursor.seq >= entered) {
      this.cursors.delete(room.code);
      this.session.rooms.delete(room.code);
    }
  }

  /** It breaks. With `isSilent` the client has to find out by itself. */
  cut(isSilent = false) {
    if (this.isOver) return;
    this.server.lost(this);
    if (isSilent) this.isMute = true;
    else this.#close(1006, 'cut');
  }

  end(code, reason, ms) {
    const { clock } = this.server;
    const told = { type: 'closing', code, reason, ...(ms !== undefined && { reconnect_after_ms: ms }) };
    this.server.connections.delete(this);
    clock.after(Math.max(0, this.#ways.stream - clock.now()), () => this.isOver || this.isMute || this.handlers.onFrame(told));
  }

  #close(code, reason) {
    if (this.isOver) return;
    this.isOver = true;
    this.handlers.onClose(code, reason);
  }
}
