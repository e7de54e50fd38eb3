//! actor-core-derive.
