//! The entries on a little of everything, without a fuzzer. What fuzzers found is kept here too.

use proptest::prelude::*;

const ALL: [fn(&[u8]); 7] = [
    super::frames,
    super::control,
    super::handshake,
    super::parts,
    super::payload,
    super::serde,
    super::session,
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn promises_hold_whatever_comes(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        ALL.iter().for_each(|entry| entry(&bytes));
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
