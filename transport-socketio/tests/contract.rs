//! What every transport must do, over Socket.IO on real sockets; and by long-polling beside WebSocket.

mod harness;

use harness::{Polling, SocketIo};

chat_testkit::transport_contract!(SocketIo);

mod websocket_then_polling {
    use super::{Polling, SocketIo};

    chat_testkit::transport_pair_contract!(SocketIo, Polling);
}

mod polling_then_websocket {
    use super::{Polling, SocketIo};

    chat_testkit::transport_pair_contract!(Polling, SocketIo);
}
