//! `#[actor(durable)]`: the struct is what a durable actor keeps, and its methods are its commands. What it emits names
//! `::actor_durable` and needs no other crate.
//!
//! ```text
//!  tokens ── options, read (+ hooks, form) ──► surface::Surface ── expand ──► the user's impl, CounterCommand,
//!                 │                                                           CounterReply, CounterError,
//!                 └── errors                                                  CounterDurable, CounterRef
//! ```

mod expand;
mod form;
mod hooks;
mod options;
mod read;
mod surface;

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::ItemImpl;

use self::options::Options;
use crate::errors::Errors;
use crate::fallback;

/// Whether the options ask for a durable actor.
pub(crate) fn is_wanted(options: &TokenStream) -> bool {
    let mut begins = true;
    options.clone().into_iter().any(|token| {
        let is_option = std::mem::replace(&mut begins, is_comma(&token));
        is_option && matches!(&token, TokenTree::Ident(word) if word == "durable")
    })
}

fn is_comma(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',')
}

/// The expansion, or the mistakes and the impl without our attributes.
pub(crate) fn actor(options: TokenStream, item: ItemImpl, name: Ident, mut errors: Errors) -> TokenStream {
    let options = Options::read(options, &mut errors);
    let surface = read::surface(options, item, name, &mut errors);
    match errors.finish() {
        None => expand::expand(&surface),
        Some(error) => fallback::with_errors(&surface.item.to_token_stream(), &error),
    }
}
