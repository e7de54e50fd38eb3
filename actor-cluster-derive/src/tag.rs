//! Names on the wire, and the hash that makes numbers of them. The tests freeze the
//! hash: it is part of the protocol, and actor-cluster computes the same one.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::{Ident, Member, Type};

use crate::ast::{Field, Input, Variant};

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

/// A field's name: what its author says, or its identifier or number.
pub(crate) fn field_name(field: &Field<'_>) -> String {
    match (&field.attrs.name, &field.member) {
        (Some(name), _) => name.value(),
        (None, Member::Named(ident)) => plain(ident),
        (None, Member::Unnamed(index)) => index.index.to_string(),
    }
}

/// What the program calls a type, without the paths, which imports and moves change.
pub(crate) fn type_name_as_written(ty: &Type) -> String {
    let mut words = Vec::new();
    spell(ty.to_token_stream(), &mut words);
    words.concat()
}

fn spell(tokens: TokenStream, words: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                words.push(open.to_owned());
                spell(group.stream(), words);
                words.push(close.to_owned());
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => {
                // Of `a::b` the second colon comes here too, with nothing in front of it but the rest.
                while words.last().is_some_and(|word| word == ":" || is_word(word)) {
                    words.pop();
                }
            }
            TokenTree::Ident(ident) => {
                // Two words in a row, as in `dyn Trait`.
                if words.last().is_some_and(|word| is_word(word)) {
                    words.push(" ".to_owned());
                }
                words.push(plain(&ident));
            }
            other => words.push(other.to_string()),
        }
    }
}

fn is_word(word: &str) -> bool {
    word.starts_with(|char: char| char.is_alphanumeric() || char == '_')
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
    fn a_type_is_called_what_it_is_called_without_its_paths() {
        for (written, name) in [
            ("chrono::DateTime<chrono::Utc>", "DateTime<Utc>"),
            ("::std::vec::Vec < [u8; 4] >", "Vec<[u8;4]>"),
            ("(a::B, Box<dyn c::D>)", "(B,Box<dyn D>)"),
            ("r#type", "type"),
        ] {
            let ty: Type = syn::parse_str(written).unwrap();
            assert_eq!(type_name_as_written(&ty), name);
        }
    }

    #[test]
    fn the_hash_is_fnv1a_for_ever() {
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }
}
