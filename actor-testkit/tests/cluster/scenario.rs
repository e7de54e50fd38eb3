//! Scenarios: what random users do, and what is said when something is wrong.

use actor_testkit::cluster::scenario::random_users;

/// A bounded set, each time; `cargo xtask sim` runs as many as it is told.
#[test]
fn random_users_break_nothing() {
    let tally = random_users(3).check(0..3);
    assert_eq!(tally.seeds.len(), 3);
}
