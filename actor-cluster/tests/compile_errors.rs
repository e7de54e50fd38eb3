//! What people are told when their code does not compile. The text is an interface:
//! it is under test. `TRYBUILD=overwrite` writes it anew; read the difference before
//! it is kept.
//!
//! Those of actor-core, and of its `#[actor]`, are here too, so that actor-core itself needs no crate that
//! serializes, not even for its tests. So are those that `#[actor(durable)]` finds by itself, for which no store is compiled.

use trybuild::TestCases;

#[test]
fn a06_a_hook_cannot_change_the_actor_itself() {
    TestCases::new().compile_fail("tests/ui/core/a06_*.rs");
}

#[test]
fn a09_an_address_takes_only_its_own_messages() {
    TestCases::new().compile_fail("tests/ui/core/a09_*.rs");
}

#[test]
fn b04_mistakes_in_a_derive_are_explained_where_they_are() {
    TestCases::new().compile_fail("tests/ui/*.rs");
}

#[test]
fn a29_mistakes_in_an_actor_are_explained_where_they_are() {
    TestCases::new().compile_fail("tests/ui/actor/*.rs");
}

#[test]
fn mistakes_in_a_durable_actor_are_explained_where_they_are() {
    TestCases::new().compile_fail("tests/ui/durable/*.rs");
}
