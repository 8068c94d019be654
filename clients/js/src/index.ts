// What the package offers.

export { connect } from './client.js';
export { ChatError, isChatError } from './errors.js';
export { isEvent, reduce } from './reduce.js';
export { newRoom } from './state.js';
export { sseAt } from './sse.js';
export { webSocketAt } from './ws.js';
export type { Client, ClientEvents, ConnectOptions } from './client.js';
export type { ConnectionStatus } from './connection.js';
export type { ClientErrorCode, ErrorCode, ErrorDetails, ServerErrorCode } from './errors.js';
export type { Pending, Sent } from './outbox.js';
export type { Entrance, Room, RoomEvents } from './room.js';
export type { Ending, Message, RoomState } from './state.js';
export type { Storage } from './storage.js';
export type { Handlers, Opener, OwnTransport, Transport, TransportName } from './transport.js';
export type { WebSocketConstructor, WebSocketLike } from './ws.js';
export type * from './wire.js';
