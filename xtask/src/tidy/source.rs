//! What a Rust file says, as far as the checks need to know: its paths (with
//! `use` trees spelled out), its functions, and which of its lines are tests.
//!
//! It is not a parser. It splits masked text into tokens and looks for a few
//! shapes among them, which is enough for code that compiles.

use std::ops::{Range, RangeInclusive};

use super::mask::{is_name_byte, mask};

/// The code of one file.
pub(super) struct Source {
    code: String,
    tokens: Vec<Token>,
    tests: Vec<RangeInclusive<usize>>,
}

/// A path as it is written, or as a `use` tree means it: `use a::{b, c::d}`
/// names `a::b` and `a::c::d`. A lone word is a path of one segment, keywords too.
#[derive(Debug, PartialEq)]
pub(super) struct Named<'a> {
    pub(super) segments: Vec<&'a str>,
    /// Where its last segment stands.
    pub(super) line: usize,
    /// The token before the path and the one after it; empty at the file's ends.
    pub(super) before: &'a str,
    pub(super) after: &'a str,
}

/// A function, where it is defined.
#[derive(Debug, PartialEq)]
pub(super) struct Function<'a> {
    pub(super) name: &'a str,
    pub(super) line: usize,
    /// It has `#[test]`, `#[tokio::test(…)]` or another attribute of that name.
    pub(super) has_test_attribute: bool,
}

impl Source {
    pub(super) fn new(text: &str) -> Source {
        let code = mask(text);
        let tokens = tokens(&code);
        let mut source = Source { code, tokens, tests: Vec::new() };
        source.tests = source.find_tests();
        source
    }

    /// Whether the line stands under `#[cfg(test)]`.
    pub(super) fn is_test_line(&self, line: usize) -> bool {
        self.tests.iter().any(|lines| lines.contains(&line))
    }

    /// The line without comments and the insides of strings.
    pub(super) fn code_line(&self, line: usize) -> &str {
        self.code.lines().nth(line - 1).unwrap_or_default()
    }

