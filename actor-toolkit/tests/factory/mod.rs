//! Factories: each test is a script whose time only moves when everybody waits.

mod ends;
mod limits;
mod lives;
mod queues;
mod random;
mod retries;
mod routing;
mod settings;
mod spans;
mod support;
mod workers;
