//! What is bounded of the mail, and that those who are full do not wait for each other for ever.

mod full;
mod given_up;
mod guards;
mod narrow;
mod orders;
mod outbox;
mod player;
mod transfers;
