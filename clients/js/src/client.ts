// One session with the server: its connection, its token and its rooms.

import { BUFFERED_MAX, CREDENTIALS_MS_MAX, HOLE_MAX, PROBE_MS_MAX, SILENCE_MS_MAX } from './bounds.js';
import { systemClock } from './clock.js';
import { Connection } from './connection.js';
import { ChatError, isUnexplained } from './errors.js';
import { Emitter } from './emitter.js';
import { Requests } from './requests.js';
import { Room, newKey } from './room.js';
import { snapshot } from './snapshot.js';
import { sseAt } from './sse.js';
import { Claims, load, sessionStorageOf, store } from './storage.js';
import { ABNORMAL, CREDENTIALS_EXPIRED, REPLACED, SESSION_ENDED } from './transport.js';
import { watch } from './wake.js';
import { webSocketAt } from './ws.js';
import type { Clock } from './clock.js';
import type { ConnectionStatus } from './connection.js';
import type { Entrance, RoomHost } from './room.js';
import type { Storage } from './storage.js';
import type { OwnTransport, TransportName } from './transport.js';
import type { ClientFrame, Hello, Joined, Limits, RoomFrame, ServerFrame, Welcome } from './wire.js';
import type { WebSocketConstructor } from './ws.js';

type Credentials = Exclude<ConnectOptions['credentials'], string | undefined>;

export interface ConnectOptions {
  /** Where the server is, as `https://chat.example.org`; by default where the page came from. */
  readonly url?: string;
  /** What the policy of the server asks for. A function is asked at each connection, and again when what it gave runs out. */
  readonly credentials?: string | ((why: 'connect' | 'expiring' | 'expired') => string | Promise<string>);
  /** In the order in which they are tried; also some of one's own. */
  readonly transports?: readonly (TransportName | OwnTransport)[];
  /**
   * Where the session outlives a reload: by default `sessionStorage`, where there is one. Null keeps it nowhere. One for several tabs, as
   * `localStorage` is, keeps the session of the tab that took it up last.
   */
  readonly storage?: Storage | null;
  /** Whether a tab that was duplicated takes the session from the other, which is closed, instead of beginning its own. */
  readonly takesOver?: boolean;
  /** Of more events than that, missed while away, only the newest messages are loaded. */
  readonly catchUp?: number;
  /** For programs without a `WebSocket` of their own (Node 20), as the package `ws` has one. */
  readonly WebSocket?: WebSocketConstructor;
  readonly fetch?: typeof globalThis.fetch;
  /** @internal */
  readonly clock?: Clock;
}

export interface ClientEvents {
  status: ConnectionStatus;
  /** Is in a room that nobody here asked for: the session was in it, or the host of the server has brought one in. */
  room: Room;
  /** An error that answers nothing, as of a token that is not good any more. */
  error: ChatError;
  /** Any frame, as it came. */
  frame: ServerFrame;
}

export class Client extends Emitter<ClientEvents> {
  readonly #options: ConnectOptions;
  readonly #url: string;
  readonly #storage: Storage | null;
  /** By which this tab knows what it has stored. */
  readonly #tab: string;
  /** What was stored when it began, as long as that may be taken up. */
  #found: string | null;
  readonly #clock: Clock;
  readonly #connection: Connection;
  readonly #requests: Requests;
  readonly #claims: Claims;
  readonly #host: RoomHost;
  readonly #asked = new WeakMap<ClientFrame, Room>();
  #claim: Promise<boolean> | null = null;
  #rooms: Room[] = [];
  #token: string | null;
  #why: 'connect' | 'expired' = 'connect';
  #status: ConnectionStatus = { name: 'connecting' };
  #welcome: Welcome | null = null;
  #heardAt = 0;
  #stopProbe: (() => void) | null = null;
  #stopWatch: (() => void) | null = null;

