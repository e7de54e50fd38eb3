//! Whole-system scenarios over real transports, with real processes.

mod bad_input;
mod bulk;
mod calls;
mod capture;
mod chaos;
mod cut;
mod demo;
mod factory;
mod failover;
mod idle;
mod killed;
mod load;
mod logs;
mod rotation;
mod siege;
mod stalled;
mod stdio;
mod support;
mod turmoil;
mod versions;
