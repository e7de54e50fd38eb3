//! `CounterCommand`, `CounterReply`, `CounterError`: enums that are stored by the names of their variants.

use proc_macro2::{Span, TokenStream};
use quote::{format_ident, quote};
use syn::{Attribute, Ident, Type};

use super::{Names, doc};

/// One of the enums.
struct Variant<'s> {
    cfgs: &'s [Attribute],
    ident: &'s Ident,
    docs: String,
    /// The names by which it is read; it is written by the first.
    names: &'s [String],
    fields: Vec<&'s Type>,
}

/// `CounterCommand`, `CounterReply`, `CounterError`
pub(super) fn expand(names: &Names<'_>) -> TokenStream {
    let Names { surface, reference, engine, .. } = names;
    let commands = surface.commands.iter().map(|command| Variant {
        cfgs: &command.cfgs,
        ident: &command.variant,
        docs: format!("See [`{reference}::{}`].", command.method),
        names: &command.command_names,
        fields: command.fields.iter().map(|field| &field.ty).collect(),
    });
    let replies = surface.commands.iter().map(|command| Variant {
        cfgs: &command.cfgs,
        ident: &command.variant,
        docs: format!("Of [`{reference}::{}`].", command.method),
        names: &command.reply_names,
        fields: vec![&command.reply],
    });
    let errors = surface.commands.iter().filter_map(|command| {
        Some(Variant {
            cfgs: &command.cfgs,
            ident: &command.variant,
            docs: format!("Of [`{reference}::{}`].", command.method),
            names: &command.error_names,
            fields: vec![command.error.as_ref()?],
        })
    });
    let derives = surface.options.derives.as_ref().map(|derives| quote!(#[derive(#(#derives),*)]));
    let headline = format!("What a [`{engine}`] is asked: a variant for each method of [`{reference}`].");
    let commands = stored(names, &names.command, &headline, derives, &commands.collect::<Vec<_>>());
    let headline = format!("What a [`{engine}`] answers.");
    let replies = stored(names, &names.reply, &headline, None, &replies.collect::<Vec<_>>());
    let errors = names.error.as_ref().map(|ident| {
        let headline = format!("Why a [`{engine}`] refuses.");
        let errors: Vec<_> = errors.collect();
        let (enum_, display) = (stored(names, ident, &headline, None, &errors), display(ident, &errors));
        quote!(#enum_ #display)
    });
    quote!(#commands #replies #errors)
}

/// An enum that is stored by the names of its variants.
fn stored(
    names: &Names<'_>,
    ident: &Ident,
    headline: &str,
    derives: Option<TokenStream>,
    variants: &[Variant<'_>],
) -> TokenStream {
    let Names { hidden, surface, .. } = names;
    let (vis, headline) = (&surface.vis, doc(headline));
    let declared = variants.iter().map(|Variant { cfgs, ident, docs, fields, .. }| {
        let docs = doc(docs);
        quote!(#(#cfgs)* #docs #ident(#(#fields),*))
    });
    let named = variants.iter().map(|Variant { cfgs, ident, names, .. }| {
        let name = &names[0];
        quote!(#(#cfgs)* Self::#ident(..) => #name)
    });
    let written = variants.iter().map(|Variant { cfgs, ident, fields, .. }| {
        let locals = locals(fields.len());
        quote!(#(#cfgs)* Self::#ident(#(ref #locals),*) => to.write(&(#(#locals,)*)))
    });
    let read = variants.iter().map(|Variant { cfgs, ident, names, fields, .. }| {
        let locals = locals(fields.len());
        quote! {
            #(#cfgs)*
            #(#names)|* => from.read::<(#(#fields,)*)>().map(|(#(#locals,)*)| Self::#ident(#(#locals),*))
        }
    });
    quote! {
        #headline
        #derives
        #[allow(dead_code, private_interfaces)]
        #vis enum #ident {
            #(#declared,)*
        }

        #[automatically_derived]
        impl #hidden::Named for #ident {
            fn name(&self) -> &'static str {
                match *self { #(#named,)* }
            }

            fn write<W__: #hidden::Write>(&self, to: W__) -> ::core::result::Result<W__::Ok, W__::Error> {
                let _ = &to;
                match *self { #(#written,)* }
            }

            #[allow(unused_variables)]
            fn read<R__: #hidden::Read>(
                name: &str,
                from: R__,
            ) -> ::core::option::Option<::core::result::Result<Self, R__::Error>> {
                ::core::option::Option::Some(match name {
                    #(#read,)*
                    _ => return ::core::option::Option::None,
                })
            }
        }

        #[automatically_derived]
        impl #hidden::serde::Serialize for #ident {
            fn serialize<S__: #hidden::serde::Serializer>(
                &self,
                serializer: S__,
            ) -> ::core::result::Result<S__::Ok, S__::Error> {
                #hidden::serialize(self, serializer)
            }
        }

        #[automatically_derived]
        impl<'de__> #hidden::serde::Deserialize<'de__> for #ident {
            fn deserialize<D__: #hidden::serde::Deserializer<'de__>>(
                deserializer: D__,
            ) -> ::core::result::Result<Self, D__::Error> {
                #hidden::deserialize(deserializer)
            }
        }
    }
}

/// The error says what the method's own error says.
fn display(ident: &Ident, variants: &[Variant<'_>]) -> TokenStream {
    let arms = variants.iter().map(|Variant { cfgs, ident, .. }| {
        quote!(#(#cfgs)* Self::#ident(ref error) => ::core::fmt::Display::fmt(error, f))
    });
    quote! {
        #[automatically_derived]
        impl ::core::fmt::Display for #ident {
            #[allow(unused_variables)]
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                match *self { #(#arms,)* }
            }
        }
    }
}

/// Names for so many values.
fn locals(count: usize) -> Vec<Ident> {
    (0..count).map(|index| format_ident!("value_{index}", span = Span::mixed_site())).collect()
}
