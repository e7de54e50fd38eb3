//! Certificates as transports use them, without a socket.

mod dev_certs;
mod files;
mod replacing;
mod revocation;
mod settings;
mod world;
