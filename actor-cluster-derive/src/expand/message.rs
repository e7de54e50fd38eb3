//! `#[derive(RemoteMessage)]`.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Ident};

use super::schema::describe_function;
use super::{
    Owner, Trait, binding, crate_path, decode_fields, encode_fields, implement, lend, tag_constant, type_tag,
    variant_tags,
};
use crate::ast::{Field, Input, Shape, Variant};
use crate::errors::Errors;
use crate::{fallback, valid};

/// The impl, or the mistakes.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let read = Input::read(input, &mut errors);
    valid::message(&read, &mut errors);
    match errors.finish() {
        Ok(()) => expand(&read),
        Err(error) => fallback::expand(input, Trait::RemoteMessage, &error),
    }
}

fn expand(input: &Input<'_>) -> TokenStream {
    let Shape::Enum(variants) = &input.shape else { return TokenStream::new() };
    let krate = crate_path(&input.attrs);
    let wire = quote!(#krate::wire);
    let type_tag = type_tag(input, &wire);
    let functions = [
        variant_function(variants, &wire),
        encode_function(input.ident, variants, &wire),
        call_function(variants, &wire),
        reply_function(variants, &wire),
        decode_function(input.ident, variants, &wire),
        describe_function(input, Trait::RemoteMessage, &wire),
    ];
    let urgency = match (&input.attrs.urgent, &input.attrs.bulk) {
        (Some(_), _) => quote!(Urgent),
        (None, Some(_)) => quote!(Bulk),
        (None, None) => quote!(Normal),
    };
    let body = quote! {
        const TYPE: #wire::TypeTag = #type_tag;
        const URGENCY: #wire::Urgency = #wire::Urgency::#urgency;
        #(#functions)*
    };
    let tags = variant_tags(variants, &wire);
    let implementation = implement(input.ident, input.generics, &krate, Trait::RemoteMessage, &body);
    quote! {
        const _: () = {
            #tags
            #implementation
        };
    }
}

fn variant_function(variants: &[Variant<'_>], wire: &TokenStream) -> TokenStream {
    let idents = variants.iter().map(|variant| variant.ident);
    let tags = (0..variants.len()).map(tag_constant);
    quote! {
        #[inline]
        fn variant(&self) -> #wire::VariantTag {
            match *self {
                #(Self::#idents { .. } => #tags,)*
            }
        }
    }
}

fn encode_function(ident: &Ident, variants: &[Variant<'_>], wire: &TokenStream) -> TokenStream {
    let enc = name("enc");
    let arms = variants.iter().enumerate().map(|(index, variant)| {
        let owner = Owner::of_variant(ident, index, variant, Trait::RemoteMessage, wire);
        let (ident, fields) = (variant.ident, &variant.fields);
        let (lent, encode) = (lend(fields), encode_fields(fields, &owner, &enc));
        quote!(Self::#ident { #lent } => { #encode ::core::result::Result::Ok(()) })
    });
    quote! {
        #[inline]
        fn encode_fields(
            &self,
            #enc: &mut #wire::Encoder<'_>,
        ) -> ::core::result::Result<(), #wire::EncodeError> {
            match *self {
                #(#arms)*
            }
        }
    }
}

fn reply_function(variants: &[Variant<'_>], wire: &TokenStream) -> TokenStream {
    let pending = name("pending");
    let arms = variants.iter().map(|variant| {
        let ident = variant.ident;
        match variant.ports().next() {
            None => quote!(Self::#ident { .. } => ::core::option::Option::None,),
            Some(port) => {
                let (member, bound) = (&port.member, binding(0));
                let kept = quote_spanned!(port.ty().span()=> #wire::support::pending_reply(#bound, #pending));
                quote!(Self::#ident { #member: ref mut #bound, .. } => #kept,)
            }
        }
    });
    quote! {
        #[inline]
        fn take_reply(
            &mut self,
            #pending: &mut #wire::PendingReplies,
        ) -> ::core::option::Option<#wire::PendingReply> {
            match *self {
                #(#arms)*
            }
        }
    }
}

fn call_function(variants: &[Variant<'_>], wire: &TokenStream) -> TokenStream {
    let arms = variants.iter().map(|variant| {
        let ident = variant.ident;
        match variant.ports().next() {
            None => quote!(Self::#ident { .. } => ::core::option::Option::None,),
            Some(port) => {
                let (member, bound) = (&port.member, binding(0));
                quote! {
                    Self::#ident { #member: ref #bound, .. } => #wire::support::call_header(#bound),
                }
            }
        }
    });
    quote! {
        #[inline]
        fn call(&self) -> ::core::option::Option<#wire::CallHeader> {
            match *self {
                #(#arms)*
            }
        }
    }
}

fn decode_function(ident: &Ident, variants: &[Variant<'_>], wire: &TokenStream) -> TokenStream {
    let (dec, reply) = (name("dec"), name("reply"));
    let arms = variants.iter().enumerate().map(|(index, variant)| {
        let tag = tag_constant(index);
        let owner = Owner::of_variant(ident, index, variant, Trait::RemoteMessage, wire);
        let value = decode_variant(variant, &owner, &dec, &reply);
        quote!(#tag => { #value })
    });
    quote! {
        #[inline]
        fn decode(
            variant: #wire::VariantTag,
            mut #dec: #wire::Decoder<'_>,
            #reply: &mut ::core::option::Option<#wire::ReplyTo>,
        ) -> ::core::result::Result<Self, #wire::DecodeError> {
            match variant {
                #(#arms)*
                variant => ::core::result::Result::Err(
                    #dec.error(#wire::DecodeErrorKind::UnknownVariant { variant }),
                ),
            }
        }
    }
}

/// The fields in their order, then the end of the payload, then the port: until
/// nothing can fail any more, the caller can still be told that the call never ran.
fn decode_variant(variant: &Variant<'_>, owner: &Owner<'_>, dec: &Ident, reply: &Ident) -> TokenStream {
    let (ident, fields) = (variant.ident, &variant.fields);
    let Owner { wire, name: called, .. } = owner;
    let decoder = quote!(&mut #dec);
    let decode = decode_fields(fields, owner, &decoder).map(|(index, value)| {
        let bound = binding(index);
        quote!(let #bound = #value;)
    });
    let finish = match variant.ports().next() {
        None => quote!(#wire::support::finish_cast(&#dec, #reply)),
        Some(port) => {
            let bound = name("port");
            let finish = quote_spanned!(port.ty().span()=> #wire::support::finish_call(&#dec, #reply));
            quote!(let #bound = #finish)
        }
    };
    let members = fields.iter().map(|field| &field.member);
    let values = fields.iter().enumerate().map(|(index, field)| value(index, field));
    quote! {
        #(#decode)*
        #finish.map_err(|error| error.within::<Self>(#called))?;
        ::core::result::Result::Ok(Self::#ident { #(#members: #values),* })
    }
}

/// What a field of the decoded message is made of.
fn value(index: usize, field: &Field<'_>) -> Ident {
    if field.is_port { name("port") } else { binding(index) }
}

fn name(text: &str) -> Ident {
    Ident::new(text, Span::mixed_site())
}
