//! What is too long for one of the programs beside it: a transport over WebSocket, which
//! `docs/book/write-your-own-transport.md` takes apart, a store of durable actors, which `docs/book/write-your-own-store.md`
//! does, and a shop of durable actors.

pub mod lines;
pub mod log_store;
pub mod shop;
pub mod websocket;
