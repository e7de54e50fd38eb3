//! Lengths: LEB128 of at most 32 bits, in the shortest form only, so that every
//! length has exactly one spelling.

/// The most bytes a length takes.
const BYTES_MAX: usize = 5;

/// A length as bytes: the first `n` of the array.
#[inline]
pub(super) const fn encode(mut value: u32) -> ([u8; BYTES_MAX], usize) {
    let mut bytes = [0; BYTES_MAX];
    let mut count = 0;
    while value >= 0x80 {
        bytes[count] = low_byte(value) | 0x80;
        value >>= 7;
        count += 1;
    }
    bytes[count] = low_byte(value);
    (bytes, count + 1)
}

const fn low_byte(value: u32) -> u8 {
    value.to_le_bytes()[0]
}

/// Why bytes are no length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum VarintError {
    Truncated,
    /// Longer than needed, or over 32 bits.
    NotCanonical,
}

/// Reads the length at the start of `input`, and how many bytes it takes.
#[inline]
pub(super) fn decode(input: &[u8]) -> Result<(u32, usize), VarintError> {
    match input.first() {
        Some(&byte) if byte < 0x80 => Ok((u32::from(byte), 1)),
        Some(_) => decode_long(input),
        None => Err(VarintError::Truncated),
    }
}

fn decode_long(input: &[u8]) -> Result<(u32, usize), VarintError> {
    let mut value = 0_u64;
    for (index, &byte) in input.iter().take(BYTES_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * index);
        if byte == 0 {
            return Err(VarintError::NotCanonical);
        }
        if byte < 0x80 {
            let value = u32::try_from(value).map_err(|_| VarintError::NotCanonical)?;
            return Ok((value, index + 1));
        }
    }
    Err(if input.len() < BYTES_MAX { VarintError::Truncated } else { VarintError::NotCanonical })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_length_has_one_spelling() {
        for bytes in [&[0x80, 0][..], &[0xff, 0x80, 0], &[0x80; 5], &[0xff, 0xff, 0xff, 0xff, 0x10]] {
            assert_eq!(decode(bytes), Err(VarintError::NotCanonical), "{bytes:02x?}");
        }
        for bytes in [&[][..], &[0x80], &[0xff; 4]] {
            assert_eq!(decode(bytes), Err(VarintError::Truncated), "{bytes:02x?}");
        }
        assert_eq!(decode(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok((u32::MAX, 5)));
    }

    proptest! {
        #[test]
        fn lengths_round_trip(value: u32, shift in 0..32_u32) {
            let value = value >> shift;
            let (bytes, count) = encode(value);
            prop_assert_eq!(decode(&bytes[..count]), Ok((value, count)));
        }

        #[test]
        fn what_is_read_is_spelt_the_same(input: [u8; 6]) {
            if let Ok((value, count)) = decode(&input) {
                let (bytes, written) = encode(value);
                prop_assert_eq!(&bytes[..written], &input[..count]);
            }
        }
    }
}
