//! Unsafe code has two homes, both in actor-core, each under models and
//! sanitizers. Everywhere else the word does not appear, and where it does, a
//! comment says why it is sound.

use super::Finding;
use super::source::{Named, Source};
use super::tree::{File, Tree};

pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, source) in tree.rust() {
        let words = source.paths_with("unsafe");
        findings.extend(words.iter().filter_map(|word| judge(file, source, word)));
    }
    findings
}

fn judge(file: &File, source: &Source, word: &Named<'_>) -> Option<Finding> {
    if !file.is_in(HOMES) {
        let message =
            format!("unsafe code lives in {HOMES:?} and nowhere else; find a safe way, or move it there");
        return Some(Finding::error(&file.path, word.line, message));
    }
    let is_explained = is_a_type(source, word) || has_safety_comment(&file.text, source, word.line);
    let message =
        "say above it, in a `// SAFETY:` comment or a `# Safety` section, which invariant makes it sound";
    (!is_explained).then(|| Finding::error(&file.path, word.line, message))
}

/// `unsafe fn(…)` without a name is the type of a pointer, which does nothing.
fn is_a_type(source: &Source, word: &Named<'_>) -> bool {
    let line: String = source.code_line(word.line).split_whitespace().collect();
    word.after == "fn" && line.contains("unsafefn(")
}

/// On the line itself, or in the comment above the item or statement it is part of.
fn has_safety_comment(text: &str, source: &Source, line: usize) -> bool {
    let lines: Vec<&str> = text.lines().take(line).collect();
    if is_safety(lines[line - 1]) {
        return true;
    }
    for above in (1..line).rev() {
        if is_safety(lines[above - 1]) {
            return true;
        }
        let code = source.code_line(above).trim();
        let is_an_end = code.ends_with([';', '{', '}']) || lines[above - 1].trim().is_empty();
        if is_an_end {
            return false;
        }
    }
    false
}

fn is_safety(line: &str) -> bool {
    line.contains("// SAFETY:") || line.contains("/// # Safety")
}

const HOMES: &[&str] = &["actor-core/src/mailbox/queue", "actor-core/src/reply/slot"];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::places;

    #[test]
    fn unsafe_code_outside_its_homes_is_found() {
        let text =
            "//! unsafe\n#![deny(unsafe_code)]\nfn f() {\n  // SAFETY: none\n  unsafe { g(\"unsafe\") }\n}";
        let tree =
            Tree::of(&[("actor-core/src/mailbox/mod.rs", text), ("actor-core/src/mailbox/queue/a.rs", text)]);
        assert_eq!(places(&check(&tree)), ["actor-core/src/mailbox/mod.rs:5"]);
    }

    #[test]
    fn unsafe_code_without_a_reason_is_found() {
        let text = "struct V {\n  clone: unsafe fn(*const ()),\n}\n\
                    // SAFETY: it is\n#[inline]\nunsafe impl Send for V {}\n\
                    unsafe impl Sync for V {}\n\
                    /// # Safety\n/// Care.\npub unsafe fn f() {\n\
                    let x = 1;\n  // SAFETY: it is\n  let y =\n    unsafe { g() };\n  let z = unsafe { g() };\n}";
        let tree = Tree::of(&[("actor-core/src/reply/slot.rs", text)]);
        assert_eq!(places(&check(&tree)), [7, 15].map(|line| format!("actor-core/src/reply/slot.rs:{line}")));
    }
}
