// A WebSocket as a transport: text frames in and out, and one close with its code. It knows no rule of the chat.

/** The subprotocol that names the wire protocol and its version. */
const SUBPROTOCOL = 'chat.v1';

/**
 * Opens a connection. A transport is any function of this shape:
 * `handlers` are `onOpen()`, `onText(text)` and `onClose({ code, reason })`, the last called exactly once;
 * the answer is `{ send(text), close() }`.
 */
export function openWebSocket(url, { onOpen, onText, onClose }) {
  const socket = new WebSocket(url, SUBPROTOCOL);
  socket.addEventListener('open', onOpen);
  socket.addEventListener('message', event => onText(event.data));
  socket.addEventListener('close', event => onClose({ code: event.code, reason: event.reason }));
  return {
    send: text => socket.send(text),
    close: () => socket.close(),
  };
}

/** The address of the server that served the page. */
export function webSocketUrl(location) {
  return `${location.protocol === 'https:' ? 'wss:' : 'ws:'}//${location.host}/ws`;
}
