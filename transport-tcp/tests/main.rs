//! The transport as its users see it: over real sockets on this machine, each
//! test with ports and authorities of its own.

mod capture;
mod closing;
mod configuration;
mod limits;
mod strangers;
mod suite;
mod trust;
mod turmoil;
mod world;
