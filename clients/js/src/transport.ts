// What a transport is: it opens, takes frames, tells frames, and closes once. It knows no rule of the chat.

import type { ClientFrame, Hello, ServerFrame } from './wire.js';

export interface Handlers {
  /** The server was reached. */
  onOpen(): void;
  onFrame(frame: ServerFrame): void;
  /** Called at most once, and never after `close`. */
  onClose(code: number, reason: string): void;
}

export interface Transport {
  send(frame: ClientFrame): void;
  close(): void;
  /** Bytes that were handed in and are not on their way yet. */
  buffered(): number;
}

/** Opens a connection, and sends `hello` as its first frame. */
export type Opener = (hello: Hello, handlers: Handlers) => Transport;

/** The transports of this package. */
export type TransportName = 'ws' | 'sse';
/** One of a program's own, and what it is called in the status. */
export type OwnTransport = readonly [name: string, open: Opener];

/** How a connection is lost of which nobody said why. */
export const ABNORMAL = 1006;
/** How one is that was wanted. */
export const NORMAL = 1000;
/** The credentials that were shown have run out. */
export const CREDENTIALS_EXPIRED = 4007;
/** Another connection has the session, and its token. */
export const REPLACED = 4501;
/** The session is over, and its token is nobody's. */
export const SESSION_ENDED = 4503;
