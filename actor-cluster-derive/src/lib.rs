//! actor-cluster-derive.
