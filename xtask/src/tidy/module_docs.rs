//! Every file opens with what lives in it.

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let silent = tree.rust().filter(|(file, _)| !has_docs(&file.text));
    let advice = "start the file with `//!`: what lives here, and what must not";
    silent.map(|(file, _)| Finding::error(&file.path, 1, advice)).collect()
}

fn has_docs(text: &str) -> bool {
    let words = text.strip_prefix("//!").and_then(|rest| rest.lines().next());
    words.is_some_and(|words| !words.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn a_file_that_does_not_introduce_itself_is_found() {
        let tree = Tree::of(&[
            ("a/src/good.rs", "//! Good.\n"),
            ("a/src/late.rs", "use x;\n//! Late.\n"),
            ("a/tests/none.rs", "// None.\n"),
            ("a/src/empty.rs", "//!\n"),
            ("a/tests/ui/wrong.rs", "fn main() {}"),
            ("a/README.md", "A"),
        ]);
        assert_eq!(places(&check(&tree)), ["a/src/late.rs:1", "a/tests/none.rs:1", "a/src/empty.rs:1"]);
    }
}
