//! The messages: a struct for each, the enum of all, and the ways between them.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Names, doc};
use crate::ast::{Field, Kind, Message, Surface};
use crate::types::Needed;

pub(super) fn expand(surface: &Surface, names: &Names<'_>) -> TokenStream {
    let parts = surface.messages.iter().map(|message| part(message, names));
    let message_enum = message_enum(surface, names);
    let ways = surface.messages.iter().map(|message| way(message, names));
    quote!(#(#parts)* #message_enum #(#ways)*)
}

/// `pub struct CounterInc { pub by: i64 }`
fn part(message: &Message, names: &Names<'_>) -> TokenStream {
    let Message { part, vis, fields, method, attrs, .. } = message;
    let Needed { generics, unmentioned } = names.part_needs(message);
    let (_, _, where_clause) = generics.split_for_impl();
    let headline = doc(&format!("The message that [`{}::{method}`] sends.", names.reference));
    let (cfgs, docs, through) = (&attrs.cfgs, &attrs.docs, &names.surface.options.structs);
    let gap = (!docs.is_empty()).then(|| doc(""));
    let fields = fields.iter().map(|Field { ident, ty, docs, .. }| {
        let docs = if docs.is_empty() { doc(&format!("The argument `{ident}`.")) } else { quote!(#(#docs)*) };
        quote!(#docs pub #ident: #ty)
    });
    let marker = (!unmentioned.is_empty()).then(|| {
        let marker = &names.marker;
        quote! {
            #[doc(hidden)]
            pub #marker: ::core::marker::PhantomData<fn() -> (#(#unmentioned,)*)>
        }
    });
    let fields = fields.chain(marker);
    quote! {
        #(#cfgs)*
        #headline
        #gap
        #(#docs)*
        #(#[#through])*
        #[allow(dead_code, private_interfaces)]
        #vis struct #part #generics #where_clause {
            #(#fields,)*
        }
    }
}

/// `pub enum CounterMessage { Inc(i64, ReplyPort<i64>), Reset() }`
fn message_enum(surface: &Surface, names: &Names<'_>) -> TokenStream {
    let Names { krate, message: ident, needed, reference, .. } = names;
    let vis = &surface.vis;
    let (generics, (_, _, where_clause)) = (&needed.generics, needed.generics.split_for_impl());
    let is_remote = surface.options.is_remote();
    let remote = surface.options.remote.as_ref().map(|_| quote!(#[derive(::actor_cluster::RemoteMessage)]));
    let attributes = &surface.options.message;
    let variants = surface.messages.iter().map(|message| {
        let Message { variant, attrs, fields, kind, method, .. } = message;
        let types = fields.iter().map(|Field { ty, attrs, .. }| quote!(#(#attrs)* #ty));
        let port = kind.reply().map(|reply| quote!(#krate::ReplyPort<#reply>));
        let types = types.chain(port);
        let rpc = (is_remote && kind.reply().is_some()).then(|| quote!(#[rpc]));
        let (cfgs, through) = (&attrs.cfgs, &attrs.variant);
        let docs = doc(&format!("See [`{reference}::{method}`]."));
        quote! {
            #(#cfgs)*
            #docs
            #rpc
            #(#[#through])*
            #variant(#(#types),*)
        }
    });
    let phantom = (!needed.unmentioned.is_empty()).then(|| {
        let unmentioned = &needed.unmentioned;
        // What travels has a form, and `Infallible` has none.
        let never = (!is_remote).then(|| quote!(::core::convert::Infallible,));
        quote! {
            #[doc(hidden)]
            Nothing__(#never ::core::marker::PhantomData<fn() -> (#(#unmentioned,)*)>)
        }
    });
    let variants = variants.chain(phantom);
    let headline =
        doc(&format!("What a `{}` takes: a variant for each method of [`{reference}`].", surface.name));
    quote! {
        #headline
        #remote
        #(#[#attributes])*
        #[allow(dead_code, private_interfaces)]
        #vis enum #ident #generics #where_clause {
            #(#variants,)*
        }
    }
}

/// From the struct to the enum and back.
fn way(message: &Message, names: &Names<'_>) -> TokenStream {
    let Names { krate, needed, port, .. } = names;
    let Message { part, variant, fields, kind, attrs, .. } = message;
    let own = names.part_needs(message);
    let (impl_generics, _, where_clause) = needed.generics.split_for_impl();
    let (_, part_generics, _) = own.generics.split_for_impl();
    let whole = names.message_type();
    let part_type = quote!(#part #part_generics);
    let cfgs = &attrs.cfgs;
    let idents: Vec<_> = fields.iter().map(|field| &field.ident).collect();
    let marker = (!own.unmentioned.is_empty()).then(|| {
        let marker = &names.marker;
        quote!(#marker: ::core::marker::PhantomData)
    });
    let made = quote!(#part { #(#idents,)* #marker });
    let taken = quote!(#part { #(#idents,)* .. });
    let taken = if marker.is_some() { taken } else { made.clone() };
    let nobody = kind.reply().map(|_| quote!(#krate::ReplyPort::nobody()));
    let wrapped = idents.iter().map(|ident| quote!(#ident)).chain(nobody);
    let ignored = kind.reply().map(|_| quote!(_));
    let pattern: Vec<_> = idents.iter().map(|ident| quote!(#ident)).chain(ignored).collect();
    let accepts = quote! {
        #(#cfgs)*
        #[automatically_derived]
        impl #impl_generics #krate::Accepts<#part_type> for #whole #where_clause {
            fn wrap(#taken: #part_type) -> Self {
                Self::#variant(#(#wrapped),*)
            }

            #[allow(unreachable_patterns)]
            fn take_back(self) -> ::core::option::Option<#part_type> {
                match self {
                    Self::#variant(#(#pattern),*) => ::core::option::Option::Some(#made),
                    _ => ::core::option::Option::None,
                }
            }
        }
    };
    let reply = match kind {
        Kind::Cast => return accepts,
        Kind::Call(reply) | Kind::Delegated(reply) => reply,
    };
    quote! {
        #accepts

        #(#cfgs)*
        #[automatically_derived]
        impl #impl_generics #krate::Answers<#part_type, #reply> for #whole #where_clause {
            fn wrap_call(#taken: #part_type, #port: #krate::ReplyPort<#reply>) -> Self {
                Self::#variant(#(#idents,)* #port)
            }

            #[allow(unreachable_patterns)]
            fn take_back_call(self) -> ::core::option::Option<(#part_type, #krate::ReplyPort<#reply>)> {
                match self {
                    Self::#variant(#(#idents,)* #port) => ::core::option::Option::Some((#made, #port)),
                    _ => ::core::option::Option::None,
                }
            }
        }
    }
}
