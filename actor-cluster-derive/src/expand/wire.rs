//! `#[derive(Wire)]`.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Ident};

use super::schema::describe_function;
use super::{
    Owner, Trait, crate_path, decode_fields, encode_fields, implement, lend, tag_constant, type_tag,
    variant_tags,
};
use crate::ast::{Field, Input, Shape, Variant};
use crate::attr::Codec;
use crate::errors::Errors;
use crate::{fallback, tag, valid};

/// The impl, or the mistakes.
pub(crate) fn derive(input: &DeriveInput) -> TokenStream {
    let mut errors = Errors::default();
    let read = Input::read(input, &mut errors);
    valid::wire(&read, &mut errors);
    match errors.finish() {
        Ok(()) => expand(&read),
        Err(error) => fallback::expand(input, Trait::Wire, &error),
    }
}

/// The parts of the impl that depend on what the type is.
struct Parts {
    tags: TokenStream,
    bytes_min: TokenStream,
    encode: TokenStream,
    decode: TokenStream,
}

fn expand(input: &Input<'_>) -> TokenStream {
    let krate = crate_path(&input.attrs);
    let wire = quote!(#krate::wire);
    let names = Names::new(&wire);
    let Parts { tags, bytes_min, encode, decode } = match &input.shape {
        Shape::Struct(fields) => expand_struct(input.ident, fields, &names),
        Shape::Enum(variants) => expand_enum(input.ident, variants, &names),
        Shape::Union => return TokenStream::new(),
    };
    let type_tag = type_tag(input, &wire);
    let describe = describe_function(input, Trait::Wire, &wire);
    let Names { enc, dec, .. } = &names;
    let body = quote! {
        const TYPE: #wire::TypeTag = #type_tag;
        const ENCODED_BYTES_MIN: usize = #bytes_min;

        #[inline]
        fn encode(
            &self,
            #enc: &mut #wire::Encoder<'_>,
        ) -> ::core::result::Result<(), #wire::EncodeError> {
            #enc.nested(|#enc| { #encode })
        }

        #[inline]
        fn decode(#dec: &mut #wire::Decoder<'_>) -> ::core::result::Result<Self, #wire::DecodeError> {
            #dec.nested(|#dec| { #decode })
        }

        #describe
    };
    let implementation = implement(input.ident, input.generics, &krate, Trait::Wire, &body);
    quote! {
        const _: () = {
            #tags
            #implementation
        };
    }
}

/// The words of the emitted functions, in a place of their own.
struct Names<'a> {
    wire: &'a TokenStream,
    enc: Ident,
    dec: Ident,
}

impl<'a> Names<'a> {
    fn new(wire: &'a TokenStream) -> Self {
        let name = |text| Ident::new(text, Span::mixed_site());
        Self { wire, enc: name("enc"), dec: name("dec") }
    }
}

fn expand_struct(ident: &Ident, fields: &[Field<'_>], names: &Names<'_>) -> Parts {
    let Names { wire, enc, .. } = names;
    let owner = Owner::of_struct(ident, wire);
    let bytes_min = fields.iter().map(|field| field_bytes_min(field, wire));
    let (lent, encode) = (lend(fields), encode_fields(fields, &owner, enc));
    let value = value(fields, &owner, names);
    Parts {
        tags: TokenStream::new(),
        bytes_min: quote!(0_usize #(.saturating_add(#bytes_min))*),
        encode: quote!(let Self { #lent } = *self; #encode ::core::result::Result::Ok(())),
        decode: quote!(::core::result::Result::Ok(Self #value)),
    }
}

fn expand_enum(ident: &Ident, variants: &[Variant<'_>], names: &Names<'_>) -> Parts {
    let Names { wire, dec, .. } = names;
    let of = |index, variant| Owner::of_variant(ident, index, variant, Trait::Wire, wire);
    let encode = variants
        .iter()
        .enumerate()
        .map(|(index, variant)| encode_variant(index, variant, &of(index, variant), names));
    let decode = variants.iter().enumerate().map(|(index, variant)| {
        let (tag, ident) = (tag_constant(index), variant.ident);
        let value = value(&variant.fields, &of(index, variant), names);
        quote!(#tag => ::core::result::Result::Ok(Self::#ident #value),)
    });
    Parts {
        tags: variant_tags(variants, wire),
        // The tag alone: a variant may hold the type itself, in a box.
        bytes_min: quote!(#wire::VariantTag::BYTES),
        // Matching on `*self` accepts an enum without variants too.
        encode: quote!(match *self { #(#encode)* }),
        decode: quote! {
            match #dec.take_variant()? {
                #(#decode)*
                variant => ::core::result::Result::Err(
                    #dec.error(#wire::DecodeErrorKind::UnknownVariant { variant }),
                ),
            }
        },
    }
}

fn encode_variant(index: usize, variant: &Variant<'_>, owner: &Owner<'_>, names: &Names<'_>) -> TokenStream {
    let Names { wire, enc, .. } = names;
    let (tag, ident, name) = (tag_constant(index), variant.ident, tag::variant_name(variant));
    let (lent, encode) = (lend(&variant.fields), encode_fields(&variant.fields, owner, enc));
    quote! {
        Self::#ident { #lent } => {
            #wire::support::put_variant::<Self>(#enc, #tag, #name)?;
            #encode
            ::core::result::Result::Ok(())
        }
    }
}

/// `{ member: decoded, … }`: right behind the name of a struct or variant of any kind.
fn value(fields: &[Field<'_>], owner: &Owner<'_>, names: &Names<'_>) -> TokenStream {
    let dec = names.dec.to_token_stream();
    let members = fields.iter().map(|field| &field.member);
    let values = decode_fields(fields, owner, &dec).map(|(_, value)| value);
    quote!({ #(#members: #values),* })
}

fn field_bytes_min(field: &Field<'_>, wire: &TokenStream) -> TokenStream {
    let ty = field.ty();
    match field.attrs.codec {
        // It may be left out.
        _ if field.attrs.fallback.is_some() => quote!(0),
        Codec::Wire => quote_spanned!(ty.span()=> <#ty as #wire::Wire>::ENCODED_BYTES_MIN),
        Codec::Serde | Codec::Prost => quote!(#wire::support::BLOCK_BYTES_MIN),
        Codec::With(_) => quote!(0),
    }
}
