//! Names on the wire, and the hash that makes numbers of them. The tests freeze the
//! hash: it is part of the protocol, and actor-cluster computes the same one.

use syn::Ident;
use syn::ext::IdentExt;

use crate::ast::{Input, Variant};

/// A type's name: what its author says, or `package::Ident`. Without a package (the
/// compiler was not started by Cargo) there is none.
pub(crate) fn type_name(input: &Input<'_>) -> Option<String> {
    match &input.attrs.name {
        Some(name) => Some(name.value()),
        None => {
            let package = std::env::var("CARGO_PKG_NAME").ok()?;
            Some(format!("{package}::{}", plain(input.ident)))
        }
    }
}

/// A variant's name: what its author says, or its identifier.
pub(crate) fn variant_name(variant: &Variant<'_>) -> String {
    variant.attrs.name.as_ref().map_or_else(|| plain(variant.ident), |name| name.value())
}

/// An identifier without the `r#` that a keyword needs.
pub(crate) fn plain(ident: &Ident) -> String {
    ident.unraw().to_string()
}

/// The 64-bit FNV-1a hash of a name. Only collisions are looked for with it: the
/// emitted code lets actor-cluster compute the tags.
pub(crate) fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_fnv1a_for_ever() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }
}
