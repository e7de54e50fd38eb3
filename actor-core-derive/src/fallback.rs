//! What is emitted for an input with mistakes: the mistakes, and as much of everything
//! else as is sound, so that code which uses the actor does not complain as well.

use proc_macro2::TokenStream;
use quote::quote;
use syn::Error;

/// What is sound: of an item that is no actor at all, the item as it was; of an actor
/// with mistakes, what could be made of it. And the mistakes.
pub(crate) fn with_errors(sound: &TokenStream, error: &Error) -> TokenStream {
    let errors = error.to_compile_error();
    quote!(#errors #sound)
}
