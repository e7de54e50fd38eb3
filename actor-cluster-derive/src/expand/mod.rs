//! What both derives emit alike. Must not live here: checks; what arrives is valid.

pub(crate) mod message;
mod schema;
pub(crate) mod wire;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Generics, Ident, Path, parse_quote};

use crate::ast::{Field, Input, Variant};
use crate::attr::{Codec, ContainerAttrs, Fallback};
use crate::tag;

/// The trait that is derived.
#[derive(Clone, Copy)]
pub(crate) enum Trait {
    Wire,
    RemoteMessage,
}

impl Trait {
    fn name(self) -> Ident {
        match self {
            Trait::Wire => format_ident!("Wire"),
            Trait::RemoteMessage => format_ident!("RemoteMessage"),
        }
    }
}

/// Where actor-cluster is.
pub(crate) fn crate_path(attrs: &ContainerAttrs) -> Path {
    attrs.krate.clone().unwrap_or_else(|| parse_quote!(::actor_cluster))
}

/// An impl of the trait with `body`, and the bounds that the trait asks of type
/// parameters.
pub(crate) fn implement(
    ident: &Ident,
    generics: &Generics,
    krate: &Path,
    which: Trait,
    body: &TokenStream,
) -> TokenStream {
    let mut bounded = generics.clone();
    for parameter in bounded.type_params_mut() {
        parameter.bounds.push(parse_quote!(#krate::wire::Wire));
        if let Trait::RemoteMessage = which {
            parameter.bounds.push(parse_quote!(::core::marker::Send));
            parameter.bounds.push(parse_quote!('static));
        }
    }
    let (impl_generics, _, where_clause) = bounded.split_for_impl();
    let (_, type_generics, _) = generics.split_for_impl();
    let name = which.name();
    quote! {
        #[automatically_derived]
        // Types stand here as they were written, which may be longer than they need to be.
        #[allow(unused_qualifications)]
        impl #impl_generics #krate::wire::#name for #ident #type_generics #where_clause {
            #body
        }
    }
}

/// The type's tag, with its generic arguments mixed in.
fn type_tag(input: &Input<'_>, wire: &TokenStream) -> TokenStream {
    // Validation has made sure that there is a name.
    let name = tag::type_name(input).unwrap_or_default();
    let types = input.generics.type_params().map(|parameter| &parameter.ident);
    let consts = input.generics.const_params().map(|parameter| &parameter.ident);
    quote! {
        #wire::TypeTag::named(#name)
            #(.with(<#types as #wire::Wire>::TYPE))*
            #(.with_const(#consts as u128))*
    }
}

/// The constants that hold the variants' tags, so that they can be matched.
fn variant_tags(variants: &[Variant<'_>], wire: &TokenStream) -> TokenStream {
    let constants = (0..variants.len()).map(tag_constant);
    let names = variants.iter().map(tag::variant_name);
    quote!(#(const #constants: #wire::VariantTag = #wire::VariantTag::named(#names);)*)
}

fn tag_constant(index: usize) -> Ident {
    format_ident!("__TAG_{index}")
}

/// What a field is bound to in patterns. It cannot be mixed up with the user's names.
fn binding(index: usize) -> Ident {
    format_ident!("field_{index}", span = Span::mixed_site())
}

/// The inside of a pattern that lends every field that travels. Reply ports are left
/// for `..` to cover.
fn lend(fields: &[Field<'_>]) -> TokenStream {
    let parts = travelling(fields).map(|(index, field)| {
        let (member, binding) = (&field.member, binding(index));
        quote!(#member: ref #binding,)
    });
    quote!(#(#parts)* ..)
}

/// The fields that are encoded, with their positions.
fn travelling<'f, 'a>(fields: &'f [Field<'a>]) -> impl Iterator<Item = (usize, &'f Field<'a>)> {
    fields.iter().enumerate().filter(|(_, field)| !field.is_port)
}

/// What fields belong to: a struct or a variant.
struct Owner<'w> {
    wire: &'w TokenStream,
    /// What errors call it.
    name: String,
    /// The tags of the type and of the variant: what a dialect knows it by.
    type_tag: TokenStream,
    variant_tag: TokenStream,
}

impl<'w> Owner<'w> {
    fn of_struct(ident: &Ident, wire: &'w TokenStream) -> Self {
        Self {
            wire,
            name: tag::plain(ident),
            type_tag: quote!(<Self as #wire::Wire>::TYPE),
            variant_tag: quote!(#wire::support::Dialect::STRUCT),
        }
    }

    fn of_variant(
        ident: &Ident,
        index: usize,
        variant: &Variant<'_>,
        which: Trait,
        wire: &'w TokenStream,
    ) -> Self {
        let name = which.name();
        Self {
            wire,
            name: format!("{}::{}", tag::plain(ident), tag::plain(variant.ident)),
            type_tag: quote!(<Self as #wire::#name>::TYPE),
            variant_tag: tag_constant(index).into_token_stream(),
        }
    }
}

/// Statements that encode the lent fields.
fn encode_fields(fields: &[Field<'_>], owner: &Owner<'_>, enc: &Ident) -> TokenStream {
    let Owner { wire, type_tag, variant_tag, .. } = owner;
    let parts = travelling(fields).enumerate().map(|(place, (index, field))| {
        let binding = binding(index);
        let encode = match codec_path(field, wire) {
            None => quote_spanned!(field.ty().span()=> #wire::Wire::encode),
            Some(codec) => quote_spanned!(field.ty().span()=> #codec::encode),
        };
        let encode = quote!(#encode(#binding, #enc)?;);
        match field.attrs.fallback {
            None => encode,
            Some(_) => quote!(if #wire::support::writes(#enc, #type_tag, #variant_tag, #place) { #encode }),
        }
    });
    quote!(#(#parts)*)
}

/// Expressions that decode the fields that travel, with their positions.
fn decode_fields<'f>(
    fields: &'f [Field<'_>],
    owner: &'f Owner<'_>,
    dec: &'f TokenStream,
) -> impl Iterator<Item = (usize, TokenStream)> + 'f {
    travelling(fields)
        .enumerate()
        .map(move |(place, (index, field))| (index, decode_field(field, place, owner, dec)))
}

fn decode_field(field: &Field<'_>, place: usize, owner: &Owner<'_>, dec: &TokenStream) -> TokenStream {
    let Owner { wire, name, type_tag, variant_tag } = owner;
    let called = match &field.member {
        syn::Member::Named(ident) => format!("{name}.{}", tag::plain(ident)),
        syn::Member::Unnamed(index) => format!("{name}.{}", index.index),
    };
    let ty = field.ty();
    let decode = match codec_path(field, wire) {
        None => quote_spanned!(ty.span()=> #wire::support::field::<#ty>(#dec, #called)?),
        Some(codec) => {
            quote_spanned!(ty.span()=> #wire::support::field_with::<#ty>(#dec, #called, #codec::decode)?)
        }
    };
    let fallback = match &field.attrs.fallback {
        None => return decode,
        Some(Fallback::Default) => quote_spanned!(ty.span()=> <#ty as ::core::default::Default>::default()),
        Some(Fallback::Value(value)) => value.to_token_stream(),
    };
    quote!(if #wire::support::reads(#dec, #type_tag, #variant_tag, #place) { #decode } else { #fallback })
}

/// The module that encodes a field which does not encode itself.
fn codec_path(field: &Field<'_>, wire: &TokenStream) -> Option<TokenStream> {
    match &field.attrs.codec {
        Codec::Wire => None,
        Codec::Serde => Some(quote!(#wire::serde)),
        Codec::Prost => Some(quote!(#wire::prost)),
        Codec::With(path) => Some(path.to_token_stream()),
    }
}
