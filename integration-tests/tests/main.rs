//! Whole-system scenarios over real transports, with real processes.

mod bad_input;
mod bulk;
mod calls;
mod capture;
mod chaos;
mod cut;
mod demo;
mod detection;
mod exhaustion;
mod expiry;
mod factory;
mod failover;
mod growth;
mod idle;
mod killed;
#[cfg(target_os = "linux")]
mod lives;
mod load;
mod logs;
mod matrix;
mod partitions;
mod playground;
mod playing;
mod rotation;
mod siege;
#[cfg(target_os = "linux")]
mod sigkill;
mod slow;
mod stalled;
mod stdio;
mod support;
mod turmoil;
mod versions;
mod weather;
