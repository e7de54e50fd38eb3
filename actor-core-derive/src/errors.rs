//! Mistakes, collected so that one compilation shows them all.

use std::fmt::Display;

use quote::ToTokens;
use syn::Error;

/// The mistakes found so far.
#[derive(Default)]
pub(crate) struct Errors(Option<Error>);

impl Errors {
    /// Adds a mistake that lies in `tokens`.
    pub(crate) fn add(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.push(Error::new_spanned(tokens, message));
    }

    /// Adds what a parser found.
    pub(crate) fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }

    /// Adds a parser's mistake, if there is one.
    pub(crate) fn absorb(&mut self, outcome: syn::Result<()>) {
        if let Err(error) = outcome {
            self.push(error);
        }
    }

    /// How many there are, to see whether a part of the input added any.
    pub(crate) fn count(&self) -> usize {
        self.0.as_ref().map_or(0, |error| error.into_iter().count())
    }

    /// All of them, if there is any.
    pub(crate) fn finish(self) -> Option<Error> {
        self.0
    }
}
