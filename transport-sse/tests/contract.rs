//! What every transport must do, over Server-Sent Events and POST on real sockets.

mod door;

chat_testkit::transport_contract!(door::EventSource);
