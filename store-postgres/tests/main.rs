//! The store on a real server of the tests' own.

mod arrivals;
mod crash;
mod cutting;
mod failing;
mod heads;
mod opening;
mod place;
mod relay;
mod server;
mod sharing;
mod suite;
mod turns;
mod values;
