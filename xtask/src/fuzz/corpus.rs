//! What a target's runs found worth keeping, as a text that goes into the repository: a line of
//! hexadecimal for each input. A fuzzer itself wants a directory with a file for each.
//!
//! ```text
//!  corpus/frames.hex ── unpack ─► corpus/frames/ ── runs and a merge ─► pack ─► corpus/frames.hex
//! ```
//!
//! Which inputs [`pack`] keeps, and in which order, follows from the inputs alone.

use std::path::Path;
use std::{fs, io};

use crate::shell::Failure;

/// The inputs of a packed text; `path` is what an error calls it.
pub(super) fn unpack(path: &Path, text: &str) -> Result<Vec<Vec<u8>>, Failure> {
    let input = |(index, line): (usize, &str)| {
        let bytes = bytes_of(line).filter(|bytes| !bytes.is_empty());
        bytes.ok_or_else(|| {
            let place = format!("{}:{}", path.display(), index + 1);
            Failure::failed(format!("{place}: no input in hexadecimal, two digits to a byte"))
        })
    };
    text.lines().enumerate().map(input).collect()
}

/// A text of at most so many bytes: the shorter inputs first, and those of one length by their bytes. So it is
/// the longest that have no room.
pub(super) fn pack(mut inputs: Vec<Vec<u8>>, text_bytes_max: usize) -> String {
    inputs.sort_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
    inputs.dedup();
    let mut text = String::new();
    for input in inputs.iter().filter(|input| !input.is_empty()) {
        if text.len() + 2 * input.len() + 1 > text_bytes_max {
            break;
        }
        text.extend(input.iter().map(|byte| format!("{byte:02x}")));
        text.push('\n');
    }
    text
}

/// The inputs of a directory, in no order.
pub(super) fn inputs(directory: &Path) -> io::Result<Vec<Vec<u8>>> {
    fs::read_dir(directory)?.map(|entry| fs::read(entry?.path())).collect()
}

/// Two digits for each byte, and nothing else.
pub(super) fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    let nibble = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let pairs = digits.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            <[_; 2]>::try_from(pair).ok().and_then(|[high, low]| Some(nibble(&high)? << 4 | nibble(&low)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unpacked(text: &str) -> Result<Vec<Vec<u8>>, String> {
        unpack(Path::new("corpus/frames.hex"), text).map_err(|failure| failure.words.unwrap())
    }

    #[test]
    fn what_is_packed_is_unpacked() {
        let inputs = vec![vec![0], vec![1, 255], vec![16, 0, 10]];
        let text = pack(inputs.clone(), usize::MAX);
        assert_eq!(text, "00\n01ff\n10000a\n");
        assert_eq!(unpacked(&text), Ok(inputs));
        assert_eq!(unpacked(""), Ok(Vec::new()));
    }

    #[test]
    fn a_line_that_is_no_input_is_named() {
        for bad in ["0", "0g", "+1", "00 01", "", "é", "0\u{e9}"] {
            let words = unpacked(&format!("00\n01\n{bad}\n02\n")).unwrap_err();
            assert!(words.starts_with("corpus/frames.hex:3: "), "{words}");
        }
    }

    #[test]
    fn the_order_of_the_inputs_and_those_that_come_twice_make_no_difference() {
        let text = "02\nff\n0000\n0001\n000000\n";
        for order in [[0, 1, 2, 3, 4, 0], [4, 3, 2, 1, 0, 4], [2, 2, 0, 4, 1, 3]] {
            let all = unpacked(text).unwrap();
            assert_eq!(pack(order.iter().map(|at| all[*at].clone()).collect(), usize::MAX), text);
        }
    }

    #[test]
    fn the_shortest_are_kept_where_there_is_no_room_for_all() {
        let all = [vec![7; 3], vec![], vec![1], vec![9, 9], vec![0]];
        for (room, kept) in [
            (0, ""),
            (2, ""),
            (3, "00\n"),
            (10, "00\n01\n"),
            (11, "00\n01\n0909\n"),
            (17, "00\n01\n0909\n"),
            (18, "00\n01\n0909\n070707\n"),
        ] {
            assert_eq!(pack(all.to_vec(), room), kept, "{room} bytes");
        }
    }
}
