// One connection after another: chooses a transport, says hello, notices what is dead, and comes back when it is lost.

import { FALLBACK_MS, STEADY_MS, WELCOME_MS_MAX } from './bounds.js';
import { backoffMs } from './clock.js';
import { isFinal } from './errors.js';
import { ABNORMAL, NORMAL } from './transport.js';
import type { Clock } from './clock.js';
import type { OwnTransport, Transport } from './transport.js';
import type { ClientFrame, Hello, ServerFrame } from './wire.js';

/** Where the client stands with the server. */
export type ConnectionStatus =
  | { readonly name: 'connecting' }
  | { readonly name: 'open'; readonly transport: string }
  /** Lost; the next attempt is in `retryMs`. */
  | { readonly name: 'waiting'; readonly retryMs: number; readonly code: number; readonly reason: string }
  /** It does not come back by itself: `connect()` begins anew. */
  | { readonly name: 'closed'; readonly code: number; readonly reason: string };

export interface ConnectionOptions {
  readonly clock: Clock;
  readonly openers: readonly OwnTransport[];
  /** The first frame; a promise where credentials are asked for. */
  hello(): Hello | Promise<Hello>;
  onFrame(frame: ServerFrame): void;
  onStatus(status: ConnectionStatus): void;
}

interface Attempt {
  transport: Transport | null;
  readonly name: string;
  /** Some frame has come: the transport gets through. */
  isHeard: boolean;
  openedAt: number | null;
  reconnectMs: number | undefined;
  stopTimer: () => void;
}

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  #current: Attempt | null = null;
  #attempts = 0;
  /** Which transport is next, by its place in the list. */
  #place = 0;
  /** Until when that is so, once it got through; then the first is tried again. */
  #fallbackUntil = Infinity;
  /** The first transport was welcomed before: it is not given up for one loss. */
  #isProven = false;
  #stopRetry: (() => void) | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#clock = options.clock;
  }

  get isOpen(): boolean {
    return this.#current !== null && this.#current.openedAt !== null;
  }

  get buffered(): number {
    return this.#current?.transport?.buffered() ?? 0;
  }

  send(frame: ClientFrame): void {
    if (this.isOpen) this.#current!.transport!.send(frame);
  }

  start(): void {
    this.#stopRetry?.();
    this.#stopRetry = null;
    if (this.#current !== null) return;
    if (this.#clock.now() >= this.#fallbackUntil) this.#beginWithFirst();
    const [name, open] = this.#options.openers[this.#place]!;
    const attempt: Attempt = { transport: null, name, isHeard: false, openedAt: null, reconnectMs: undefined, stopTimer: () => {} };
    this.#current = attempt;
    this.#options.onStatus({ name: 'connecting' });
    const lose = (code: number, reason: string) => this.#lose(attempt, code, reason);
    const wait = () => {
      attempt.stopTimer();
      attempt.stopTimer = this.#clock.after(WELCOME_MS_MAX, () => lose(ABNORMAL, 'no answer'));
    };
    const go = (hello: Hello) => {
      if (this.#current !== attempt) return;
      wait();
      try {
        // The server may be slow once it is reached: its rooms are asked before it says welcome.
        attempt.transport = open(hello, { onOpen: wait, onFrame: frame => this.#receive(attempt, frame), onClose: lose });
      } catch (error) {
        lose(ABNORMAL, String(error));
      }
    };
    const hello = this.#options.hello();
    if (hello instanceof Promise) {
      hello.then(go, error => {
        // The transport is not to blame.
        attempt.isHeard = true;
        lose(ABNORMAL, String(error));
      });
    }
    else go(hello);
  }

  /** Drops what there is, and opens another. With `NORMAL` nothing that was said is to blame. */
  restart(code = NORMAL): void {
    if (this.#current !== null) this.#lose(this.#current, code, 'dropped', 0);
    else this.start();
  }

  /** Tries again at once, where a wait is running. */
  retryNow(): void {
    if (this.#stopRetry !== null) this.start();
  }

  close(code: number, reason: string): void {
    this.#stopRetry?.();
    this.#stopRetry = null;
    this.#drop();
    this.#attempts = 0;
    this.#options.onStatus({ name: 'closed', code, reason });
  }

  #receive(attempt: Attempt, frame: ServerFrame): void {
    if (this.#current !== attempt) return;
    attempt.isHeard = true;
    if (frame.type === 'closing') {
      attempt.reconnectMs = frame.reconnect_after_ms;
      return this.#lose(attempt, frame.code, frame.reason);
    }
    if (frame.type === 'welcome') {
      attempt.stopTimer();
      attempt.openedAt = this.#clock.now();
      if (this.#place === 0) this.#isProven = true;
      else this.#fallbackUntil = Math.min(this.#fallbackUntil, this.#clock.now() + FALLBACK_MS);
      this.#options.onStatus({ name: 'open', transport: attempt.name });
    }
    this.#options.onFrame(frame);
  }

  #lose(attempt: Attempt, code: number, reason: string, ms?: number): void {
    if (this.#current !== attempt) return;
    this.#drop();
    if (isFinal(code)) return this.close(code, reason);
    const { openedAt, isHeard } = attempt;
    if (openedAt !== null && this.#clock.now() - openedAt >= STEADY_MS) this.#attempts = 0;
    const retryMs = ms ?? attempt.reconnectMs ?? (this.#takesNext(openedAt, isHeard || code >= 4000) ? 0 : backoffMs(this.#attempts++, this.#clock));
    this.#options.onStatus({ name: 'waiting', retryMs, code, reason });
    // Whoever heard of it may have closed, or begun anew.
    if (this.#current === null && this.#stopRetry === null) this.#stopRetry = this.#clock.after(retryMs, () => this.start());
  }

  /** Whether the next transport is tried at once: nothing has come over this one, which may be blocked on the way. */
  #takesNext(openedAt: number | null, isHeard: boolean): boolean {
    if (openedAt !== null || isHeard) return false;
    const isLast = this.#place + 1 >= this.#options.openers.length;
    // One that got through before is more likely waiting for its server.
    if (isLast || (this.#isProven && this.#attempts < 2)) {
      this.#beginWithFirst();
      return false;
    }
    this.#place += 1;
    return true;
  }

  #beginWithFirst(): void {
    this.#place = 0;
    this.#fallbackUntil = Infinity;
  }

  #drop(): void {
    const attempt = this.#current;
    this.#current = null;
    attempt?.stopTimer();
    attempt?.transport?.close();
  }
}