    /// Every path in the file, in order.
    pub(super) fn paths(&self) -> Vec<Named<'_>> {
        let mut paths = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            at = if self.is_name(at) { self.read_path(at, &[], &mut paths) } else { at + 1 };
        }
        paths
    }

    /// Every path that has this one in it: `tokio::spawn` is in
    /// `::tokio::spawn` and in `tokio::spawn::x`; `rand::` is in `rand::x` only.
    pub(super) fn paths_with(&self, pattern: &str) -> Vec<Named<'_>> {
        let wanted: Vec<&str> = pattern.trim_end_matches("::").split("::").collect();
        let goes_on = pattern.ends_with("::");
        let mut paths = self.paths();
        paths.retain(|path| {
            let end = path.segments.windows(wanted.len()).position(|part| part == wanted);
            end.is_some_and(|start| !goes_on || start + wanted.len() < path.segments.len())
        });
        paths
    }

    /// Every function, in order.
    pub(super) fn functions(&self) -> Vec<Function<'_>> {
        let is_function = |at: &usize| self.text(*at) == "fn" && self.is_name(at + 1);
        (0..self.tokens.len()).filter(is_function).map(|at| self.function(at)).collect()
    }

    /// Every name inside the braces of a macro, its definition or its call.
    pub(super) fn names_in_macros(&self) -> Vec<&str> {
        let mut names = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            match self.macro_body(at) {
                Some(body) => {
                    names.extend(
                        body.clone().filter(|inner| self.is_name(*inner)).map(|inner| self.text(inner)),
                    );
                    at = body.end;
                }
                None => at += 1,
            }
        }
        names
    }

    /// Reads a path that starts at a name, adds it, and says where it ended.
    /// `prefix` is what stands before the braces of a `use` tree.
    fn read_path<'a>(&'a self, start: usize, prefix: &[&'a str], paths: &mut Vec<Named<'a>>) -> usize {
        let mut segments = prefix.to_vec();
        let mut at = start;
        loop {
            segments.push(self.text(at));
            if self.text(at + 1) != "::" {
                break;
            }
            match self.text(at + 2) {
                "{" => return self.read_group(at + 2, &segments, paths),
                "*" => break,
                _ if self.is_name(at + 2) => at += 2,
                _ => break,
            }
        }
        let before = if start == 0 { "" } else { self.text(start - 1) };
        paths.push(Named { segments, line: self.tokens[at].line, before, after: self.text(at + 1) });
        at + 1
    }

    fn read_group<'a>(&'a self, open: usize, prefix: &[&'a str], paths: &mut Vec<Named<'a>>) -> usize {
        let close = self.close(open);
        let mut at = open + 1;
        while at < close {
            at = match self.text(at) {
                "as" => at + 2,
                _ if self.is_name(at) => self.read_path(at, prefix, paths),
                _ => at + 1,
            };
        }
        close + 1
    }

    fn function(&self, at: usize) -> Function<'_> {
        let name = &self.tokens[at + 1];
        let has_test_attribute = self.attributes_before(at).iter().any(|path| path.last() == Some(&"test"));
        Function { name: self.text(at + 1), line: name.line, has_test_attribute }
    }

    /// The paths of the attributes of the item whose keyword stands at `at`.
    fn attributes_before(&self, at: usize) -> Vec<Vec<&str>> {
        let mut attributes = Vec::new();
        let mut start = at;
        while let Some(before) = start.checked_sub(1) {
            match self.text(before) {
                "pub" | "async" | "const" | "unsafe" => start = before,
                ")" => start = self.open(before),
                "]" => {
                    start = self.open(before).saturating_sub(1);
                    attributes.push(self.leading_path(start + 2));
                }
                _ => break,
            }
        }
        attributes
    }

    fn leading_path(&self, start: usize) -> Vec<&str> {
        let mut path = vec![self.text(start)];
        let mut at = start;
        while self.text(at + 1) == "::" {
            at += 2;
            path.push(self.text(at));
        }
        path
    }

    /// The tokens between the braces of the macro call or definition whose `!`
    /// stands at `at`.
    fn macro_body(&self, at: usize) -> Option<Range<usize>> {
        if self.text(at) != "!" || at == 0 {
            return None;
        }
        let open = match self.text(at - 1) {
            "macro_rules" => at + 2,
            // There it negates what follows.
            "if" | "while" | "match" | "return" | "in" => return None,
            _ if self.is_name(at - 1) => at + 1,
            _ => return None,
        };
        matches!(self.text(open), "(" | "[" | "{").then(|| open + 1..self.close(open))
    }

    fn find_tests(&self) -> Vec<RangeInclusive<usize>> {
        (0..self.tokens.len()).filter_map(|at| self.test_lines(at)).collect()
    }

    /// The lines of the item under a `#[cfg(test)]` that starts at `at`; all
    /// lines if the attribute is the file's own.
    fn test_lines(&self, at: usize) -> Option<RangeInclusive<usize>> {
        if self.text(at) != "#" {
            return None;
        }
        let is_inner = self.text(at + 1) == "!";
        let open = at + 1 + usize::from(is_inner);
        let words: Vec<&str> = (open + 1..open + 6).map(|at| self.text(at)).collect();
        match words[..] {
            ["cfg", "(", "test", ..] | ["cfg", "(", "all" | "any", "(", "test"] => {}
            _ => return None,
        }
        let first = self.tokens[at].line;
        let last = if is_inner { usize::MAX } else { self.last_line(self.close(open) + 1) };
        Some(first..=last)
    }

    /// Where the item ends that starts at `at`: at its semicolon or its braces.
    fn last_line(&self, mut at: usize) -> usize {
        while at < self.tokens.len() {
            match self.text(at) {
                ";" | "," => return self.tokens[at].line,
                "{" => return self.tokens.get(self.close(at)).map_or(usize::MAX, |close| close.line),
                "(" | "[" => at = self.close(at) + 1,
                _ => at += 1,
            }
        }
        usize::MAX
    }

    /// The bracket that closes the one at `open`, or the end of the file.
    fn close(&self, open: usize) -> usize {
        let mut depth = 0;
        for at in open..self.tokens.len() {
            match self.text(at) {
                "(" | "[" | "{" => depth += 1,
                ")" | "]" | "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        self.tokens.len()
    }

    /// The bracket that the one at `close` closes, or the start of the file.
    fn open(&self, close: usize) -> usize {
        let mut depth = 0;
        for at in (0..=close).rev() {
            match self.text(at) {
                "(" | "[" | "{" => depth -= 1,
                ")" | "]" | "}" => depth += 1,
                _ => {}
            }
            if depth == 0 {
                return at;
            }
        }
        0
    }

    fn is_name(&self, at: usize) -> bool {
        self.text(at).bytes().next().is_some_and(|byte| is_name_byte(byte) && !byte.is_ascii_digit())
    }

    /// The token's text; nothing past the end.
    fn text(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &self.code[token.bytes.clone()])
    }
}

