// What outlives a reload: the session, the rooms and what waits to be sent. And which tab it belongs to, where a tab was duplicated.

import { AGAIN_MS } from './bounds.js';
import type { Clock } from './clock.js';
import type { Entry } from './outbox.js';
import type { StoredRoom } from './room.js';

/** `sessionStorage`, or anything like it. */
export interface Storage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
  removeItem(key: string): void;
}

export interface Stored {
  readonly token: string | null;
  readonly rooms: readonly StoredRoom[];
}

/** What was stored when the page began. */
export interface Found extends Stored {
  /** As it stood there. */
  readonly text: string | null;
}

const keyOf = (url: string) => `chat ${url}`;

/** What was stored, but for what is spoilt: storage that is full or switched off costs no more than a reload. */
export function load(storage: Storage | null, url: string): Found {
  let text: string | null = null;
  try {
    text = storage!.getItem(keyOf(url));
    const { token, rooms } = JSON.parse(text!);
    const sound = listOf(rooms).filter(isRoom).map(room => ({ ...room, outbox: listOf(room.outbox).filter(isEntry) }));
    return { token: typeof token === 'string' ? token : null, rooms: sound, text };
  } catch {
    // See above.
  }
  return { token: null, rooms: [], text };
}

const listOf = (value: unknown): readonly unknown[] => Array.isArray(value) ? value : [];
const isRoom = (room: any): room is StoredRoom => typeof room?.code === 'string' && typeof room.entrance?.nick === 'string';
const isEntry = (entry: any): entry is Entry => typeof entry?.key === 'string' && typeof entry.frame?.type === 'string'
  && (entry.epoch === null || typeof entry.epoch === 'string') && (entry.member === null || typeof entry.member === 'number');

/**
 * Stores under the name of a tab, where nothing is stored, or what this tab has stored; or in place of `found`, which is this tab's from then on.
 * Of what another one has stored, nothing is touched.
 */
export function store(storage: Storage | null, url: string, { token, rooms }: Stored, tab: string, found: string | null): void {
  try {
    const key = keyOf(url);
    const before = storage!.getItem(key) ?? null;
    if (before !== null && before !== found && !before.includes(tab)) return;
    if (token === null && rooms.length === 0) storage!.removeItem(key);
    // Whoever was in a room stays who they are, banned or not; who never was is not worth a fight between two tabs.
    else if (rooms.length > 0 || before !== null) storage!.setItem(key, JSON.stringify({ token, rooms, tab }));
  } catch {
    // See above.
  }
}

/** `sessionStorage` where there is one that may be used. */
export function sessionStorageOf(scope: { readonly sessionStorage?: Storage }): Storage | null {
  try {
    return scope.sessionStorage ?? null;
  } catch {
    return null;
  }
}

interface Locks {
  request(name: string, options: { ifAvailable: true }, use: (lock: unknown) => Promise<void> | undefined): Promise<void>;
}

interface Claim {
  readonly name: string;
  /** Whether this tab has the session. */
  readonly isOurs: Promise<boolean>;
  release(): void;
}

/** The session that this tab has. A duplicated tab has a copy of the storage, and asks before it takes the session from the other. */
export class Claims {
  readonly #locks = (globalThis as { navigator?: { locks?: Locks } }).navigator?.locks;
  readonly #clock: Clock;
  #claim: Claim | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether sessions can be claimed here at all; where not, two tabs take one from each other, and the server closes the older one. */
  get areKept(): boolean {
    return this.#locks !== undefined;
  }

  /** Claims a session until `release`, in place of the one before; false where another tab has it. Who asks again meanwhile waits for the same answer. */
  claim(token: string): Promise<boolean> {
    const name = `chat ${token.split('.')[0]}`;
    if (this.#claim?.name !== name) {
      this.release();
      this.#claim = this.#begin(name);
    }
    return this.#claim!.isOurs;
  }

  release(): void {
    this.#claim?.release();
    this.#claim = null;
  }

  #begin(name: string): Claim {
    let release = () => {};
    // What is given up before it was granted is let go as soon as it is.
    const isReleased = new Promise<void>(done => { release = done; });
    const request = () => new Promise<boolean>(resolve => {
      const hold = (lock: unknown) => {
        resolve(lock !== null);
        return lock === null ? undefined : isReleased;
      };
      // Where locks fail, nobody has the session.
      this.#locks!.request(name, { ifAvailable: true }, hold).catch(() => resolve(true));
    });
    const again = () => new Promise<boolean>(done => { this.#clock.after(AGAIN_MS, () => done(request())); });
    return { name, release, isOurs: request().then(isOurs => isOurs || again()) };
  }
}
