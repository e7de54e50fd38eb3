//! What people are told when an `#[actor]` does not compile. The text is an interface:
//! it is under test. `TRYBUILD=overwrite` writes it anew; read the difference before it
//! is kept.

use trybuild::TestCases;

#[test]
fn a29_mistakes_in_an_actor_are_explained_where_they_are() {
    TestCases::new().compile_fail("tests/ui/*.rs");
}