struct Token {
    bytes: Range<usize>,
    line: usize,
}

/// Names and numbers, `::`, and single signs.
fn tokens(code: &str) -> Vec<Token> {
    let bytes = code.as_bytes();
    let mut tokens = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        let length = match &bytes[at..] {
            [b':', b':', ..] => 2,
            rest => rest.iter().take_while(|byte| is_name_byte(**byte)).count().max(1),
        };
        if bytes[at] == b'\n' {
            line += 1;
        }
        if !bytes[at].is_ascii_whitespace() {
            tokens.push(Token { bytes: at..at + length, line });
        }
        at += length;
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(text: &str) -> Vec<String> {
        Source::new(text).paths().iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn paths_are_read_whole() {
        assert_eq!(paths("::a::b(c.d, e::<f>())"), ["a::b", "c", "d", "e", "f"]);
    }

    #[test]
    fn use_trees_are_spelled_out() {
        let found = paths("use a::{b, c::{d as x, self}, e::*};\nuse f as g;");
        assert_eq!(found, ["use", "a::b", "a::c::d", "a::c::self", "a::e", "use", "f", "as", "g"]);
        let source = Source::new("use a::{\n  b,\n  c\n};");
        assert_eq!(source.paths_with("a::c")[0].line, 3);
    }

    #[test]
    fn a_pattern_is_found_anywhere_in_a_path() {
        let source = Source::new("tokio::spawn(x); ::tokio::spawn::y; my_tokio::spawn; rand::z; rand;");
        assert_eq!(source.paths_with("tokio::spawn").len(), 2);
        assert_eq!(source.paths_with("rand::").len(), 1);
    }

    #[test]
    fn tests_are_known_by_their_attribute() {
        let text = "fn a() {}\n#[cfg(test)]\n#[x(y = 1)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n\
                    #[cfg(all(test, unix))]\nuse d;\n#[cfg(not(test))]\nfn e() {}\n#[cfg(test)]\nmod f;\nfn g() {}";
        let source = Source::new(text);
        let lines: Vec<usize> = (1..=15).filter(|line| source.is_test_line(*line)).collect();
        assert_eq!(lines, [2, 3, 4, 5, 6, 8, 9, 12, 13]);
        assert!(Source::new("#![cfg(test)]\nfn a() {}").is_test_line(2));
    }

    #[test]
    fn functions_know_whether_they_are_tests() {
        let text = "#[test]\nfn a() {}\n#[tokio::test(start_paused = true)]\n#[ignore = \"x\"]\n\
                    pub(crate) async fn b() {}\n#[tested]\nfn c(test: fn(u8)) {}\nfn d() {}";
        let source = Source::new(text);
        let found: Vec<_> =
            source.functions().iter().map(|f| (f.name, f.line, f.has_test_attribute)).collect();
        assert_eq!(found, [("a", 2, true), ("b", 5, true), ("c", 7, false), ("d", 8, false)]);
    }

    #[test]
    fn names_in_macros_are_those_between_their_braces() {
        let source =
            Source::new("macro_rules! m { ($x:ident) => { a } }\nsuite! { b, c }\nif !(d) { e }\nf(g)");
        let names = source.names_in_macros();
        assert!(["a", "b", "c"].iter().all(|name| names.contains(name)), "{names:?}");
        assert!(!["d", "e", "f", "g"].iter().any(|name| names.contains(name)), "{names:?}");
    }
}
