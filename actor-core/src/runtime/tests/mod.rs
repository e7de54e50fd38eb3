//! Whole actors in models; what they do otherwise is in `tests/` of the crate.

#[cfg(actor_shuttle)]
mod many_schedules;
