// Socket.IO as a transport of the client: the stock one, fetched when it is wanted. Each frame is an event of its type.

import { base } from './dom.js';

const CLIENT = '../vendor/socket.io.esm.min.js';
/** What the server's final refusals mean as close codes; every other may pass. */
const CLOSE_CODES = { forbidden: 4502, bad_frame: 4500, bad_field: 4500, too_long: 4500 };

let fetched = 0;

/** Opens a connection of the session that `hello` names; the shape is that of every transport of the client. */
export function openSocketIo(hello, { onOpen, onFrame, onClose }) {
  const { type, id, ...auth } = hello;
  let socket = null;
  let isOver = false;

  function end(code, reason) {
    if (isOver) return;
    stop();
    onClose(code, reason);
  }

  function stop() {
    isOver = true;
    socket?.disconnect();
  }

  // Some browsers remember that a module could not be fetched: each attempt has its own address until one succeeds.
  import(fetched === 0 ? CLIENT : `${CLIENT}?${fetched}`).then(({ io }) => {
    if (isOver) return;
    onOpen();
    // Coming back is the client's affair: it is the same over every transport.
    socket = io(location.origin, { path: new URL('socket.io', base()).pathname, auth, reconnection: false, forceNew: true });
    socket.onAny((_, frame) => isOver || onFrame(frame));
    socket.on('connect_error', ({ message }) => end(CLOSE_CODES[message] ?? 1006, message));
    socket.on('disconnect', reason => end(1006, reason));
  }, error => {
    fetched += 1;
    end(1006, String(error));
  });
  return {
    send: ({ type: name, ...fields }) => socket.emit(name, fields),
    close: stop,
    // It does not say, and what it holds back it sends.
    buffered: () => 0,
  };
}
