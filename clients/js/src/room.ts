// A room as a program holds it: its state, what it says, and what one may do there. It enters again by itself, and asks for what it missed.

import { PAUSE_MS, TYPING_RENEWAL_MS } from './bounds.js';
import { ChatError, isPassing } from './errors.js';
import { Emitter } from './emitter.js';
import { nextQuestion } from './missed.js';
import { Outbox } from './outbox.js';
import { forgotten, holding, isEvent, reduce } from './reduce.js';
import { snapshot } from './snapshot.js';
import { disconnected, ended, newRoom, positionOf, readUpTo, resumed } from './state.js';
import type { Clock } from './clock.js';
import type { Entry, Pending, Refused, Sent } from './outbox.js';
import type { Done } from './requests.js';
import type { Ending, Message, RoomState } from './state.js';
import type {
  Bans, ClientFrame, Json, JsonObject, Member, RoomEvent, RoomFrame, RoomStatus, ServerFrame, SettingsChange,
} from './wire.js';

/** As whom one enters. */
export interface Entrance {
  nick: string;
  /** What to show beside the name, at most 256 bytes. */
  data?: JsonObject;
  /** What the room asks newcomers for. It is not stored. */
  secret?: string;
  /** For the policy of the server. They are not stored, either. */
  params?: JsonObject;
}

/** What a room tells its listeners. Each event of the log comes once, in order, under its own name too. */
export type RoomEvents = { [T in RoomEvent['type']]: Extract<RoomEvent, { type: T }> } & {
  /** Whatever has changed. */
  change: RoomState;
  /** Any event of the log, after it was applied. */
  event: RoomEvent;
  /** One is in the room: for the first time, again, or in another life of it. */
  joined: RoomState;
  /** One is not in the room any more, and does not go back by oneself. */
  ended: Ending;
  /** Something that waited to be sent will not be: also what a page before this one had still to send. */
  refused: Refused;
};

/** What a room needs of its client. */
export interface RoomHost {
  readonly clock: Clock;
  /** Of more events than that, which one has missed, a gap is told in their place. */
  readonly catchUp: number;
  ask(frame: ClientFrame, done: Done, room: Room): void;
  /** Passing: dropped where there is no connection, or too much waits on it already. */
  tell(frame: ClientFrame): void;
  save(): void;
  /** Why what is said now would neither be sent nor be stored for later. */
  over(): ChatError | null;
  /** Comes back, and names no position for what is out of step. */
  restart(): void;
  remove(room: Room): void;
}

export interface StoredRoom {
  readonly code: string;
  readonly entrance: Entrance;
  readonly outbox: readonly Entry[];
}

export class Room extends Emitter<RoomEvents> {
  readonly #host: RoomHost;
  readonly #outbox: Outbox;
  #state: RoomState;
  #entrance: Entrance;
  #isMaker: boolean;
  /** It was asked for, and has not been answered. */
  #isEntering = false;
  #tries = 0;
  /** Of whoever has asked to come in, and is not in yet. */
  #entered: ((room: Room) => void) | null = null;
  /** Of those who want in: now, or anew once it is left. */
  #failing: ((error: ChatError) => void)[] = [];
  #leaving: (() => void)[] | null = null;
  #isAsking = false;
  /** What the server refuses to tell on this connection. */
  readonly #unanswered = new Set<string>();
  #stopPauses: Record<string, () => void> = {};
  #typingUntil = 0;

