//! What every transport must do, over WebSocket on real sockets.

mod door;

chat_testkit::transport_contract!(door::WebSocket);
