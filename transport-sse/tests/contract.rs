//! What every transport must do, over Server-Sent Events and POST on real sockets.

mod harness;

chat_testkit::transport_contract!(harness::EventSource);
