// Socket.IO as a transport: the stock client, fetched when it is wanted. Each frame is an event of its type.

const CLIENT = '../vendor/socket.io.esm.min.js';
/** What the server's final refusals mean as close codes; every other may pass. */
const CLOSE_CODES = { forbidden: 4502, bad_frame: 4500, bad_field: 4500, too_long: 4500 };

let fetched = 0;

/** Opens a connection, once its first frame (a `hello`) says which session it is for. The shape is that of `websocket.js`. */
export function openSocketIo({ onOpen, onFrame, onClose }) {
  let io = null;
  let socket = null;
  let isOver = false;

  function end(close) {
    if (isOver) return;
    stop();
    onClose(close);
  }

  function stop() {
    isOver = true;
    socket?.disconnect();
  }

  function connect({ resume, positions }) {
    // Coming back is the page's own affair: it is the same over every transport.
    socket = io(location.origin, { auth: { resume, positions }, reconnection: false, forceNew: true });
    socket.onAny((_, frame) => isOver || onFrame(frame));
    socket.on('connect_error', ({ message }) => end({ code: CLOSE_CODES[message] ?? 1006, reason: message }));
    socket.on('disconnect', reason => end({ code: 1006, reason }));
  }

  // Some browsers remember that a module could not be fetched: each attempt has its own address until one succeeds.
  import(fetched === 0 ? CLIENT : `${CLIENT}?${fetched}`).then(client => {
    io = client.io;
    if (!isOver) onOpen();
  }, error => {
    fetched += 1;
    end({ code: 1006, reason: String(error) });
  });
  return {
    send({ type, ...fields }) {
      if (type === 'hello') connect(fields);
      else socket.emit(type, fields);
    },
    close: stop,
  };
}
