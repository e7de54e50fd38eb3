//! What is emitted for an input with mistakes: the mistakes, and an impl that does
//! nothing, so that code which uses the type does not complain as well.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Error};

use crate::attr::ContainerAttrs;
use crate::errors::Errors;
use crate::expand::{Trait, crate_path, implement};

/// The errors of `input`, and a stand-in for the impl of the trait.
pub(crate) fn expand(input: &DeriveInput, which: Trait, error: &Error) -> TokenStream {
    let errors = error.to_compile_error();
    // Borrowed types cannot have the impl at all: it asks for `'static`.
    if input.generics.lifetimes().next().is_some() {
        return errors;
    }
    // Mistakes in these attributes have been reported already.
    let krate = crate_path(&ContainerAttrs::read(&input.attrs, &mut Errors::default()));
    let wire = quote!(#krate::wire);
    let body = match which {
        Trait::Wire => value(&wire),
        Trait::RemoteMessage => message(&wire),
    };
    let stand_in = implement(&input.ident, &input.generics, &krate, which, &body);
    quote!(#errors #stand_in)
}

fn value(wire: &TokenStream) -> TokenStream {
    quote! {
        const TYPE: #wire::TypeTag = #wire::TypeTag::named("");
        const ENCODED_BYTES_MIN: usize = 0;

        fn encode(&self, _: &mut #wire::Encoder<'_>) -> ::core::result::Result<(), #wire::EncodeError> {
            ::core::unimplemented!()
        }

        fn decode(_: &mut #wire::Decoder<'_>) -> ::core::result::Result<Self, #wire::DecodeError> {
            ::core::unimplemented!()
        }
    }
}

fn message(wire: &TokenStream) -> TokenStream {
    quote! {
        const TYPE: #wire::TypeTag = #wire::TypeTag::named("");

        fn variant(&self) -> #wire::VariantTag {
            ::core::unimplemented!()
        }

        fn encode_fields(
            &self,
            _: &mut #wire::Encoder<'_>,
        ) -> ::core::result::Result<(), #wire::EncodeError> {
            ::core::unimplemented!()
        }

        fn call(&self) -> ::core::option::Option<#wire::CallHeader> {
            ::core::unimplemented!()
        }

        fn take_reply(
            &mut self,
            _: &mut #wire::PendingReplies,
        ) -> ::core::option::Option<#wire::PendingReply> {
            ::core::unimplemented!()
        }

        fn decode(
            _: #wire::VariantTag,
            _: #wire::Decoder<'_>,
            _: &mut ::core::option::Option<#wire::ReplyTo>,
        ) -> ::core::result::Result<Self, #wire::DecodeError> {
            ::core::unimplemented!()
        }
    }
}
