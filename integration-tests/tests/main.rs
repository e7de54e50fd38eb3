//! Whole-system scenarios over real transports, with real processes.

mod bad_input;
mod bulk;
mod calls;
mod capture;
mod cut;
mod demo;
mod factory;
mod killed;
mod logs;
mod stalled;
mod stdio;
mod support;
mod versions;