  /** @internal Use `connect`. */
  constructor(options: ConnectOptions) {
    super();
    this.#options = options;
    this.#url = (options.url ?? location.origin).replace(/\/+$/, '');
    this.#storage = options.storage === undefined ? sessionStorageOf(globalThis) : options.storage;
    // What is stored for one tab alone is its own, whoever has stored it there.
    this.#tab = this.#storage === sessionStorageOf(globalThis) ? '' : newKey();
    this.#clock = options.clock ?? systemClock;
    this.#requests = new Requests(this.#clock, () => this.limits);
    this.#claims = new Claims(this.#clock);
    this.#host = {
      clock: this.#clock,
      catchUp: options.catchUp ?? HOLE_MAX,
      ask: (frame, done, room) => {
        this.#asked.set(frame, room);
        const closed = this.#closed;
        if (closed) done(closed);
        else this.#requests.ask(frame, done);
      },
      tell: frame => this.#tell(frame),
      save: () => this.#save(),
      over: () => this.#token === null ? this.#closed : null,
      restart: () => this.#connection.restart(),
      remove: room => {
        this.#rooms = this.#rooms.filter(other => other !== room);
        this.#save();
      },
    };
    this.#connection = new Connection({
      clock: this.#clock,
      openers: this.#openers(),
      hello: () => this.#hello(),
      onFrame: frame => this.#receive(frame),
      onStatus: status => this.#onStatus(status),
    });
    const { token, rooms, text } = load(this.#storage, this.#url);
    this.#token = token;
    this.#found = text;
    this.#rooms = rooms.map(({ code, entrance, outbox }) => new Room(this.#host, code, entrance, false, outbox));
    this.connect();
  }

  get status(): ConnectionStatus {
    return this.#status;
  }
  /** The rooms one is in, or is about to be in again. */
  get rooms(): readonly Room[] {
    return this.#rooms;
  }
  /** The bounds of the server, once it has said them. */
  get limits(): Partial<Limits> {
    return this.#welcome?.limits ?? {};
  }
  /** Whether the server takes a command of this name. */
  has(feature: string): boolean {
    return this.#welcome?.features?.includes(feature) ?? false;
  }

  /** Makes a room and joins it. Without a name (null) the server draws a code. */
  create(room: string | null, entrance: Entrance): Promise<Room> {
    return this.#enter(room, entrance, true);
  }

  /**
   * Joins a room; resolves once one is in, and waits for a connection where there is none. A room one is in already is given as it is. Fails as
   * refused, as `closed` where the client does not come back by itself, and as `at_capacity` where the server has no place.
   */
  join(room: string, entrance: Entrance): Promise<Room> {
    return this.#enter(room, entrance, false);
  }

  /** The room of this code, if one is in it. */
  room(code: string): Room | undefined {
    return this.#rooms.find(room => room.code === code.toUpperCase());
  }

  /** Connects again, after `close()`, or where the server said not to come back. */
  connect(): void {
    this.#stopWatch ??= watch(this.#clock, () => this.#wake(), () => this.#tick());
    if (this.#closed) this.#status = { name: 'connecting' };
    const token = this.#token;
    if (token === null || !this.#isClaimed) return this.#start();
    const claim = this.#claim = this.#claims.claim(token);
    void claim.then(isOurs => {
      // It was closed meanwhile, and may have been opened again.
      if (this.#claim !== claim) return;
      // A duplicated tab, or one of several with one storage: the session, and what waits to be sent, are the other one's.
      if (!isOurs && this.#token === token) {
        this.#found = null;
        this.#forget();
      }
      this.#start();
    });
  }

  /** What was found is this tab's from now on, and no other's: before anybody is replaced. */
  #start(): void {
    this.#save(this.#found);
    this.#connection.start();
  }

  /** Why nothing is asked any more, where it does not come back by itself. */
  get #closed(): ChatError | null {
    const status = this.#status;
    return status.name === 'closed' ? new ChatError('closed', status.reason) : null;
  }

  /** Whether the session is stored where another tab could take it up. */
  get #isClaimed(): boolean {
    return this.#storage !== null && this.#options.takesOver !== true && this.#claims.areKept;
  }

  /** Drops the connection, and opens another at once. */
  reconnect(): void {
    this.#connection.restart();
  }

  /** Ends the connection, and keeps the session: members see one go after the grace. */
  close(): void {
    this.#connection.close(1000, 'closed');
  }

  /**
   * Ends the session for good, with its rooms; with `all` every session of the person. Resolves once the server has said so, or that the
   * session is gone; fails where it has not, and then the session and its token are still there, to be ended later.
   */
  end({ all = false }: { all?: boolean } = {}): Promise<void> {
    const wasOpen = this.#requests.isOpen;
    return new Promise((resolve, reject) => {
      this.#requests.ask({ type: 'end', all: all || undefined }, answer => {
        // Whatever becomes of the connection, nobody comes back with what is ended.
        if (!(answer instanceof ChatError) || (answer.code === 'bad_token' && !all)) this.#connection.close(SESSION_ENDED, 'ended');
        const status = this.#status;
        // It may have ended before the answer came, which has a way of its own over SSE; or long ago, which says nothing of other sessions.
        if ('code' in status && status.code === SESSION_ENDED && (wasOpen || !all)) resolve();
        else reject(this.#closed ?? answer);
      });
    });
  }

  #openers(): readonly OwnTransport[] {
    const { transports = ['ws', 'sse'], WebSocket: Socket = globalThis.WebSocket as WebSocketConstructor | undefined } = this.#options;
    const openers = transports.flatMap((name): readonly OwnTransport[] => {
      if (typeof name !== 'string') return [name];
      if (name === 'sse') return [[name, sseAt(this.#url, this.#clock, this.#options.fetch)]];
      return Socket === undefined ? [] : [[name, webSocketAt(this.#url, Socket)]];
    });
    if (openers.length === 0) throw new TypeError('there is no WebSocket: give one, or name `sse`');
    return openers;
  }

  #enter(code: string | null, given: Entrance, isMaker: boolean): Promise<Room> {
    const entrance = this.#closed ?? snapshot(given);
    if (entrance instanceof ChatError) return Promise.reject(entrance);
    const known = code === null ? undefined : this.room(code);
    if (known?.isLeaving) return known.left().then(() => this.#enter(code, entrance, isMaker));
    if (known !== undefined && known.state.status !== 'ended') {
      return known.state.epoch === null ? known.enter(entrance, isMaker) : Promise.resolve(known);
    }
    const room = known ?? new Room(this.#host, code?.toUpperCase() ?? null, entrance, isMaker);
    if (known === undefined) this.#rooms = [...this.#rooms, room];
    return room.enter(entrance, isMaker);
  }

  #hello(): Hello | Promise<Hello> {
    const { credentials } = this.#options;
    const with_ = (token: string | undefined): Hello => {
      const resume = this.#token;
      const named = this.#rooms.flatMap(room => room.position === null ? [] : [[room.code, room.position] as const]);
      const back = resume !== null && { resume, positions: Object.fromEntries(named), catch_up: this.#host.catchUp };
      return { type: 'hello', id: 0, ...back, ...(token !== undefined && { token }) };
    };
    if (typeof credentials !== 'function') return with_(credentials);
    return this.#ask(credentials, this.#why).then(token => {
      this.#why = 'connect';
      return with_(token);
    });
  }

  /** What the program gives to be shown; it may take its time, but not for ever. */
  async #ask(credentials: Credentials, why: Parameters<Credentials>[0]): Promise<string> {
    let stop = () => {};
    try {
      const late = new Promise<never>((_, fail) => {
        stop = this.#clock.after(CREDENTIALS_MS_MAX, () => fail('they take too long'));
      });
      const token = await Promise.race([late, Promise.resolve(why).then(credentials)]);
      if (typeof token !== 'string') throw 'they are no text';
      return token;
    } catch (reason) {
      const error = new ChatError('no_credentials', String(reason));
      this.emit('error', error);
      throw error;
    } finally {
      stop();
    }
  }

  #tell(frame: ClientFrame): void {
    if (this.#connection.buffered > BUFFERED_MAX) return;
    const said = snapshot(frame, this.limits.frame_bytes);
    if (said instanceof ChatError) this.emit('error', said);
    else this.#connection.send(said);
  }

  #onStatus(status: ConnectionStatus): void {
    this.#status = status;
    if (status.name === 'open') {
      this.#requests.open(frame => this.#connection.send(frame), () => this.#connection.restart(ABNORMAL));
    }
    if ('code' in status) {
      if (status.code === CREDENTIALS_EXPIRED) this.#why = 'expired';
      this.#stopProbing();
      const closed = this.#closed;
      for (const room of this.#rooms) {
        room.disconnected(isUnexplained(status.code));
        if (closed) room.closed(closed, status.code === SESSION_ENDED);
      }
      this.#requests.close();
      if (closed) {
        if (status.code === REPLACED || status.code === SESSION_ENDED) this.#forget();
        this.#stopWatch?.();
        this.#stopWatch = null;
        this.#claims.release();
        this.#claim = null;
      }
    }
    this.emit('status', status);
  }

  #receive(frame: ServerFrame): void {
    this.#heardAt = this.#clock.now();
    this.#stopProbing();
    const request = this.#requests.take(frame);
    switch (frame.type) {
      case 'welcome': this.#welcomed(frame); break;
      case 'token': this.#keep(frame.token); break;
      case 'resumed': this.room(frame.room)?.welcomed(frame); break;
      case 'auth_expiring': this.#renew(); break;
      case 'error': if (request === undefined) this.emit('error', ChatError.of(frame)); break;
      case 'joined': this.#joined(frame, request?.frame); break;
      default:
        // What was asked for is taken by whoever asked.
        if (request === undefined && 'room' in frame && frame.room !== undefined) this.room(frame.room)?.receive(frame as RoomFrame);
    }
    request?.done(frame.type === 'error' ? ChatError.of(frame) : frame);
    this.emit('frame', frame);
  }

  #welcomed(frame: Welcome): void {
    this.#welcome = frame;
    if (frame.token !== undefined) this.#keep(frame.token);
    const { rooms } = frame;
    for (const { room, status } of rooms) {
      // A room that was made under a drawn code, where the answer was lost.
      if (['live', 'gap', 'waiting'].includes(status) && !this.room(room)) this.#rooms.find(({ isUnnamed }) => isUnnamed)?.named(room);
    }
    for (const held of this.#rooms) held.welcomed(rooms.find(({ room }) => room === held.code) ?? null);
  }

  #joined(frame: Joined, asked: ClientFrame | undefined): void {
    let room = (asked && this.#asked.get(asked)) ?? this.room(frame.room);
    if (room === undefined) {
      const { nick, data } = frame.you;
      room = new Room(this.#host, frame.room, { nick, ...(data && { data }) }, false);
      this.#rooms = [...this.#rooms, room];
      this.emit('room', room);
    }
    room.receive(frame, asked);
  }

  #keep(token: string): void {
    const session = (of: string | null) => of?.split('.')[0];
    const isNew = session(token) !== session(this.#token);
    this.#token = token;
    if (isNew && this.#isClaimed) void this.#claims.claim(token);
    this.#save();
  }

  #forget(): void {
    this.#token = null;
    for (const room of this.#rooms) room.dropOutbox();
    this.#save();
  }

  #save(found: string | null = null): void {
    store(this.#storage, this.#url, { token: this.#token, rooms: this.#rooms.flatMap(room => room.stored ?? []) }, this.#tab, found);
  }

  /** What was given to the server runs out: another is shown before it does. */
  #renew(): void {
    const { credentials } = this.#options;
    if (typeof credentials !== 'function') return;
    const show = (token: string) => this.#requests.ask({ type: 'auth', token }, answer => {
      if (answer instanceof ChatError && answer.code !== 'disconnected') this.emit('error', answer);
    });
    // Where there is none, the connection ends with 4007, and it is asked for again.
    this.#ask(credentials, 'expiring').then(show, () => {});
  }

  /** Something has happened to the page or the network: what is there is asked whether it lives, and what waits is tried at once. */
  #wake(): void {
    this.#connection.retryNow();
    this.#probe();
  }

  #tick(): void {
    if (this.#clock.now() - this.#heardAt > SILENCE_MS_MAX) this.#probe();
  }

  #probe(): void {
    if (!this.#connection.isOpen || this.#stopProbe !== null) return;
    this.#stopProbe = this.#clock.after(PROBE_MS_MAX, () => this.#connection.restart());
    // Any frame will do, a refusal too: what is busy may answer others first.
    const room = this.#rooms.find(({ state }) => state.status === 'live')?.code ?? 'NONE';
    this.#requests.ask({ type: 'history', room, limit: 0 }, () => {});
  }

  #stopProbing(): void {
    this.#stopProbe?.();
    this.#stopProbe = null;
  }
}

/** Connects, and stays connected. */
export const connect = (options: ConnectOptions = {}): Client => new Client(options);
