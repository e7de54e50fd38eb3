//! Durable actors as their users meet them, in virtual time and over a store in memory; and stores in real files.

mod bad_input;
mod deletion;
mod events;
mod files;
mod gate;
mod inbox;
mod life;
mod outages;
mod plain;
mod promises;
mod questions;
mod reminders;
mod retries;
mod room;
mod sharing;
mod stage;
mod supervise;
mod undelivered;
mod wrapped;
