//! In which order the actor takes its messages: `Actor::SORTING`, where a message has a
//! priority or an end.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::{Ident, Type};

use super::{Names, located};
use crate::ast::{Message, Surface};
use crate::sorting::{Expiry, Urgency};

/// Nothing where there is nothing to sort, so that it costs nothing.
pub(super) fn sorting(surface: &Surface, names: &Names<'_>) -> Option<TokenStream> {
    let (krate, message) = (&names.krate, names.message_type());
    let urgencies = surface.messages.iter().filter_map(|message| urgency(message, names));
    let urgencies = asked(urgencies.collect(), &quote!(#krate::Priority::Normal), names);
    let expiries = surface.messages.iter().filter_map(|message| expiry(message, names));
    let expiries = asked(expiries.collect(), &quote!(::core::option::Option::None), names);
    let ageing = surface
        .options
        .ageing
        .as_ref()
        .map(|ageing| quote!(.ageing(::core::num::NonZeroU32::new(#ageing).unwrap())));
    if urgencies.is_none() && expiries.is_none() {
        return None;
    }
    let urgencies = urgencies.map(|closure| quote!(.priority(#closure)));
    let expiries = expiries.map(|closure| quote!(.expires_at(#closure)));
    Some(quote! {
        #[allow(unreachable_patterns)]
        const SORTING: #krate::Sorting<#message> = #krate::Sorting::new() #urgencies #expiries #ageing;
    })
}

/// A question to each message; `otherwise` is what those say that have no arm.
fn asked(arms: Vec<TokenStream>, otherwise: &TokenStream, names: &Names<'_>) -> Option<TokenStream> {
    let given = &names.given;
    (!arms.is_empty()).then(|| quote!(|#given| match #given { #(#arms)* _ => #otherwise, }))
}

fn urgency(message: &Message, names: &Names<'_>) -> Option<TokenStream> {
    let (krate, cfgs, variant) = (&names.krate, &message.attrs.cfgs, variant(message, names));
    Some(match message.urgency.as_ref()? {
        Urgency::Always(word) => quote!(#(#cfgs)* #variant(..) => #krate::Priority::#word,),
        Urgency::Field(ident, ty) => {
            let said = ask(ident, ty, &quote!(Urgent::urgency), names);
            let before = before(message, ident);
            quote!(#(#cfgs)* #variant(#(#before,)* #ident, ..) => #said,)
        }
    })
}

fn expiry(message: &Message, names: &Names<'_>) -> Option<TokenStream> {
    let (krate, cfgs, variant) = (&names.krate, &message.attrs.cfgs, variant(message, names));
    Some(match message.expiry.as_ref()? {
        Expiry::WithCaller => {
            let port = &names.port;
            quote!(#(#cfgs)* #variant(.., #port) => #krate::macro_support::with_caller(#port),)
        }
        Expiry::Field(ident, ty) => {
            let said = ask(ident, ty, &quote!(Expiring::expires_at), names);
            let before = before(message, ident);
            quote!(#(#cfgs)* #variant(#(#before,)* #ident, ..) => #said,)
        }
    })
}

fn variant(message: &Message, names: &Names<'_>) -> TokenStream {
    let (whole, variant) = (&names.message, &message.variant);
    quote!(#whole::#variant)
}

/// What a field says. If it is of another type, the error is where the user wrote that.
fn ask(ident: &Ident, ty: &Type, question: &TokenStream, names: &Names<'_>) -> TokenStream {
    let (krate, said) = (&names.krate, located(ident, ty));
    quote!(#krate::macro_support::#question(#said))
}

/// A `_` for each field before this one.
fn before(message: &Message, ident: &Ident) -> Vec<TokenStream> {
    let before = message.fields.iter().take_while(|field| field.ident != *ident);
    before.map(|_| syn::token::Underscore::default().into_token_stream()).collect()
}
