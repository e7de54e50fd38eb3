//! Who writes a store finds each of its operations in the table of docs/book/write-your-own-store.md.

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let text = |path| tree.file(path).map_or("", |file| file.text.as_str());
    let operations = operations(text(CONTRACT));
    if operations.is_empty() {
        return vec![Finding::error(CONTRACT, 0, "the trait of stores is not where it was")];
    }
    let rows: Vec<&str> = text(PAGE).lines().filter(|line| line.starts_with("| `")).collect();
    let is_named = |name: &str| rows.iter().any(|row| row.contains(&format!("`{name}`")));
    let missing = operations.into_iter().filter(|(_, name)| !is_named(name));
    missing
        .map(|(line, name)| Finding::error(CONTRACT, line, format!("{PAGE} has no row for `{name}`")))
        .collect()
}

/// The methods of the trait, each with its line.
fn operations(contract: &str) -> Vec<(usize, &str)> {
    let lines = contract.lines().enumerate().skip_while(|(_, line)| !line.starts_with("pub trait Store:"));
    let methods = lines.take_while(|(_, line)| *line != "}").filter_map(|(index, line)| {
        let line = line.strip_prefix("    ")?;
        let signature = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "))?;
        Some((index + 1, signature.split_once('(')?.0))
    });
    methods.collect()
}

const CONTRACT: &str = "actor-durable/src/store/mod.rs";
const PAGE: &str = "docs/book/write-your-own-store.md";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    const TRAIT: &str = "pub trait Store: Send {\n    async fn load(&self);\n    fn arrivals(\n        &self,\n    );\n}\n\
                         pub trait Arrivals: Send {\n    fn next(&self);\n}\n";

    fn found(contract: &str, page: &str) -> Vec<String> {
        places(&check(&Tree::of(&[(CONTRACT, contract), (PAGE, page)])))
    }

    #[test]
    fn an_operation_without_a_row_is_found() {
        assert_eq!(found(TRAIT, "| `load`, `arrivals` | |"), [""; 0]);
        assert_eq!(found(TRAIT, "| `load` | |\n\nand `arrivals`"), [format!("{CONTRACT}:3")]);
        assert_eq!(found("", "| `load` | |"), [format!("{CONTRACT}:0")]);
    }
}
