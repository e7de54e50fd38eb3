//! The store on a real server of the tests' own.

mod arrivals;
mod crash;
mod cutting;
mod failing;
mod heads;
mod inbox;
mod opening;
mod place;
mod relay;
mod server;
mod sharing;
mod suite;
mod tls;
mod turns;
mod values;
