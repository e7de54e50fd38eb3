//! What the compiler is to check where the user wrote it: each argument and each reply can
//! be sent. The enum of all needs it too, but of that the user wrote nothing.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Type;
use syn::spanned::Spanned;

use super::Names;
use crate::ast::{Message, Surface};

/// `Send` is checked in the signature, so that it is reported before all that follows from
/// it, and `'static` in the body: a signature would imply it.
pub(super) fn expand(surface: &Surface, names: &Names<'_>) -> TokenStream {
    let krate = &names.krate;
    let (impl_generics, _, where_clause) = names.generics();
    let parameters = surface.messages.iter().flat_map(|message| {
        let cfgs = &message.attrs.cfgs;
        sent(message).map(move |(ty, what)| quote_spanned!(place(ty)=> #(#cfgs)* _: #what<#ty>))
    });
    let calls = surface.messages.iter().flat_map(|message| {
        let cfgs = &message.attrs.cfgs;
        sent(message).map(move |(ty, _)| quote_spanned!(place(ty)=> #(#cfgs)* is_owned__::<#ty>();))
    });
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use #krate::macro_support::{
                SentArgument as SentArgument__, SentReply as SentReply__, is_owned as is_owned__
            };

            #[allow(dead_code, deprecated, private_interfaces, clippy::too_many_arguments)]
            fn checks__ #impl_generics (#(#parameters),*) #where_clause {
                #(#calls)*
            }
        };
    }
}

/// What a message moves to another thread, and how it is checked.
fn sent(message: &Message) -> impl Iterator<Item = (&Type, TokenStream)> {
    let argument = |ty: &Type| quote_spanned!(place(ty)=> SentArgument__);
    let reply = |ty: &Type| quote_spanned!(place(ty)=> SentReply__);
    let arguments = message.fields.iter().map(move |field| (&field.ty, argument(&field.ty)));
    arguments.chain(message.kind.reply().map(move |ty| (ty, reply(ty))))
}

/// Where the user wrote it, and still generated: lints have judged it there.
fn place(ty: &Type) -> Span {
    Span::call_site().located_at(ty.span())
}
