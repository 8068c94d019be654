// What outlives a reload: the session, the rooms and what waits to be sent. And which tab it belongs to, where a tab was duplicated.

import type { Clock } from './clock.js';
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

const keyOf = (url: string) => `chat ${url}`;

/** What was stored, or nothing: storage that is full, switched off or spoilt costs no more than a reload. */
export function load(storage: Storage | null, url: string): Stored {
  try {
    const { token, rooms } = JSON.parse(storage!.getItem(keyOf(url))!);
    if (Array.isArray(rooms)) return { token: typeof token === 'string' ? token : null, rooms };
  } catch {
    // See above.
  }
  return { token: null, rooms: [] };
}

export function store(storage: Storage | null, url: string, { token, rooms }: Stored): void {
  try {
    const key = keyOf(url);
    if (token === null && rooms.length === 0) storage?.removeItem(key);
    // Whoever was in a room stays who they are, banned or not; who never was is not worth a fight between two tabs.
    else if (rooms.length > 0 || storage?.getItem(key) !== null) storage?.setItem(key, JSON.stringify({ token, rooms }));
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

/** A page that goes lets its lock go a moment later: so long after, it is asked once more. */
const AGAIN_MS = 200;

/** The session that this tab has. A duplicated tab has a copy of the storage, and asks before it takes the session from the other. */
export class Claims {
  readonly #locks = (globalThis as { navigator?: { locks?: Locks } }).navigator?.locks;
  readonly #clock: Clock;
  #held: string | null = null;
  #release = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether sessions can be claimed here at all; where not, two tabs take one from each other, and the server closes the older one. */
  get areKept(): boolean {
    return this.#locks !== undefined;
  }

  /** Claims a session until `release`, in place of the one before; false where another tab has it. */
  async claim(token: string): Promise<boolean> {
    const name = `chat ${token.split('.')[0]}`;
    if (name === this.#held) return true;
    this.release();
    this.#held = name;
    if (await this.#request(name)) return true;
    await new Promise<void>(done => { this.#clock.after(AGAIN_MS, done); });
    return this.#request(name);
  }

  release(): void {
    this.#release();
    this.#release = () => {};
    this.#held = null;
  }

  #request(name: string): Promise<boolean> {
    return new Promise(resolve => {
      const hold = (lock: unknown) => {
        resolve(lock !== null);
        // It may have been given up meanwhile.
        return lock === null || this.#held !== name ? undefined : new Promise<void>(release => { this.#release = release; });
      };
      // Where locks fail, nobody has the session.
      this.#locks!.request(name, { ifAvailable: true }, hold).catch(() => resolve(true));
    });
  }
}
