//! The attributes `#[wire(...)]` and `#[rpc]`, as written. What they mean together
//! is `valid.rs`'s business.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, LitStr, Meta, Path, Token};

use crate::errors::Errors;

/// What stands on a type.
#[derive(Default)]
pub(crate) struct ContainerAttrs {
    /// `#[wire(name = "...")]`
    pub(crate) name: Option<LitStr>,
    /// `#[wire(crate = "...")]`
    pub(crate) krate: Option<Path>,
    /// `#[wire(bulk)]`
    pub(crate) bulk: Option<Path>,
    /// `#[wire(urgent)]`
    pub(crate) urgent: Option<Path>,
}

impl ContainerAttrs {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let mut read = Self::default();
        refuse_rpc(attrs, "`#[rpc]` stands on a variant, not on the type", errors);
        each_wire(attrs, errors, |meta| {
            if meta.path.is_ident("name") {
                set_once(&mut read.name, &meta, name)
            } else if meta.path.is_ident("crate") {
                set_once(&mut read.krate, &meta, path)
            } else if meta.path.is_ident("bulk") {
                set_once(&mut read.bulk, &meta, |meta| Ok(meta.path.clone()))
            } else if meta.path.is_ident("urgent") {
                set_once(&mut read.urgent, &meta, |meta| Ok(meta.path.clone()))
            } else {
                Err(meta.error("a type knows `name = \"...\"`, `urgent`, `bulk` and `crate = \"...\"`"))
            }
        });
        if let (Some(_), Some(bulk)) = (&read.urgent, &read.bulk) {
            errors.add(bulk, "a type is `urgent` or `bulk`, not both");
        }
        read
    }
}

/// What stands on a variant.
#[derive(Default)]
pub(crate) struct VariantAttrs<'a> {
    /// `#[wire(name = "...")]`
    pub(crate) name: Option<LitStr>,
    /// `#[rpc]`
    pub(crate) rpc: Option<&'a Attribute>,
}

impl<'a> VariantAttrs<'a> {
    pub(crate) fn read(attrs: &'a [Attribute], errors: &mut Errors) -> Self {
        let mut read = Self::default();
        for attr in attrs.iter().filter(|attr| attr.path().is_ident("rpc")) {
            if !matches!(attr.meta, Meta::Path(_)) {
                errors.add(attr, "`#[rpc]` takes no arguments: what it answers is in its `ReplyPort<T>`");
            }
            if read.rpc.replace(attr).is_some() {
                errors.add(attr, "`#[rpc]` is here twice");
            }
        }
        each_wire(attrs, errors, |meta| {
            if meta.path.is_ident("name") {
                set_once(&mut read.name, &meta, name)
            } else {
                Err(meta.error("a variant knows `name = \"...\"`"))
            }
        });
        read
    }
}

/// How a field is encoded.
#[derive(Default)]
pub(crate) enum Codec {
    /// As its type's `Wire` says.
    #[default]
    Wire,
    /// `#[wire(serde)]`
    Serde,
    /// `#[wire(prost)]`
    Prost,
    /// `#[wire(with = "...")]`
    With(Path),
}

/// What a field is where the peer does not know it.
pub(crate) enum Fallback {
    /// `#[wire(default)]`: its type's own.
    Default,
    /// `#[wire(default = ...)]`
    Value(Box<Expr>),
}

/// What stands on a field: one codec at most.
#[derive(Default)]
pub(crate) struct FieldAttrs {
    pub(crate) codec: Codec,
    /// `#[wire(name = "...")]`
    pub(crate) name: Option<LitStr>,
    /// `#[wire(default)]`, `#[wire(default = ...)]`
    pub(crate) fallback: Option<Fallback>,
}

impl FieldAttrs {
    pub(crate) fn read(attrs: &[Attribute], errors: &mut Errors) -> Self {
        let (mut codec, mut name_read, mut fallback) = (None, None, None);
        refuse_rpc(attrs, "`#[rpc]` stands on a variant, not on its `ReplyPort`", errors);
        each_wire(attrs, errors, |meta| {
            if meta.path.is_ident("serde") {
                set_once(&mut codec, &meta, |_| Ok(Codec::Serde))
            } else if meta.path.is_ident("prost") {
                set_once(&mut codec, &meta, |_| Ok(Codec::Prost))
            } else if meta.path.is_ident("with") {
                set_once(&mut codec, &meta, |meta| path(meta).map(Codec::With))
            } else if meta.path.is_ident("name") {
                set_once(&mut name_read, &meta, name)
            } else if meta.path.is_ident("default") {
                set_once(&mut fallback, &meta, default)
            } else {
                Err(meta.error(
                    "a field knows `serde`, `prost`, `with = \"module\"`, `name = \"...\"` and `default`",
                ))
            }
        });
        Self { codec: codec.unwrap_or_default(), name: name_read, fallback }
    }

    /// Whether nothing is said.
    pub(crate) fn is_empty(&self) -> bool {
        matches!(self.codec, Codec::Wire) && self.name.is_none() && self.fallback.is_none()
    }
}

fn each_wire(
    attrs: &[Attribute],
    errors: &mut Errors,
    mut read: impl FnMut(ParseNestedMeta<'_>) -> syn::Result<()>,
) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("wire")) {
        errors.absorb(attr.parse_nested_meta(&mut read));
    }
}

fn refuse_rpc(attrs: &[Attribute], why: &str, errors: &mut Errors) {
    for attr in attrs.iter().filter(|attr| attr.path().is_ident("rpc")) {
        errors.add(attr, why);
    }
}

fn set_once<T>(
    slot: &mut Option<T>,
    meta: &ParseNestedMeta<'_>,
    read: impl FnOnce(&ParseNestedMeta<'_>) -> syn::Result<T>,
) -> syn::Result<()> {
    let value = read(meta)?;
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(meta.error("only one of these can hold")),
    }
}

fn name(meta: &ParseNestedMeta<'_>) -> syn::Result<LitStr> {
    let name: LitStr = meta.value()?.parse()?;
    if name.value().is_empty() {
        return Err(syn::Error::new_spanned(&name, "a name cannot be empty"));
    }
    Ok(name)
}

fn default(meta: &ParseNestedMeta<'_>) -> syn::Result<Fallback> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse().map(|value| Fallback::Value(Box::new(value)))
    } else {
        Ok(Fallback::Default)
    }
}

fn path(meta: &ParseNestedMeta<'_>) -> syn::Result<Path> {
    let text: LitStr = meta.value()?.parse()?;
    text.parse_with(Path::parse_mod_style)
        .map_err(|_| syn::Error::new_spanned(&text, "this is no path such as `module::codec`"))
}
