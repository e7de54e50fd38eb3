//! transport-tcp.
