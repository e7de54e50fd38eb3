//! `CounterRef`: the typed reference, with a method for each command.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::Ident;

use super::{Names, doc};
use crate::durable::surface::{Command, Field};

pub(super) fn expand(names: &Names<'_>) -> TokenStream {
    let Names { krate, engine, reference, surface, .. } = names;
    let vis = &surface.vis;
    let headline = doc(&format!(
        "A reference to a durable `{}`, in memory or not, with a method for each of its commands.",
        surface.name
    ));
    let more = doc("It dereferences to the `DurableRef` that it stands on, and is made of one by `From`.");
    let gap = doc("");
    let new =
        doc("A reference to the actor of this id, which need not be in memory, and need never have been.");
    let methods = surface.commands.iter().map(|command| method(names, command));
    quote! {
        #headline
        #gap
        #more
        #[derive(::core::clone::Clone, ::core::fmt::Debug, ::core::cmp::PartialEq, ::core::cmp::Eq)]
        #vis struct #reference {
            actor: #krate::DurableRef<#engine>,
        }

        #[allow(dead_code, private_interfaces, clippy::too_many_arguments)]
        impl #reference {
            #new
            #gap
            /// # Errors
            ///
            /// The id is none.
            #vis fn new(
                system: &#krate::DurableSystem,
                id: impl ::core::convert::AsRef<str>,
            ) -> ::core::result::Result<Self, #krate::BadName> {
                ::core::result::Result::Ok(Self { actor: system.actor(id)? })
            }

            #(#methods)*
        }

        #[automatically_derived]
        impl ::core::convert::From<#krate::DurableRef<#engine>> for #reference {
            fn from(actor: #krate::DurableRef<#engine>) -> Self {
                Self { actor }
            }
        }

        #[automatically_derived]
        impl ::core::ops::Deref for #reference {
            type Target = #krate::DurableRef<#engine>;

            fn deref(&self) -> &Self::Target {
                &self.actor
            }
        }
    }
}

/// The reference's method for a command.
fn method(names: &Names<'_>, each: &Command) -> TokenStream {
    let Names { krate, hidden, command, reply, engine, .. } = names;
    let Command { method, variant, vis, docs, cfgs, reference, fields, reply: own_reply, .. } = each;
    let own_docs =
        if docs.is_empty() { doc(&format!("Asks [`{command}::{variant}`].")) } else { quote!(#(#docs)*) };
    let arguments = fields.iter().map(|Field { ident, ty }| quote!(#ident: #ty));
    let idents = fields.iter().map(|field| &field.ident);
    let (own_error, refusal) = match (&each.error, &names.error) {
        (Some(own), Some(error)) => (own.to_token_stream(), narrowed(&quote!(#error), variant)),
        _ => (quote!(#krate::NoError), quote!(|_| ::core::option::Option::None)),
    };
    let answer = narrowed(&quote!(#reply), variant);
    quote! {
        #(#cfgs)*
        #own_docs
        #(#reference)*
        #vis fn #method(
            &self,
            #(#arguments),*
        ) -> #krate::DurableAsk<'_, #engine, #own_reply, #own_error> {
            #hidden::ask(&self.actor, #command::#variant(#(#idents),*), #answer, #refusal)
        }
    }
}

/// What takes one variant out of an enum.
fn narrowed(of: &TokenStream, variant: &Ident) -> TokenStream {
    quote! {
        |given| match given {
            #of::#variant(given) => ::core::option::Option::Some(given),
            #[allow(unreachable_patterns)]
            _ => ::core::option::Option::None,
        }
    }
}
