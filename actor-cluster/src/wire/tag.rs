//! Stable ids of types and variants. The hash is part of the protocol: the tests
//! below freeze it.

use std::fmt;

/// Names a wire form: types that encode alike may share a tag, types that do not
/// must not.
///
/// A derived type has the tag of its name, `package::Ident` or what
/// `#[wire(name = "...")]` says, with the tags of its generic arguments mixed in.
/// The layout of its fields is not part of it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeTag(u64);

impl TypeTag {
    /// The tag of a name: the 64-bit FNV-1a hash of its UTF-8 bytes.
    pub const fn named(name: &str) -> Self {
        Self(fnv1a(FNV_OFFSET, name.as_bytes()))
    }

    /// The tag of this type with a generic argument: the hash goes on over the
    /// argument's tag, little endian.
    #[must_use]
    pub const fn with(self, argument: TypeTag) -> Self {
        Self(fnv1a(self.0, &argument.0.to_le_bytes()))
    }

    /// The tag of this type with a constant argument: the hash goes on over its
    /// value as 16 bytes, little endian.
    #[must_use]
    pub const fn with_const(self, argument: u128) -> Self {
        Self(fnv1a(self.0, &argument.to_le_bytes()))
    }

    /// Takes back what [`as_u64`](Self::as_u64) gave.
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }

    /// The number that crosses the wire.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for TypeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for TypeTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TypeTag({self})")
    }
}

/// Names a variant within its enum, by the variant's identifier or by what
/// `#[wire(name = "...")]` says. Its position does not matter.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VariantTag(u64);

impl VariantTag {
    /// The length of a tag inside a payload.
    pub const BYTES: usize = size_of::<u64>();

    /// The tag of a name: the 64-bit FNV-1a hash of its UTF-8 bytes.
    pub const fn named(name: &str) -> Self {
        Self(fnv1a(FNV_OFFSET, name.as_bytes()))
    }

    /// Takes back what [`as_u64`](Self::as_u64) gave.
    pub const fn from_u64(bits: u64) -> Self {
        Self(bits)
    }

    /// The number that crosses the wire.
    pub const fn as_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for VariantTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for VariantTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VariantTag({self})")
    }
}

const FNV_OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0000_0100_0000_01b3;

/// FNV-1a: simple enough to be written again in any language that wants to talk to
/// us. Names are the program's own, so nobody can choose them to collide.
const fn fnv1a(mut hash: u64, bytes: &[u8]) -> u64 {
    let mut index = 0;
    while index < bytes.len() {
        hash = (hash ^ bytes[index] as u64).wrapping_mul(FNV_PRIME);
        index += 1;
    }
    hash
}

/// The hash of other bytes than a name's.
pub(super) const fn fnv1a_of(bytes: &[u8]) -> u64 {
    fnv1a(FNV_OFFSET, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv1a_for_ever() {
        let golden =
            [("", 0xcbf2_9ce4_8422_2325), ("a", 0xaf63_dc4c_8601_ec8c), ("foobar", 0x8594_4171_f739_67e8)];
        for (name, hash) in golden {
            assert_eq!(TypeTag::named(name).as_u64(), hash, "{name}");
            assert_eq!(VariantTag::named(name).as_u64(), hash, "{name}");
        }
    }

    #[test]
    fn arguments_are_mixed_in_order() {
        let map = TypeTag::named("map");
        let (k, v) = (TypeTag::named("u8"), TypeTag::named("u16"));
        assert_ne!(map.with(k).with(v), map.with(v).with(k));
        assert_ne!(map.with_const(1), map.with_const(2));
        assert_eq!(TypeTag::named("").with(TypeTag::from_u64(0)), TypeTag::named("\0\0\0\0\0\0\0\0"));
    }
}
