//! A file that no longer fits in a head is two files.

use super::Finding;
use super::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    tree.rust().filter_map(|(file, _)| judge(file)).collect()
}

fn judge(file: &File) -> Option<Finding> {
    let lines = file.text.lines().count();
    if lines > LINES_MAX && !file.is_test() {
        let advice =
            format!("{lines} lines, and {LINES_MAX} is the most; split it, or move its tests to tests.rs");
        return Some(Finding::error(&file.path, 0, advice));
    }
    (lines > LINES_USUAL)
        .then(|| Finding::hint(&file.path, 0, format!("{lines} lines; most files stay under 500")))
}

const LINES_USUAL: usize = 500;
const LINES_MAX: usize = 800;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Weight;

    #[test]
    fn a_file_that_is_too_long_is_found() {
        let of = |lines: usize| "\n".repeat(lines);
        let tree = Tree::of(&[
            ("a/src/fits.rs", &of(500)),
            ("a/src/long.rs", &of(501)),
            ("a/src/too_long.rs", &of(801)),
            ("a/src/m/tests.rs", &of(801)),
            ("Cargo.lock", &of(5000)),
        ]);
        let found: Vec<_> = check(&tree).into_iter().map(|finding| (finding.path, finding.weight)).collect();
        let expected = [
            ("a/src/long.rs", Weight::Hint),
            ("a/src/too_long.rs", Weight::Error),
            ("a/src/m/tests.rs", Weight::Hint),
        ];
        assert_eq!(found, expected.map(|(path, weight)| (path.to_owned(), weight)));
    }
}
