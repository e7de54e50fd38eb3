//! What README.md says of the programs to start from: each says in its first line how it is
//! run, tests its own output, and stands in the page's list.

use super::Finding;
use super::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let of = |path: &str| tree.file(path).map_or("", |file| file.text.as_str());
    let (page, manifest) = (of(PAGE), of(MANIFEST));
    let tested: Vec<&str> = tree.tests().map(|(file, _)| file.path.as_str()).collect();
    let mut findings = Vec::new();
    for (file, name) in tree.files().iter().filter_map(|file| Some((file, name(file)?))) {
        let mut say = |line, what: String| findings.push(Finding::error(&file.path, line, what));
        let command = format!("//! cargo run --example {name}");
        if file.text.lines().next().is_none_or(|first| first.split(" [").next() != Some(&*command)) {
            say(1, format!("the first line says how it is run: `{command}`"));
        }
        if !tested.contains(&file.path.as_str()) {
            say(0, "it has no test of its output; write one at its end".to_owned());
        }
        let listed = format!("name = \"{name}\"\npath = \"{name}.rs\"\ntest = true\n");
        if !manifest.contains(&listed) {
            say(0, format!("its test never runs; list it in {MANIFEST} with `test = true`"));
        }
        if !page.contains(&format!("[{name}]({})", file.path)) {
            say(0, format!("nobody will find it; list it in {PAGE}"));
        }
    }
    findings
}

/// The name of an example.
fn name(file: &File) -> Option<&str> {
    file.path.strip_prefix("examples/")?.strip_suffix(".rs").filter(|name| !name.contains('/'))
}

const PAGE: &str = "README.md";
const MANIFEST: &str = "examples/Cargo.toml";

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "//! cargo run --example a [DIRECTORY]\n\n#[test]\nfn it_works() {}\n";
    const LISTED: &str = "[[example]]\nname = \"a\"\npath = \"a.rs\"\ntest = true\n";
    const NAMED: &str = "| [a](examples/a.rs) | a program |";

    fn found(program: &str, manifest: &str, page: &str) -> usize {
        check(&Tree::of(&[("examples/a.rs", program), (MANIFEST, manifest), (PAGE, page)])).len()
    }

    #[test]
    fn what_the_page_says_of_an_example_is_checked() {
        assert_eq!(found(GOOD, LISTED, NAMED), 0);
        assert_eq!(found(&GOOD.replace("example a", "example b"), LISTED, NAMED), 1);
        assert_eq!(found(&GOOD.replace("#[test]", ""), LISTED, NAMED), 1);
        assert_eq!(found(GOOD, &LISTED.replace("test = true", ""), NAMED), 1);
        assert_eq!(found(GOOD, LISTED, ""), 1);
        assert_eq!(found("", "", ""), 4);
    }
}
