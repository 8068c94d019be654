// What the package offers.

export { ChatError, isChatError } from './errors.js';
export { isEvent, reduce } from './reduce.js';
export { newRoom } from './state.js';
export type { ClientErrorCode, ErrorCode, ErrorDetails, ServerErrorCode } from './errors.js';
export type { Ending, Message, RoomState } from './state.js';
export type * from './wire.js';
