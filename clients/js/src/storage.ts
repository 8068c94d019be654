// What outlives a reload: the session, the rooms and what waits to be sent. And which tab it belongs to, where a tab was duplicated.

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
    if (rooms.length === 0) storage?.removeItem(keyOf(url));
    else storage?.setItem(keyOf(url), JSON.stringify({ token, rooms }));
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

/** The sessions that this tab has. A duplicated tab has a copy of the storage, and asks before it takes the session from the other. */
export class Claims {
  readonly #locks = (globalThis as { navigator?: { locks?: Locks } }).navigator?.locks;
  #held: string | null = null;
  #release = () => {};

  /** Whether sessions can be claimed here at all; where not, two tabs take one from each other, and the server closes the older one. */
  get areKept(): boolean {
    return this.#locks !== undefined;
  }

  /** Claims a session, in place of the one before; false where another tab has it. */
  claim(token: string): Promise<boolean> {
    const name = `chat ${token.split('.')[0]}`;
    if (name === this.#held) return Promise.resolve(true);
    this.#release();
    this.#held = name;
    return new Promise(resolve => {
      const hold = (lock: unknown) => {
        resolve(lock !== null);
        return lock === null ? undefined : new Promise<void>(release => { this.#release = release; });
      };
      this.#locks!.request(name, { ifAvailable: true }, hold).catch(() => resolve(true));
    });
  }
}
