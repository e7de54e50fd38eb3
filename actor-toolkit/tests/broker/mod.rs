//! The broker: where messages go, and how answers find back.

mod requests;
mod routes;
