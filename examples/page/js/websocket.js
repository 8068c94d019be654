// A WebSocket as a transport: text frames in and out, and one close with its code. It knows no rule of the chat.

/** The subprotocol that names the wire protocol and its version. */
const SUBPROTOCOL = 'chat.v1';

/**
 * Opens a connection. A transport is any function of this shape:
 * `handlers` are `onOpen()`, after which the first frame is sent, `onFrame(frame)`, and `onClose({ code, reason })`, the last
 * called at most once; the answer is `{ send(frame), close() }`.
 */
export function openWebSocket({ onOpen, onFrame, onClose }) {
  const socket = new WebSocket(addressOf(location), SUBPROTOCOL);
  socket.addEventListener('open', onOpen);
  socket.addEventListener('message', event => {
    let frame;
    try {
      frame = JSON.parse(event.data);
    } catch {
      return;
    }
    onFrame(frame);
  });
  socket.addEventListener('close', event => onClose({ code: event.code, reason: event.reason }));
  return {
    send: frame => socket.send(JSON.stringify(frame)),
    close: () => socket.close(),
  };
}

/** The address of the server that served the page. */
const addressOf = ({ protocol, host }) => `${protocol === 'https:' ? 'wss:' : 'ws:'}//${host}/ws`;
