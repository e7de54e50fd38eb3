//! What the derives say to people. The text is an interface: it is under test.

#[test]
fn b04_mistakes_are_explained_where_they_are() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
