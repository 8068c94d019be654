// What can go wrong, by code: every refusal of the server, and what only a client can say.

import type { ErrorFrame } from './wire.js';

/** Codes of the server, as docs/protocol.md has them. */
export type ServerErrorCode =
  | 'bad_frame' | 'unknown_type' | 'bad_field' | 'too_long' | 'room_not_found' | 'name_taken' | 'nick_taken' | 'not_member'
  | 'already_member' | 'member_not_found' | 'message_not_found' | 'too_late' | 'edits_full' | 'out_of_reach'
  | 'too_many_rooms' | 'too_many_attachments' | 'ban_not_found' | 'room_full' | 'room_locked' | 'secret_wrong'
  | 'roles_full' | 'bans_full' | 'live_full' | 'signals_full' | 'reactions_full' | 'banned' | 'read_only' | 'forbidden'
  | 'key_conflict' | 'rate_limited' | 'busy' | 'unavailable' | 'at_capacity' | 'draining' | 'not_connected' | 'bad_token' | 'auth_expired';

/** Codes of this client. */
export type ClientErrorCode =
  /** The connection was lost before the answer: it may have been done. */
  | 'disconnected'
  /** The client was closed, or may not come back. */
  | 'closed'
  /** Not in the room any more, or not yet. */
  | 'left'
  /** It was written for another life of the room, whose people may be others. It was not sent by itself. */
  | 'epoch_changed'
  /** It was sent, the answer was lost, and it cannot be asked for any more. */
  | 'outcome_unknown'
  /** As many messages wait to be sent as may. */
  | 'outbox_full'
  /** There were no credentials to show: the function that gives them failed, or took too long. It is asked again. */
  | 'no_credentials';

export type ErrorCode = ServerErrorCode | ClientErrorCode;

/** What came with the refusal, where it did. */
export interface ErrorDetails {
  /** The field that is wrong. */
  readonly field?: string;
  /** The bound that was passed. */
  readonly limit?: number;
  /** When to try again. */
  readonly retryAfterMs?: number;
  /** When a ban ends. */
  readonly until?: string;
}

/** A refusal, or a failure of the connection. `code` says which; `isChatError(error, 'banned')` asks for one. */
export class ChatError<C extends ErrorCode = ErrorCode> extends Error implements ErrorDetails {
  readonly code: C;
  declare readonly field?: string;
  declare readonly limit?: number;
  declare readonly retryAfterMs?: number;
  declare readonly until?: string;

  constructor(code: C, message: string, details: ErrorDetails = {}) {
    super(message);
    this.name = 'ChatError';
    this.code = code;
    Object.assign(this, details);
  }

  /** The same as a frame said it. A code that this version does not know is passed on as it is. */
  static of({ code, message, field, limit, retry_after_ms: retryAfterMs, until }: ErrorFrame): ChatError {
    // Without what was not said.
    return new ChatError(code as ErrorCode, message, JSON.parse(JSON.stringify({ field, limit, retryAfterMs, until })));
  }
}

/** Whether this is an error of the chat, with this code if one is given. */
export function isChatError<C extends ErrorCode>(error: unknown, code?: C): error is ChatError<C> {
  return error instanceof ChatError && (code === undefined || error.code === code);
}

const PASSING = ['rate_limited', 'busy', 'unavailable', 'at_capacity', 'draining', 'not_connected'];

/** Whether the same may be taken a little later. */
export const isPassing = ({ code }: { readonly code: string }): boolean => PASSING.includes(code);

/** Close codes from 4500 to 4999 say: do not come back. */
export const isFinal = (code: number): boolean => code >= 4500 && code <= 4999;

/**
 * Whether a connection may have been lost over what was said: neither the server nor this client had another reason, and nobody on the way said
 * that it goes away (1001) or begins anew (1012).
 */
export const isUnexplained = (code: number): boolean => code === 4500 || (code > 1001 && code < 4000 && code !== 1012);
