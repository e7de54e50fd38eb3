//! The entries without a fuzzer: on a little of everything, and on what fuzzers kept, which is in
//! `fuzz/corpus/`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, panic};

use arbitrary::{Arbitrary, Unstructured};
use proptest::prelude::*;

/// Every target of `fuzz/`, and what it does with its bytes.
const TARGETS: [(&str, Entry); 10] = [
    ("control", super::control),
    ("frames", super::frames),
    ("handshake", super::handshake),
    ("membership", super::membership),
    // The target asks a transport too, whose own tests replay that.
    ("names", |bytes| super::names(text(bytes))),
    ("parts", super::parts),
    ("payload", super::payload),
    ("schema", |bytes| super::schema(text(bytes))),
    ("serde", super::serde),
    ("session", super::session),
];

/// It panics where a promise is broken.
type Entry = fn(&[u8]);

/// As libfuzzer-sys hands bytes to a target that wants a text.
fn text(bytes: &[u8]) -> &str {
    <&str>::arbitrary_take_rest(Unstructured::new(bytes)).unwrap_or_default()
}

#[test]
fn what_fuzzers_kept_is_there_for_every_target() {
    let files =
        fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let texts: BTreeSet<String> = files.filter(|name| name.ends_with(".hex")).collect();
    assert_eq!(texts, BTreeSet::from(TARGETS.map(|(name, _)| format!("{name}.hex"))));
}

#[test]
fn promises_hold_for_what_fuzzers_kept() {
    for (name, entry) in TARGETS {
        let path = corpus().join(name).with_extension("hex");
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut replayed = 0;
        for (index, line) in text.lines().enumerate() {
            let place = || format!("{}:{}", path.display(), index + 1);
            let input = bytes_of(line).unwrap_or_else(|| panic!("{}: no input in hexadecimal", place()));
            // What broke has been said by then, but not where it came from.
            let outcome = panic::catch_unwind(|| entry(&input));
            assert!(outcome.is_ok(), "{}: it breaks a promise: {line}", place());
            replayed += 1;
        }
        assert!(replayed > 0, "{}: nothing is kept; `cargo xtask fuzz --keep {name}`", path.display());
        assert_eq!(replayed, text.matches('\n').count(), "{}: a line has no end", path.display());
    }
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus")
}

/// Two digits for each byte.
fn bytes_of(line: &str) -> Option<Vec<u8>> {
    let byte = |at: usize| u8::from_str_radix(line.get(at..at + 2)?, 16).ok();
    (0..line.len()).step_by(2).map(byte).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn promises_hold_whatever_comes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        TARGETS.iter().for_each(|(_, entry)| entry(&bytes));
    }

    #[test]
    fn promises_hold_whatever_is_done(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        super::session(&[&[1], &bytes[..]].concat());
    }

    #[test]
    fn messages_in_parts_come_whole(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        super::parts(&bytes);
    }

    #[test]
    fn schemas_are_what_they_say(text in "(message [a-c/\"]{1,3}\n(  [A-C\\\\]\n(    [0-2]: (u8|option<[a-c]>|\"x y\")( = default)?\n){0,3}){0,3}\0?((enum|struct) [a-c]\n(  [0-2]: u8\n)?)?){1,2}") {
        super::schema(&text);
    }

    #[test]
    fn texts_are_what_they_say(text in "[a-z+]{0,4}(://)?\\PC{0,20}|[0-9a-fA-F]{62,66}") {
        super::names(&text);
    }
}
