//! What every transport must do, over WebSocket on real sockets.

mod harness;

chat_testkit::transport_contract!(harness::WebSocket);
