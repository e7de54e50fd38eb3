//! `fn describe` of both traits: the type as plain data.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::Ident;
use syn::spanned::Spanned;

use super::{Trait, travelling};
use crate::ast::{Field, Input, Shape, Variant};
use crate::attr::Codec;
use crate::tag;

/// The function, which says the same as the codec beside it does.
pub(super) fn describe_function(input: &Input<'_>, which: Trait, wire: &TokenStream) -> TokenStream {
    let words = Words { wire, types: name("types"), described: name("described") };
    let (kind, body) = match &input.shape {
        Shape::Struct(fields) => (quote!(Struct), words.fields(fields)),
        Shape::Enum(variants) => {
            let kind = match which {
                Trait::Wire => quote!(Enum),
                Trait::RemoteMessage => quote!(Message),
            };
            (kind, variants.iter().map(|variant| words.variant(variant)).collect())
        }
        Shape::Union => return TokenStream::new(),
    };
    let Words { types, described, .. } = &words;
    // Validation has made sure that there is a name.
    let called = tag::type_name(input).unwrap_or_default();
    let arguments = input.generics.type_params().map(|parameter| &parameter.ident);
    let consts = input.generics.const_params().map(|parameter| &parameter.ident);
    let which = which.name();
    quote! {
        fn describe(#types: &mut #wire::schema::Types) -> #wire::schema::Form {
            let form = #wire::schema::Form::named(#called)
                #(.with(<#arguments as #wire::Wire>::describe(#types)))*
                #(.with(#wire::support::constant(#consts as u128)))*;
            let (tag, kind) = (<Self as #wire::#which>::TYPE, #wire::schema::Kind::#kind);
            #types.define::<Self>(tag, kind, form, |#types, #described| {
                // A type may have nothing in it.
                let _ = (&#types, &#described);
                #body
            })
        }
    }
}

struct Words<'w> {
    wire: &'w TokenStream,
    types: Ident,
    described: Ident,
}

impl Words<'_> {
    fn variant(&self, variant: &Variant<'_>) -> TokenStream {
        let Words { wire, types, described } = self;
        let name = tag::variant_name(variant);
        let answer = variant.ports().next().map(|port| {
            let ty = port.ty();
            let form = quote_spanned!(ty.span()=> <#ty as #wire::support::Port>::describe(#types));
            quote!(let form = #form; #described.answer(form);)
        });
        let fields = self.fields(&variant.fields);
        quote!(#described.variant(#name); #answer #fields)
    }

    fn fields(&self, fields: &[Field<'_>]) -> TokenStream {
        let described = &self.described;
        travelling(fields)
            .map(|(_, field)| {
                let (name, form) = (tag::field_name(field), self.form(field));
                let add = match field.attrs.fallback {
                    None => quote!(field),
                    Some(_) => quote!(defaulted),
                };
                quote!(let form = #form; #described.#add(#name, form);)
            })
            .collect()
    }

    fn form(&self, field: &Field<'_>) -> TokenStream {
        let Words { wire, types, .. } = self;
        let ty = field.ty();
        let codec = match &field.attrs.codec {
            Codec::Wire => return quote_spanned!(ty.span()=> <#ty as #wire::Wire>::describe(#types)),
            Codec::Serde => "serde",
            Codec::Prost => "prost",
            Codec::With(_) => "with",
        };
        let called = tag::type_name_as_written(ty);
        quote!(#wire::support::foreign(#codec, #called))
    }
}

fn name(text: &str) -> Ident {
    Ident::new(text, Span::mixed_site())
}
