//! The attributes `#[wire(...)]` and `#[rpc]`, as written. What they mean together
//! is `valid.rs`'s business.

use syn::meta::ParseNestedMeta;
use syn::{Attribute, LitStr, Meta, Path};

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
            } else {
                Err(meta.error("a type knows `name = \"...\"`, `bulk` and `crate = \"...\"`"))
            }
        });
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

/// What stands on a field: at most one codec.
pub(crate) fn codec(attrs: &[Attribute], errors: &mut Errors) -> Codec {
    let mut codec = None;
    refuse_rpc(attrs, "`#[rpc]` stands on a variant, not on its `ReplyPort`", errors);
    each_wire(attrs, errors, |meta| {
        if meta.path.is_ident("serde") {
            set_once(&mut codec, &meta, |_| Ok(Codec::Serde))
        } else if meta.path.is_ident("prost") {
            set_once(&mut codec, &meta, |_| Ok(Codec::Prost))
        } else if meta.path.is_ident("with") {
            set_once(&mut codec, &meta, |meta| path(meta).map(Codec::With))
        } else {
            Err(meta.error("a field knows `serde`, `prost` and `with = \"module\"`"))
        }
    });
    codec.unwrap_or_default()
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

fn path(meta: &ParseNestedMeta<'_>) -> syn::Result<Path> {
    let text: LitStr = meta.value()?.parse()?;
    text.parse_with(Path::parse_mod_style)
        .map_err(|_| syn::Error::new_spanned(&text, "this is no path such as `module::codec`"))
}