  /** @internal */
  constructor(host: RoomHost, code: string | null, entrance: Entrance, isMaker: boolean, outbox: readonly Entry[] = []) {
    super();
    this.#host = host;
    this.#state = newRoom(code);
    this.#entrance = entrance;
    this.#isMaker = isMaker;
    this.#outbox = new Outbox({
      clock: host.clock,
      state: () => this.#state,
      ask: (frame, done) => host.ask(frame, done, this),
      onChange: () => {
        host.save();
        this.emit('change', this.#state);
      },
      onRefused: refused => this.emit('refused', refused),
    }, outbox);
  }

  /** What is known of the room. Another object whenever anything has changed, and never the same one changed. */
  get state(): RoomState {
    return this.#state;
  }
  get code(): string | null {
    return this.#state.code;
  }
  get messages(): readonly Message[] {
    return this.#state.messages;
  }
  get members(): readonly Member[] {
    return this.#state.members;
  }
  /** What waits to be sent, in order. */
  get pending(): readonly Pending[] {
    return this.#outbox.entries;
  }

  /**
   * Says something, and resolves once it stands in the log. It waits while there is no connection, is sent once and in order, and never into
   * another life of the room: then it fails with `epoch_changed`. `key` (one's own, or drawn) tells which message it became.
   */
  send(text: string, { key = newKey(), data, replyTo }: { key?: string; data?: JsonObject; replyTo?: number } = {}): Promise<Required<Sent>> {
    this.#typingUntil = 0;
    return this.#push({ type: 'send', text: text || undefined, data, reply_to: replyTo }, key) as Promise<Required<Sent>>;
  }

  /** Says something else in a message of one's own: `text` and `data` are all that it says from now on. Waits like `send`. */
  edit(target: number, text: string, { key = newKey(), data }: { key?: string; data?: JsonObject } = {}): Promise<Sent> {
    return this.#push({ type: 'edit', target, text: text || undefined, data }, key);
  }

  /** Reacts to a message, or does not any more. Waits like `send`. */
  react(target: number, name: string, on = true, { key = newKey() }: { key?: string } = {}): Promise<Sent> {
    return this.#push({ type: 'react', target, name, on }, key);
  }

  redact(target: number): Promise<ServerFrame> {
    return this.command({ type: 'redact', target });
  }

  /** Holds earlier messages, too; whether there are more is `state.more`. */
  async history(limit = 50): Promise<readonly Message[]> {
    const { from, more } = this.#state;
    if (more) this.#ingest(await this.command({ type: 'history', before: from, limit }), { type: 'history', before: from });
    return this.#state.messages;
  }

  /**
   * Lists the members anew, or, in a big room, those after a number (`state.listedTo`): that somebody has lost their connection, and is not
   * `online` any more, is told to nobody.
   */
  async listMembers(after = 0): Promise<readonly Member[]> {
    const { epoch, membersAt } = this.#state;
    const answer = await this.command({ type: 'members', after: after || undefined });
    // Somebody came or went meanwhile: the list may be older than that.
    const isLate = epoch !== this.#state.epoch || membersAt !== this.#state.membersAt;
    if (!isLate) this.#ingest(answer, { type: 'members', after });
    return this.#state.members;
  }

  /** Holds at most so many messages from now on, beside those that `history` adds from now on; past that the oldest go, a quarter at a time. */
  hold(messages: number): void {
    if (this.#state.heldMax !== messages) this.#set(holding(this.#state, messages));
  }

  /** Says how far one has read; all of it, where nothing is named. It is told as soon as it can be, and to one's other devices. */
  read(through = this.#state.seq): void {
    this.#set(readUpTo(this.#state, through), true);
  }

  /** Shows that one is writing, or is not any more; it may be called for each key that is pressed. */
  typing(on = true): void {
    const now = this.#host.clock.now();
    if (this.#state.status !== 'live' || on === now < this.#typingUntil) return;
    this.#typingUntil = on ? now + TYPING_RENEWAL_MS : 0;
    this.#host.tell({ type: 'typing', room: this.code, on });
  }

  /** Shows what a message of one's own says so far; null once it does not grow any more. */
  live(target: number, text: string | null): void {
    this.#host.tell({ type: 'live', room: this.code, target, text });
  }

  /** Shows something of oneself for 30 seconds; null takes it away. */
  signal(name: string, data: Json): void {
    this.#host.tell({ type: 'signal', room: this.code, name, data });
  }

  /** Changes what one is shown as; what is not named stays. */
  async me(change: { nick?: string; data?: JsonObject | null }): Promise<void> {
    const said = snapshot(change);
    await this.command({ type: 'me', ...change });
    // What nobody could be told was refused.
    const { nick, data } = said as typeof change;
    if (nick !== undefined) this.#entrance.nick = nick;
    if (data === null) delete this.#entrance.data;
    else if (data !== undefined) this.#entrance.data = data;
    this.#host.save();
  }

  settings(change: SettingsChange): Promise<ServerFrame> {
    return this.command({ type: 'settings', ...change });
  }
  topic(topic: string): Promise<ServerFrame> {
    return this.command({ type: 'topic', topic });
  }
  kick(member: number): Promise<ServerFrame> {
    return this.command({ type: 'kick', member });
  }
  ban(member: number, options: { minutes?: number; network?: boolean; sweep?: boolean } = {}): Promise<ServerFrame> {
    return this.command({ type: 'ban', member, ...options });
  }
  bans(after = 0): Promise<Bans> {
    return this.command({ type: 'bans', after }) as Promise<Bans>;
  }

  /** Any command of docs/protocol.md in this room, as it is; answered by its answer, and asked once. */
  command(frame: ClientFrame): Promise<ServerFrame> {
    return new Promise((resolve, reject) => {
      const done: Done = answer => answer instanceof ChatError ? reject(answer) : resolve(answer);
      this.#host.ask({ ...frame, room: this.code }, done, this);
    });
  }

  /** Leaves, and is done with the room: now, or as soon as there is a connection. What was not tried yet is not sent any more. */
  leave(): Promise<void> {
    return new Promise(resolve => {
      this.#outbox.clear(isOut(), { waits: true });
      if (this.#leaving !== null) return void this.#leaving.push(resolve);
      this.#leaving = [resolve];
      if (this.#state.status === 'live') this.#askToLeave();
      else if (this.#state.status === 'ended' || this.#tries === 0) this.#gone();
    });
  }

  /** @internal Enters, and resolves once one is in. */
  enter(entrance: Entrance, isMaker: boolean): Promise<Room> {
    [this.#entrance, this.#isMaker, this.#tries] = [entrance, isMaker, 0];
    this.#set({ ...this.#state, status: 'joining', ended: null });
    return new Promise((resolve, reject) => {
      this.#fail(new ChatError('closed', 'it was asked for anew'));
      this.#entered = resolve;
      this.#failing = [reject];
      this.#ask();
    });
  }

  /** @internal The position to name when coming back. */
  get position(): string | null {
    const { status } = this.#state;
    return status === 'ended' || status === 'joining' ? null : positionOf(this.#state);
  }

  /** @internal */
  get stored(): StoredRoom | null {
    const { code, status } = this.#state;
    if (code === null || this.#leaving !== null || status === 'ended') return null;
    const { secret, params, ...entrance } = this.#entrance;
    return { code, entrance, outbox: this.#outbox.entries };
  }

  /** @internal It is on its way out: whoever wants in waits for that. */
  get isLeaving(): boolean {
    return this.#leaving !== null;
  }

  /** @internal Resolves once it is left, and fails where the client does not come back. */
  left(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#leaving!.push(resolve);
      this.#failing.push(reject);
    });
  }

  /** @internal Whether a room under a code that nobody has heard yet may be this one. */
  get isUnnamed(): boolean {
    return this.#state.code === null && this.#tries > 0;
  }

  /** @internal */
  named(code: string): void {
    this.#state = { ...this.#state, code };
  }

  /** @internal The connection is lost; with `isSuspect` what was said may be why. */
  disconnected(isSuspect: boolean): void {
    for (const stop of Object.values(this.#stopPauses)) stop();
    [this.#stopPauses, this.#isAsking, this.#isEntering, this.#typingUntil] = [{}, false, false, 0];
    this.#unanswered.clear();
    this.#set(disconnected(this.#state));
    this.#outbox.pause(isSuspect);
  }

  /** @internal What the server says of the room to a session that comes back; nothing where it does not know that one is in it. */
  welcomed(told: RoomStatus | null): void {
    const status = told?.status ?? 'unknown';
    const isLive = status === 'live' || status === 'gap';
    if (status === 'waiting') return;
    if (this.#leaving !== null) return isLive ? this.#askToLeave() : this.#gone();
    // Where it does not go on from what is held, its `joined` follows.
    if (isLive) return this.#set(resumed(this.#state, told!), true);
    if (this.#state.status === 'ended') return;
    // Who asks to come in does so, whatever has become of an earlier membership.
    const isKnown = this.position !== null;
    const { reason, until } = told ?? {};
    if (isKnown && status === 'closed') return this.#end({ why: 'closed', isMissed: true });
    // Who was put out does not go back unasked.
    if (isKnown && status === 'left' && (reason === 'kicked' || reason === 'banned')) {
      return this.#end({ why: reason, isMissed: true, ...(until !== undefined && { until }) });
    }
    this.#ask();
  }

  /** @internal A frame of this room, and the command that it answers. */
  receive(frame: RoomFrame, asked?: ClientFrame): void {
    const before = this.#state;
    const next = reduce(before, frame, asked);
    const isTold = isEvent(frame) && next.seq === frame.seq && next.seq > before.seq;
    if (frame.type === 'joined' && this.#leaving !== null) {
      this.#state = next;
      return this.#askToLeave();
    }
    if (frame.type === 'joined') {
      this.#isEntering = false;
      this.#unanswered.clear();
      this.#entrance.nick = frame.you.nick;
      this.#isMaker = false;
    }
    if (isTold) this.#outbox.heard(frame);
    this.#set(next, true);
    if (isTold) {
      this.emit(frame.type, frame as never);
      this.emit('event', frame);
    }
    if (frame.type === 'joined') {
      this.#entered?.(this);
      this.#entered = null;
      this.#host.save();
      this.emit('joined', this.#state);
    }
    if (next.status === 'ended' && before.status !== 'ended') this.#ended();
  }

  /** @internal The client does not come back by itself; with `isOver` the session was ended, and its memberships with it. */
  closed(error: ChatError, isOver: boolean): void {
    this.#fail(error);
    if (!isOver) return;
    this.#leaving ??= [];
    this.#gone();
  }

  /** @internal It may be in use in another tab: nothing of it is sent from here. */
  dropOutbox(): void {
    this.#outbox.clear(new ChatError('closed', 'another tab has the session'));
  }

  #push(frame: ClientFrame, key: string): Promise<Sent> {
    return new Promise((resolve, reject) => {
      const error = this.#state.status === 'ended' || this.#leaving !== null ? isOut() : this.#host.over();
      if (error) return reject(error);
      this.#outbox.push(frame, key, outcome => outcome instanceof ChatError ? reject(outcome) : resolve(outcome));
    });
  }

  /** Takes a state; with `goesOn`, what is missing is asked for, and what waits is sent. */
  #set(next: RoomState, goesOn = false): void {
    const isNew = next !== this.#state;
    this.#state = next;
    if (goesOn) {
      this.#catchUp();
      this.#outbox.flush();
    }
    if (isNew) this.emit('change', this.#state);
  }

  /** An answer by which more is held; of another life of the room it says nothing. */
  #ingest(answer: ServerFrame | ChatError, asked: ClientFrame): void {
    if (answer instanceof ChatError || !('room' in answer) || answer.room !== this.code) return;
    this.#set(reduce(this.#state, answer as RoomFrame, asked), true);
  }

  /** Asks for what was missed, one question at a time, until what is held equals the log. */
  #catchUp(): void {
    const asked = nextQuestion(this.#state, this.#unanswered);
    if (asked === null || this.#isAsking) return;
    this.#isAsking = true;
    const { epoch, membersAt, hole } = this.#state;
    this.#host.ask(asked, answer => {
      const before = this.#state;
      this.#isAsking = false;
      if (answer instanceof ChatError) {
        if (answer.code === 'disconnected' || before.status !== 'live') return;
        if (isPassing(answer) || answer.retryAfterMs !== undefined || answer.code === 'not_member') return this.#askLater(answer.retryAfterMs);
        // Without what has changed, nothing that is held is to be trusted.
        if (asked.type === 'changes') return this.#set(forgotten(before), true);
        this.#unanswered.add(asked.type);
        return this.#catchUp();
      }
      // Somebody came or went meanwhile, and over SSE the answer may be older than that; or it is of a life that is over.
      const isLate = epoch !== before.epoch || (asked.type === 'members' && membersAt !== before.membersAt);
      const next = isLate ? before : reduce(before, answer as RoomFrame, { ...asked, through: hole?.through });
      // What could not be read is no different after the answer.
      if (JSON.stringify(nextQuestion(next, this.#unanswered)) === JSON.stringify(asked)) this.#askLater();
      this.#set(next, true);
    }, this);
  }

  #askLater(ms = PAUSE_MS): void {
    this.#isAsking = true;
    this.#pause('asking', ms, () => {
      this.#isAsking = false;
      this.#catchUp();
    });
  }

  #pause(what: string, ms: number, then: () => void): void {
    this.#stopPauses[what]?.();
    this.#stopPauses[what] = this.#host.clock.after(ms, then);
  }

  /** Goes in, after the position that is held: one that is of no use to the server counts as none. */
  #ask(): void {
    const { code, status } = this.#state;
    if (this.#isEntering || status === 'live') return;
    this.#isEntering = true;
    const after = positionOf(this.#state);
    const where = { type: this.#isMaker ? 'create' : 'join', room: code ?? undefined };
    this.#host.ask({ ...where, ...this.#entrance, ...(after !== null && { after, catch_up: this.#host.catchUp }) }, answer => {
      this.#isEntering = false;
      // A `joined` was taken as a frame of the room.
      if (answer instanceof ChatError) this.#refused(answer);
    }, this);
    if (this.#isEntering) this.#tries += 1;
  }

  #refused(error: ChatError): void {
    const { epoch, status } = this.#state;
    const isKnown = epoch !== null;
    // It is asked for again on the next connection; or one was brought in meanwhile.
    if (error.code === 'disconnected' || status === 'live') return;
    if (this.#leaving !== null) return this.#gone();
    if (error.code === 'already_member') {
      this.#state = newRoom(this.code);
      return this.#pause('entering', PAUSE_MS, () => this.#host.restart());
    }
    // One's own ghost may have the nick still, and what is busy passes. That there is no place may last: who has just asked is told.
    const isFull = error.code === 'at_capacity' && this.#entered !== null;
    if ((isPassing(error) && !isFull) || (error.code === 'nick_taken' && error.retryAfterMs !== undefined && (isKnown || this.#tries > 1))) {
      return this.#pause('entering', error.retryAfterMs ?? PAUSE_MS, () => this.#ask());
    }
    this.#end({ why: error.code === 'banned' ? 'banned' : 'refused', error, ...(error.until !== undefined && { until: error.until }) });
    if (!isKnown) this.#host.remove(this);
  }

  #end(ending: Ending): void {
    this.#set(ended(this.#state, ending));
    this.#ended();
  }

  #ended(): void {
    this.#outbox.clear(isOut());
    const { ended } = this.#state;
    // Who waits until it is left is told of that.
    if (this.#leaving === null) this.#fail(ended!.error ?? isOut());
    this.emit('ended', ended!);
    if (this.#leaving !== null) this.#gone();
    this.#host.save();
  }

  #askToLeave(): void {
    this.#host.ask({ type: 'leave', room: this.code }, answer => {
      if (answer instanceof ChatError && answer.code === 'disconnected') return;
      if (answer instanceof ChatError && isPassing(answer)) return this.#pause('leaving', answer.retryAfterMs ?? PAUSE_MS, () => this.#askToLeave());
      this.#gone();
    }, this);
  }

  #gone(): void {
    this.#outbox.clear(isOut());
    if (this.#state.status !== 'ended') this.#set(ended(this.#state, { why: 'left' }));
    this.#host.remove(this);
    for (const resolve of this.#leaving ?? []) resolve();
    this.#leaving = null;
    this.#fail(isOut());
  }

  /** Whoever still waits to be let in is not. */
  #fail(error: ChatError): void {
    for (const fail of this.#failing) fail(error);
  }
}

const isOut = () => new ChatError('left', 'one is not in the room');

/** A key that nobody else draws: 128 random bits. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('');
}
