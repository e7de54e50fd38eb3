//! The store on a real server of the tests' own.

mod arrivals;
mod beside;
mod crash;
mod cutting;
mod failing;
mod heads;
mod held;
mod inbox;
mod opening;
mod place;
mod relay;
mod rows;
mod server;
mod settings;
mod sharing;
mod stalled;
mod suite;
mod tls;
mod turns;
mod values;
