// What a room still has to send: one command at a time, in order, each under its own key, and only into the life of the room it was written for.

import { LOSSES_MAX, OUTBOX_MAX, PAUSE_MS } from './bounds.js';
import { ChatError, isPassing } from './errors.js';
import { snapshot } from './snapshot.js';
import type { Clock } from './clock.js';
import type { Done } from './requests.js';
import type { RoomState } from './state.js';
import type { ClientFrame, ServerFrame } from './wire.js';

/** Where a message stands in the log; an edit or reaction that changed nothing has no `at`. */
export interface Sent {
  readonly seq: number;
  readonly at?: string;
}

/** What waits to be sent, for a list of messages to show below the others. */
export interface Pending {
  readonly key: string;
  readonly frame: ClientFrame;
}

/** What is not sent any more, and why. */
export interface Refused extends Pending {
  readonly error: ChatError;
}

/** As it is stored: what was tried before belongs to one member of one life of the room. */
export interface Entry extends Pending {
  /** Null where it was written before the room was entered for the first time. */
  epoch: string | null;
  /** As whom it was tried; null before. */
  member: number | null;
  /** Connections that were lost over it, one after the other. */
  losses?: number;
}

interface Waiting extends Entry {
  readonly done: (outcome: Sent | ChatError) => void;
}

export interface OutboxOptions {
  readonly clock: Clock;
  state(): RoomState;
  ask(frame: ClientFrame, done: Done): void;
  /** What waits has changed. */
  onChange(): void;
  /** It was not taken, or nobody knows. Whoever wrote it may be gone: it may be of a page before this one. */
  onRefused(refused: Refused): void;
}

export class Outbox {
  readonly #options: OutboxOptions;
  #waiting: Waiting[];
  #inFlight: Waiting | null = null;
  #stopPause: (() => void) | null = null;

  constructor(options: OutboxOptions, entries: readonly Entry[] = []) {
    this.#options = options;
    this.#waiting = entries.map(entry => ({ ...entry, done: () => {} }));
  }

  get entries(): readonly Entry[] {
    return this.#waiting.map(({ done, ...entry }) => entry);
  }

  push(frame: ClientFrame, key: string, done: (outcome: Sent | ChatError) => void): void {
    if (this.#waiting.length >= OUTBOX_MAX) return done(new ChatError('outbox_full', 'too many messages wait to be sent', { limit: OUTBOX_MAX }));
    const said = snapshot(frame);
    if (said instanceof ChatError) return done(said);
    this.#waiting.push({ key, frame: said, epoch: this.#options.state().epoch, member: null, done });
    this.#options.onChange();
    this.flush();
  }

  /** Sends the next, unless one is on its way, or a pause runs. */
  flush(): void {
    const { status, epoch, you, code } = this.#options.state();
    if (status !== 'live' || this.#inFlight !== null || this.#stopPause !== null) return;
    const entry = this.#waiting[0];
    if (entry === undefined) return;
    entry.epoch ??= epoch;
    // Into another life of the room, whose people may be others, nothing goes by itself.
    if (entry.epoch !== epoch) return this.#end(entry, new ChatError('epoch_changed', 'this was written for an earlier life of the room'));
    // The keys of one person are not those of another: as somebody new it could be said twice.
    if (entry.member !== null && entry.member !== you?.member) {
      return this.#end(entry, new ChatError('outcome_unknown', 'this may have been said already'));
    }
    if (entry.member === null) {
      entry.member = you!.member;
      // It is stored before it is sent: whoever comes back after a reload says it under the same key.
      this.#options.onChange();
    }
    this.#inFlight = entry;
    this.#options.ask({ ...entry.frame, room: code, key: entry.key }, answer => this.#answered(entry, answer));
  }

  /** A frame that the room was told: one's own message, whose answer may have been lost. */
  heard(frame: ServerFrame & { key?: string; seq?: number; at?: string; member?: number; by?: number }): void {
    const [entry] = this.#waiting;
    if (entry === undefined || frame.key !== entry.key || frame.seq === undefined) return;
    const member = frame.type === 'message' ? frame.member : frame.by;
    if (member === entry.member) this.#end(entry, { seq: frame.seq, ...(frame.at !== undefined && { at: frame.at }) });
  }

  /** The connection is lost. What was in flight is asked again under its key; not for ever, where it may be why (`isSuspect`). */
  pause(isSuspect = false): void {
    const entry = this.#inFlight;
    this.#inFlight = null;
    this.#stopPause?.();
    this.#stopPause = null;
    if (entry === null || !isSuspect) return;
    entry.losses = (entry.losses ?? 0) + 1;
    if (entry.losses >= LOSSES_MAX) this.#end(entry, new ChatError('outcome_unknown', 'the connection was lost before the answer each time'));
    else this.#options.onChange();
  }

  /** Nothing of it is sent any more. With `waits`, what was tried is still to be answered. */
  clear(error: ChatError, { waits = false } = {}): void {
    if (!waits) this.pause();
    for (const entry of [...this.#waiting]) {
      if (entry.member === null) this.#end(entry, error);
      else if (!waits) this.#end(entry, new ChatError('outcome_unknown', error.message));
    }
  }

  #answered(entry: Waiting, answer: ServerFrame | ChatError): void {
    if (this.#inFlight !== entry) return;
    this.#inFlight = null;
    if (answer instanceof ChatError) {
      if (answer.code === 'disconnected') return;
      delete entry.losses;
      if (isPassing(answer) || answer.code === 'not_member') return this.#wait(answer.retryAfterMs ?? PAUSE_MS);
      return this.#end(entry, answer);
    }
    const { seq, at } = answer as Sent;
    this.#end(entry, { seq, ...(at !== undefined && { at }) });
  }

  #wait(ms: number): void {
    this.#stopPause?.();
    this.#stopPause = this.#options.clock.after(ms, () => {
      this.#stopPause = null;
      this.flush();
    });
  }

  #end(entry: Waiting, outcome: Sent | ChatError): void {
    const index = this.#waiting.indexOf(entry);
    if (index >= 0) {
      this.#waiting.splice(index, 1);
      this.#options.onChange();
      entry.done(outcome);
      if (outcome instanceof ChatError) this.#options.onRefused({ key: entry.key, frame: entry.frame, error: outcome });
    }
    this.flush();
  }
}
