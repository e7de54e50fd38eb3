//! `CounterRef`: the typed reference, with a method for each message.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};

use super::{Names, doc};
use crate::ast::{Broken, Field, Kind, Message, Surface};
use crate::types::Needed;

pub(super) fn expand(surface: &Surface, names: &Names<'_>) -> TokenStream {
    let Names { krate, reference, .. } = names;
    let vis = &surface.vis;
    let generics = &surface.generics;
    let (impl_generics, type_generics, where_clause) = names.generics();
    let message = names.message_type();
    let own = quote!(#reference #type_generics);
    // Parameters that no message mentions.
    let absent: Vec<_> = generics
        .type_params()
        .map(|param| &param.ident)
        .filter(|ident| names.needed.generics.type_params().all(|param| param.ident != **ident))
        .collect();
    let marker =
        (!absent.is_empty()).then(|| quote!(marker: ::core::marker::PhantomData<fn() -> (#(#absent,)*)>,));
    let marked = (!absent.is_empty()).then(|| quote!(marker: ::core::marker::PhantomData,));
    let methods = surface.messages.iter().map(|message| method(message, names));
    let stubs = surface.broken.iter().map(|broken| stub(broken, names));
    let headline = doc(&format!(
        "A reference to a `{}`, wherever it lives, with a method for each of its messages.",
        surface.name
    ));
    let passed_on = passed_on(&own, names);
    let wire = surface.options.is_remote().then(|| wire(&own, names));
    quote! {
        #headline
        ///
        /// It dereferences to the `ActorRef` that it stands on, and is made of one by
        /// `From`. Clones are equal.
        #vis struct #reference #generics #where_clause {
            actor: #krate::ActorRef<#message>,
            #marker
        }

        #[allow(dead_code, private_interfaces, clippy::too_many_arguments)]
        impl #impl_generics #own #where_clause {
            #(#methods)*
            #(#stubs)*
        }

        #[automatically_derived]
        impl #impl_generics #krate::TypedRef for #own #where_clause {
            type Message = #message;
        }

        #[automatically_derived]
        impl #impl_generics ::core::convert::From<#krate::ActorRef<#message>> for #own #where_clause {
            fn from(actor: #krate::ActorRef<#message>) -> Self {
                Self { actor, #marked }
            }
        }

        #[automatically_derived]
        impl #impl_generics ::core::convert::From<#own> for #krate::ActorRef<#message> #where_clause {
            fn from(reference: #own) -> Self {
                reference.actor
            }
        }

        #[automatically_derived]
        impl #impl_generics ::core::ops::Deref for #own #where_clause {
            type Target = #krate::ActorRef<#message>;

            fn deref(&self) -> &Self::Target {
                &self.actor
            }
        }

        #[automatically_derived]
        impl #impl_generics ::core::clone::Clone for #own #where_clause {
            fn clone(&self) -> Self {
                Self { actor: ::core::clone::Clone::clone(&self.actor), #marked }
            }
        }

        #passed_on

        #wire
    }
}

/// What the `ActorRef` can do. It is a condition of each, so that a message that cannot be
/// sent is an error where it is written and not here as well; `for` lets the compiler wait
/// with its judgement.
fn passed_on(own: &TokenStream, names: &Names<'_>) -> TokenStream {
    let Names { krate, reference, .. } = names;
    let (impl_generics, _, where_clause) = names.generics();
    let (name, message) = (reference.to_string(), names.message_type());
    let given = where_clause.map(|clause| &clause.predicates).into_iter().flatten();
    let given = quote!(#(#given,)*);
    let able = |what: TokenStream| quote!(where #given for<'x__> #krate::ActorRef<#message>: #what);
    let (eq, hash, debug) =
        (able(quote!(::core::cmp::Eq)), able(quote!(::core::hash::Hash)), able(quote!(::core::fmt::Debug)));
    quote! {
        #[automatically_derived]
        impl #impl_generics ::core::cmp::PartialEq for #own #eq {
            fn eq(&self, other: &Self) -> bool {
                self.actor == other.actor
            }
        }

        #[automatically_derived]
        impl #impl_generics ::core::cmp::Eq for #own #eq {}

        #[automatically_derived]
        impl #impl_generics ::core::hash::Hash for #own #hash {
            fn hash<H__: ::core::hash::Hasher>(&self, state: &mut H__) {
                ::core::hash::Hash::hash(&self.actor, state);
            }
        }

        #[automatically_derived]
        impl #impl_generics ::core::fmt::Debug for #own #debug {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple(#name).field(&self.actor).finish()
            }
        }
    }
}

