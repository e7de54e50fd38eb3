//! What is too long for one of the programs beside it: a transport over WebSocket, which
//! `docs/book/write-your-own-transport.md` takes apart, and a shop of durable actors.

pub mod lines;
pub mod shop;
pub mod websocket;
