//! Which form of the long tests runs.

/// Whether the long form of tests is wanted, as `cargo xtask test --full` says: the environment
/// variable `ACTOR_TEST_FULL` is set, to whatever.
pub fn is_full() -> bool {
    std::env::var_os("ACTOR_TEST_FULL").is_some()
}
