//! A first actor is short: the one that README.md shows first, with its imports, its
//! spawn and its call.

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.file(PAGE) else { return vec![Finding::error(PAGE, 0, "the page is missing")] };
    match first_example(&page.text) {
        None => vec![Finding::error(PAGE, 0, "it shows no Rust")],
        Some((line, length)) if length > LINES_MAX => {
            let message = format!("the first actor takes {length} lines, and {LINES_MAX} are enough");
            vec![Finding::error(PAGE, line, message)]
        }
        Some(_) => vec![],
    }
}

/// Where the first Rust example begins, and how many lines of it are code, counted as a
/// reader would who copies it: without empty ones, and with all that is hidden.
fn first_example(page: &str) -> Option<(usize, usize)> {
    let mut lines = page.lines().enumerate();
    let (index, _) = lines.find(|(_, line)| line.starts_with("```rust"))?;
    let code = lines.map(|(_, line)| line).take_while(|line| *line != "```");
    Some((index + 1, code.filter(|line| !line.trim().is_empty()).count()))
}

const PAGE: &str = "README.md";

/// What is short enough for a first actor.
const LINES_MAX: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell;
    use crate::tidy::places;

    #[test]
    fn a_long_first_actor_is_found() {
        let page =
            |lines: usize| format!("# Page\n\n```rust\n{}\n```\n```rust\n```\n", "code\n\n".repeat(lines));
        assert_eq!(check(&Tree::of(&[(PAGE, &page(LINES_MAX))])), []);
        assert_eq!(places(&check(&Tree::of(&[(PAGE, &page(LINES_MAX + 1))]))), ["README.md:3"]);
        assert_eq!(check(&Tree::of(&[(PAGE, "# Page")])).len(), 1);
    }

    /// What row A29 says of a first actor, on this workspace as it is. That it runs is held
    /// by the page's own tests.
    #[test]
    fn a29_a_first_actor_is_short() {
        let page = std::fs::read_to_string(shell::root().join(PAGE)).unwrap();
        let (_, length) = first_example(&page).expect("there is one");
        assert!((1..=LINES_MAX).contains(&length), "{length} lines");
        assert_eq!(check(&Tree::of(&[(PAGE, &page)])), []);
    }
}
