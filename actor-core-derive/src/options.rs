//! How options are read, of whichever kind of actor they are: words between commas, a visibility, and `crate = "path"`.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::{Ident, LitStr, Path, Token, Visibility, parenthesized, token};

use crate::errors::Errors;

/// The options of a kind of actors.
pub(crate) trait Options: Default {
    /// What they are, for whoever wrote another.
    const ALL: &'static str;
    /// A path that `crate` may be.
    const CRATE: &'static str;

    /// Those that all kinds have.
    fn common(&mut self) -> &mut Common;

    /// Reads what a word begins.
    fn read_word(&mut self, word: &Ident, input: ParseStream<'_>) -> syn::Result<()>;
}

/// The options that all kinds have.
#[derive(Default)]
pub(crate) struct Common {
    pub(crate) vis: Option<Visibility>,
    pub(crate) krate: Option<Path>,
}

/// Reads the options up to the first that is none.
pub(crate) fn read<O: Options>(tokens: TokenStream, errors: &mut Errors) -> O {
    let mut options = O::default();
    errors.absorb((|input: ParseStream<'_>| read_all(&mut options, input)).parse2(tokens));
    options
}

fn read_all<O: Options>(options: &mut O, input: ParseStream<'_>) -> syn::Result<()> {
    while !input.is_empty() {
        read_one(options, input)?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
    }
    Ok(())
}

fn read_one<O: Options>(options: &mut O, input: ParseStream<'_>) -> syn::Result<()> {
    if input.peek(Token![pub]) {
        let vis: Visibility = input.parse()?;
        return once(&mut options.common().vis, &vis, vis.clone());
    }
    if input.peek(Token![crate]) {
        let word: Token![crate] = input.parse()?;
        input.parse::<Token![=]>()?;
        let text: LitStr = input.parse()?;
        let path = text
            .parse_with(Path::parse_mod_style)
            .map_err(|_| syn::Error::new_spanned(&text, format!("this is no path such as `{}`", O::CRATE)))?;
        return once(&mut options.common().krate, &word, path);
    }
    let word: Ident = input.parse().map_err(|error| syn::Error::new(error.span(), O::ALL))?;
    options.read_word(&word, input)
}

/// Keeps what an option says. `place` is where it stands.
pub(crate) fn once<T>(slot: &mut Option<T>, place: &impl ToTokens, value: T) -> syn::Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(syn::Error::new_spanned(place, "this option is here twice")),
    }
}

/// The insides of an option's parentheses.
pub(crate) fn parenthesis(word: &Ident, input: ParseStream<'_>) -> syn::Result<TokenStream> {
    if !input.peek(token::Paren) {
        return Err(syn::Error::new_spanned(word, format!("`{word}` takes a list: `{word}(..)`")));
    }
    let inside;
    parenthesized!(inside in input);
    inside.parse()
}
