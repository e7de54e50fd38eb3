//! Blanks what is not code: comments, strings and characters become spaces,
//! byte by byte, so that every offset and line stays where it was.

/// The text with only its code left. Of the same length, line for line.
pub(super) fn mask(text: &str) -> String {
    let mut masker = Masker { bytes: text.as_bytes(), at: 0, code: Vec::with_capacity(text.len()) };
    while masker.at < masker.bytes.len() {
        masker.step();
    }
    // What is blanked starts and ends at ASCII bytes, so no character is halved.
    String::from_utf8(masker.code).expect("blanking keeps UTF-8 whole")
}

/// Whether a byte can be part of a name.
pub(super) fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

struct Masker<'a> {
    bytes: &'a [u8],
    at: usize,
    code: Vec<u8>,
}

impl Masker<'_> {
    fn step(&mut self) {
        let rest = &self.bytes[self.at..];
        match rest {
            [b'/', b'/', ..] => self.blank(line_comment(rest)),
            [b'/', b'*', ..] => self.blank(block_comment(rest)),
            [b'"', ..] => self.blank(string(rest)),
            [b'\'', ..] => self.character(rest),
            [byte, ..] if is_name_byte(*byte) => self.name(rest),
            _ => self.keep(1),
        }
    }

    /// A name, or the prefix of a raw string: `r"…"`, `br#"…"#`.
    fn name(&mut self, rest: &[u8]) {
        let length = rest.iter().take_while(|byte| is_name_byte(**byte)).count();
        let (name, after) = rest.split_at(length);
        let hashes = after.iter().take_while(|byte| **byte == b'#').count();
        let is_raw = matches!(name, b"r" | b"br" | b"cr") && after.get(hashes) == Some(&b'"');
        if is_raw { self.blank(length + raw_string(after, hashes)) } else { self.keep(length) }
    }

    /// A character, or the apostrophe of a lifetime.
    fn character(&mut self, rest: &[u8]) {
        let is_escape = rest.get(1) == Some(&b'\\');
        let width = match rest.get(1) {
            Some(byte) => byte.leading_ones().max(1) as usize,
            None => 1,
        };
        if is_escape {
            let close = rest.iter().skip(3).position(|byte| *byte == b'\'');
            self.blank(close.map_or(rest.len(), |close| close + 4));
        } else if rest.get(1 + width) == Some(&b'\'') {
            self.blank(width + 2);
        } else {
            self.keep(1);
        }
    }

    fn keep(&mut self, length: usize) {
        self.code.extend_from_slice(&self.bytes[self.at..self.at + length]);
        self.at += length;
    }

    fn blank(&mut self, length: usize) {
        let blanked = &self.bytes[self.at..self.at + length];
        self.code.extend(blanked.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }));
        self.at += length;
    }
}

fn line_comment(rest: &[u8]) -> usize {
    rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    rest.len()
}

/// From the first hash to the quote that is followed by as many hashes.
fn raw_string(rest: &[u8], hashes: usize) -> usize {
    let start = hashes + 1;
    let closes =
        |tail: &[u8]| tail[0] == b'"' && tail[1..].iter().take_while(|byte| **byte == b'#').count() >= hashes;
    (start..rest.len()).find(|at| closes(&rest[*at..])).map_or(rest.len(), |at| at + 1 + hashes)
}

#[cfg(test)]
mod tests {
    use super::mask;

    fn code(text: &str) -> String {
        let masked = mask(text);
        assert_eq!(masked.len(), text.len());
        assert_eq!(masked.lines().count(), text.lines().count());
        masked.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn comments_are_not_code() {
        assert_eq!(code("a // unsafe\nb /* x /* unsafe */ y */ c /// unsafe"), "a b c");
        assert_eq!(code("a /* never closed"), "a");
    }

    #[test]
    fn strings_are_not_code() {
        assert_eq!(
            code(r#"a("un\"safe // ", b"x", 'y', '"', '\'', '\u{1F600}', 'ü') z"#),
            "a( , b , , , , , ) z"
        );
        assert_eq!(code("a(r#\"\"unsafe\"#, br\"\\\", r\"//\") z"), "a( , , ) z");
        assert_eq!(code("a \"never closed\\"), "a");
        assert_eq!(code("a '"), "a '");
    }

    #[test]
    fn lifetimes_and_raw_names_are_code() {
        assert_eq!(
            code("fn f<'a, 'b>(x: &'a r#type, _: &'_ u8) {}"),
            "fn f<'a, 'b>(x: &'a r#type, _: &'_ u8) {}"
        );
        assert_eq!(code("'outer: loop { br + r }"), "'outer: loop { br + r }");
    }
}
