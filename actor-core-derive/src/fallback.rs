//! What is emitted for an input with mistakes: the mistakes, and as much of everything
//! else as is sound, so that code which uses the actor does not complain as well.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Error;

/// For an item that is no actor at all: the item as it was, and why.
pub(crate) fn item(item: &TokenStream, error: &Error) -> TokenStream {
    let errors = error.to_compile_error();
    quote!(#errors #item)
}

/// For an actor with mistakes: what could be made of it, and why not the rest.
pub(crate) fn actor(sound: &TokenStream, error: &Error) -> TokenStream {
    let errors = error.to_compile_error();
    quote!(#errors #sound)
}
