// Commands and their answers: numbered, as many in flight as the server takes, one page at a time, and each answered or failed once.

import { ANSWER_MS_MAX, IN_FLIGHT, ONE_MS_MAX, QUEUE_MAX } from './bounds.js';
import { ChatError } from './errors.js';
import { snapshot } from './snapshot.js';
import type { Clock } from './clock.js';
import type { ClientFrame, Limits, ServerFrame } from './wire.js';

/** The server takes one of these at a time over some transports. */
const PAGES = new Set(['history', 'changes', 'members', 'bans']);

/** Hears the answer, or why there is none. */
export type Done = (answer: ServerFrame | ChatError) => void;

interface Request {
  readonly frame: ClientFrame;
  /** The same, numbered, as it was when it was asked. */
  readonly said: ClientFrame & { readonly id: number };
  readonly done: Done;
  /** Since when it is in flight. */
  since: number;
}

export class Requests {
  readonly #clock: Clock;
  readonly #inFlight = new Map<number, Request>();
  #waiting: Request[] = [];
  #send: ((frame: ClientFrame) => void) | null = null;
  #onDead = () => {};
  #stopTimer = () => {};
  readonly #limits: () => Partial<Limits>;
  #nextId = 1;

  constructor(clock: Clock, limits: () => Partial<Limits>) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get isOpen(): boolean {
    return this.#send !== null;
  }

  /** Asks through this connection from now on; `onDead` hears of an answer that does not come. */
  open(send: (frame: ClientFrame) => void, onDead: () => void): void {
    this.#send = send;
    this.#onDead = onDead;
  }

  ask(frame: ClientFrame, done: Done): void {
    if (this.#send === null) return done(new ChatError('disconnected', 'there is no connection'));
    if (this.#waiting.length >= QUEUE_MAX) return done(new ChatError('busy', 'too many commands wait to be sent'));
    const said = snapshot({ ...frame, id: this.#nextId }, this.#limits().frame_bytes);
    if (said instanceof ChatError) return done(said);
    this.#nextId += 1;
    this.#waiting.push({ frame, said, done, since: 0 });
    this.#flush();
  }

  /** The request that a frame answers, which is then over; whoever takes it calls its `done`. */
  take(frame: ServerFrame): Request | undefined {
    const { id } = frame as { id?: number };
    const request = this.#inFlight.get(id!);
    if (request !== undefined) {
      this.#inFlight.delete(id!);
      this.#flush();
      this.#watch();
    }
    return request;
  }

  /** The connection is lost: whatever was asked may have been done or not. */
  close(): void {
    const error = new ChatError('disconnected', 'the connection was lost before the answer');
    const lost = [...this.#inFlight.values(), ...this.#waiting];
    this.#send = null;
    this.#inFlight.clear();
    this.#waiting = [];
    this.#stopTimer();
    for (const { done } of lost) done(error);
  }

  #flush(): void {
    const isPaging = () => [...this.#inFlight.values()].some(({ frame }) => PAGES.has(frame.type));
    // Half of what the server takes, so that whatever else is said has a place.
    const limit = Math.max(1, (this.#limits().in_flight ?? IN_FLIGHT) >> 1);
    while (this.#send !== null && this.#inFlight.size < limit) {
      const index = this.#waiting.findIndex(({ frame }) => !PAGES.has(frame.type) || !isPaging());
      if (index < 0) return;
      const [request] = this.#waiting.splice(index, 1) as [Request];
      this.#inFlight.set(request.said.id, request);
      request.since = this.#clock.now();
      if (this.#inFlight.size === 1) this.#watch();
      this.#send(request.said);
    }
  }

  /** An answer has come, or the first is waited for: the next has as long. Over some transports they come one after the other. */
  #watch(): void {
    this.#stopTimer();
    const [oldest] = this.#inFlight.values();
    if (oldest === undefined) return;
    const ms = Math.min(ANSWER_MS_MAX, oldest.since + ONE_MS_MAX - this.#clock.now());
    this.#stopTimer = this.#clock.after(ms, () => this.#onDead());
  }
}
