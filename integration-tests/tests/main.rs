//! Whole-system scenarios over real transports, with real processes.

mod bad_input;
mod calls;
mod capture;
mod demo;
mod killed;
mod support;
