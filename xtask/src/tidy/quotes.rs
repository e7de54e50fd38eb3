//! Code on a page of the book that is quoted from a file stands in that file, where it is compiled and tested.
//!
//! ```text
//! …, in [stream.rs](../../examples/src/websocket/stream.rs):     the link says which file
//!
//! (a block of Rust)                                               its lines stand there, one after the other;
//!                                                                 `// …` alone on a line stands for any others
//! ```

use super::Finding;
use super::tree::Tree;

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    PAGES.iter().flat_map(|page| check_page(tree, page)).collect()
}

fn check_page(tree: &Tree, name: &'static str) -> Vec<Finding> {
    let Some(page) = tree.file(name) else { return vec![Finding::error(name, 0, "the page is missing")] };
    let quotes = quotes(&page.text);
    if quotes.is_empty() {
        return vec![Finding::error(name, 0, "the page quotes nothing; is its code compiled anywhere?")];
    }
    let wrong = quotes.iter().filter_map(|quote| Some((quote.line, fault(quote, tree)?)));
    wrong.map(|(line, message)| Finding::error(name, line, message)).collect()
}

/// A block of Rust.
struct Quote<'a> {
    line: usize,
    /// The line before it.
    lead: &'a str,
    code: Vec<&'a str>,
}

fn quotes(page: &str) -> Vec<Quote<'_>> {
    let (mut quotes, mut lead) = (Vec::new(), "");
    let mut lines = page.lines().enumerate();
    while let Some((index, line)) = lines.next() {
        if line.starts_with("```") {
            let code = lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            if line.starts_with("```rust") {
                quotes.push(Quote { line: index + 1, lead, code });
            }
            lead = "";
        } else if !line.is_empty() {
            lead = line;
        }
    }
    quotes
}

fn fault(quote: &Quote<'_>, tree: &Tree) -> Option<String> {
    let Some(path) = linked_file(quote.lead) else { return Some(ADVICE.to_owned()) };
    let Some(file) = tree.file(path) else { return Some(format!("there is no {path} to quote")) };
    let lines: Vec<&str> = file.text.lines().collect();
    let mut rest = &lines[..];
    for part in quote.code.split(|line| line.trim() == LEFT_OUT).filter(|part| !part.is_empty()) {
        let Some(end) = (0..rest.len()).find_map(|start| end_of(part, rest, start)) else {
            let first = part[0].trim();
            return Some(format!("this is not what {path} says, from `{first}` on; quote it anew"));
        };
        rest = &rest[end..];
    }
    None
}

/// The file that a line ends with a link to, and a colon.
fn linked_file(lead: &str) -> Option<&str> {
    let (_, link) = lead.strip_suffix("):")?.rsplit_once("](../../")?;
    link.ends_with(".rs").then_some(link)
}

/// Where the lines end in the file if they begin there, all indented by as much more.
fn end_of(part: &[&str], file: &[&str], start: usize) -> Option<usize> {
    let indent = file[start].strip_suffix(part[0])?;
    if !indent.chars().all(|letter| letter == ' ') {
        return None;
    }
    let end = start + part.len();
    let stands_there = |(quoted, line): (&&str, &&str)| match quoted.is_empty() {
        true => line.is_empty(),
        false => line.strip_prefix(indent) == Some(*quoted),
    };
    file.get(start..end)?
        .iter()
        .zip(part)
        .map(|(line, quoted)| (quoted, line))
        .all(stands_there)
        .then_some(end)
}

const PAGES: [&str; 4] = [
    "docs/book/write-your-own-transport.md",
    "docs/book/write-your-own-store.md",
    "docs/book/simulation.md",
    "docs/book/durability.md",
];

const LEFT_OUT: &str = "// …";

const ADVICE: &str = "say where this code stands: end the line before it with a link to its file and a colon";

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = PAGES[0];
    const FILE: &str =
        "impl A {\n    fn f() {\n        one();\n\n        two();\n        three();\n    }\n}\n";

    fn found(lead: &str, code: &str) -> Vec<String> {
        let page = format!("# Page\n\n{lead}\n\n```rust,ignore\n{code}\n```\n");
        let findings = check_page(&Tree::of(&[(PAGE, &page), ("a/b.rs", FILE)]), PAGE);
        findings.into_iter().map(|finding| finding.message).collect()
    }

    #[test]
    fn what_stands_in_the_file_is_a_quote() {
        let lead = "Look, [there](../../a/b.rs):";
        assert_eq!(found(lead, "one();\n\ntwo();"), [""; 0]);
        assert_eq!(found(lead, "fn f() {\n    one();\n    // …\n    three();\n}"), [""; 0]);
        for wrong in
            ["one();\ntwo();", "fn f() {\none();", "two();\n// …\none();", "ne();", "three();\n    }\n}\n}"]
        {
            assert_eq!(found(lead, wrong).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn a_block_says_where_it_stands() {
        assert_eq!(found("Look:", "one();"), [ADVICE]);
        assert_eq!(found("[There](../../a/c.rs):", "one();"), ["there is no a/c.rs to quote"]);
        assert_eq!(check_page(&Tree::of(&[(PAGE, "no code")]), PAGE).len(), 1);
        assert_eq!(check(&Tree::of(&[])).len(), PAGES.len());
    }
}