/// A reference to what other nodes may send to can travel in messages, as the `ActorRef` does.
fn wire(own: &TokenStream, names: &Names<'_>) -> TokenStream {
    let krate = &names.krate;
    let (impl_generics, _, where_clause) = names.generics();
    let message = names.message_type();
    let given = where_clause.map(|clause| &clause.predicates).into_iter().flatten();
    let cluster = quote!(::actor_cluster);
    let actor = quote!(#krate::ActorRef<#message> as #cluster::Wire);
    quote! {
        #[automatically_derived]
        impl #impl_generics #cluster::Wire for #own
        where
            #(#given,)*
            for<'x__> #krate::ActorRef<#message>: #cluster::Wire,
        {
            const TYPE: #cluster::wire::TypeTag = <#actor>::TYPE;
            const ENCODED_BYTES_MIN: usize = <#actor>::ENCODED_BYTES_MIN;

            fn describe(types: &mut #cluster::wire::schema::Types) -> #cluster::wire::schema::Form {
                <#actor>::describe(types)
            }

            fn encode(
                &self,
                enc: &mut #cluster::wire::Encoder<'_>,
            ) -> ::core::result::Result<(), #cluster::wire::EncodeError> {
                <#actor>::encode(&self.actor, enc)
            }

            fn decode(
                dec: &mut #cluster::wire::Decoder<'_>,
            ) -> ::core::result::Result<Self, #cluster::wire::DecodeError> {
                <#actor>::decode(dec).map(::core::convert::From::from)
            }
        }
    }
}

fn method(message: &Message, names: &Names<'_>) -> TokenStream {
    let krate = &names.krate;
    let Message { method, part, vis, attrs, fields, kind, .. } = message;
    let Needed { generics, unmentioned } = names.part_needs(message);
    let (_, part_generics, _) = generics.split_for_impl();
    let (whole, part_type) = (names.message_type(), quote!(#part #part_generics));
    let arguments = fields.iter().map(|Field { ident, ty, .. }| quote!(#ident: #ty));
    let idents = fields.iter().map(|field| &field.ident);
    let marker = (!unmentioned.is_empty()).then(|| {
        let marker = &names.marker;
        quote!(#marker: ::core::marker::PhantomData)
    });
    let made = quote!(#part { #(#idents,)* #marker });
    let (kind, returned) = match kind {
        Kind::Cast => (quote!(Cast), quote!(Cast<'_, #whole, #part_type>)),
        Kind::Call(reply) | Kind::Delegated(reply) => {
            (quote!(Call), quote!(Call<'_, #whole, #part_type, #reply>))
        }
    };
    let (cfgs, docs, others) = (&attrs.cfgs, &attrs.docs, &attrs.reference);
    let docs = if docs.is_empty() { doc(&format!("Sends [`{part}`].")) } else { quote!(#(#docs)*) };
    quote! {
        #(#cfgs)*
        #docs
        #(#others)*
        #vis fn #method(&self, #(#arguments),*) -> #krate::#returned {
            #krate::#kind::new(&self.actor, #made)
        }
    }
}

/// The outside of a method that has a mistake inside.
fn stub(broken: &Broken, names: &Names<'_>) -> TokenStream {
    let krate = &names.krate;
    let Broken { method, vis, cfgs, arguments, reply } = broken;
    let types: Vec<_> = (0..*arguments).map(|index| format_ident!("A{index}__")).collect();
    quote! {
        #(#cfgs)*
        #[doc(hidden)]
        #vis fn #method<#(#types),*>(&self, #(_: #types),*) -> #krate::macro_support::Broken<#reply> {
            #krate::macro_support::Broken::new()
        }
    }
}
