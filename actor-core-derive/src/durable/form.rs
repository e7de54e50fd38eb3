//! The names by which commands and replies are stored: `inc(by: i64)` and `inc -> i64`. They say what follows, so that
//! bytes of an older program are read as what they are, or not at all. They outlive the program and the compiler that
//! wrote them: how they are spelled must not change.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, Token, Type, parenthesized};

/// What a command was called: `inc(by: i64)`.
pub(super) struct Former {
    method: Ident,
    fields: Vec<(Ident, Type)>,
}

impl Parse for Former {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let method = input.call(Ident::parse_any)?;
        let inside;
        parenthesized!(inside in input);
        let field = |input: ParseStream<'_>| {
            let ident = input.call(Ident::parse_any)?;
            input.parse::<Token![:]>()?;
            Ok((ident, input.parse()?))
        };
        let fields = Punctuated::<_, Token![,]>::parse_terminated_with(&inside, field)?;
        Ok(Self { method, fields: fields.into_iter().collect() })
    }
}

impl Former {
    pub(super) fn command(&self) -> String {
        command(&self.method, self.fields.iter().map(|(ident, ty)| (ident, ty)))
    }

    pub(super) fn reply(&self, ty: &Type) -> String {
        reply(&self.method, ty)
    }

    /// The types of its arguments, spelled.
    pub(super) fn types(&self) -> Vec<String> {
        self.fields.iter().map(|(_, ty)| spelled(ty)).collect()
    }
}

/// The name of a command.
pub(super) fn command<'t>(method: &Ident, fields: impl Iterator<Item = (&'t Ident, &'t Type)>) -> String {
    let fields: Vec<_> = fields.map(|(ident, ty)| format!("{}: {}", ident.unraw(), spelled(ty))).collect();
    format!("{}({})", method.unraw(), fields.join(", "))
}

/// The name of what a command gives.
pub(super) fn reply(method: &Ident, ty: &Type) -> String {
    format!("{} -> {}", method.unraw(), spelled(ty))
}

/// A type, with no space but between two words: how the compiler would print it may change.
pub(super) fn spelled(ty: &Type) -> String {
    let mut text = String::new();
    spell(ty.to_token_stream(), &mut text);
    text
}

fn spell(tokens: TokenStream, text: &mut String) {
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                spell(group.stream(), text);
                text.push_str(close);
            }
            TokenTree::Punct(punct) => text.push(punct.as_char()),
            word => {
                let word = word.to_string();
                if text.ends_with(is_word) && word.starts_with(is_word) {
                    text.push(' ');
                }
                text.push_str(&word);
            }
        }
    }
}
