//! The transport as its users see it: over real sockets on this machine, each
//! test with ports and authorities of its own.

mod suite;
mod trust;
mod world;
