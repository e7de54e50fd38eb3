//! Durable actors as their users meet them, in virtual time and over a store in memory; and stores in real files.

mod bad_input;
mod callers;
mod deletion;
mod events;
mod files;
mod gate;
mod idle;
mod inbox;
mod life;
mod once;
mod outages;
mod plain;
mod promises;
mod questions;
mod reminders;
mod requests;
mod retries;
mod room;
mod sharing;
mod stage;
mod supervise;
mod system;
mod undelivered;
mod upgrades;
mod volatile;
mod wrapped;
