//! What makes an input one that can be expanded. Every check says what to do.

use std::collections::HashMap;

use syn::{GenericArgument, PathArguments, Type, TypeReference};

use crate::ast::{Field, Input, Shape, Variant};
use crate::attr::Codec;
use crate::errors::Errors;
use crate::tag;

/// Checks the input of `#[derive(Wire)]`.
pub(crate) fn wire(input: &Input<'_>, errors: &mut Errors) {
    container(input, errors);
    match &input.shape {
        Shape::Struct(fields) => value_fields(fields, errors),
        Shape::Enum(variants) => {
            distinct_variants(variants, errors);
            for variant in variants {
                if let Some(rpc) = variant.attrs.rpc {
                    errors.add(rpc, "a call is no value: derive `RemoteMessage`, and `Wire` for its parts");
                }
                value_fields(&variant.fields, errors);
            }
        }
        Shape::Union => errors.add(input.ident, "a union has no wire form: make it an enum"),
    }
}

/// Checks the input of `#[derive(RemoteMessage)]`.
pub(crate) fn message(input: &Input<'_>, errors: &mut Errors) {
    container(input, errors);
    match &input.shape {
        Shape::Enum(variants) => {
            distinct_variants(variants, errors);
            for variant in variants {
                reply_ports(variant, errors);
                defaults_last(&variant.fields, errors);
                variant.fields.iter().for_each(|field| owned(field, errors));
            }
        }
        Shape::Struct(_) | Shape::Union => errors.add(
            input.ident,
            "a remote message is an enum with a variant for each thing the actor can be asked; \
             derive `Wire` for a plain value",
        ),
    }
}

fn container(input: &Input<'_>, errors: &mut Errors) {
    if tag::type_name(input).is_none() {
        errors.add(input.ident, "there is no CARGO_PKG_NAME: name the type with `#[wire(name = \"...\")]`");
    }
    for lifetime in input.generics.lifetimes() {
        errors.add(lifetime, "a type that is sent owns what it holds: it cannot have a lifetime");
    }
}

fn value_fields(fields: &[Field<'_>], errors: &mut Errors) {
    defaults_last(fields, errors);
    for field in fields {
        owned(field, errors);
        if field.is_port {
            errors.add(field.ty(), "a `ReplyPort` stands in an `#[rpc]` variant of a `RemoteMessage` only");
        }
    }
}

/// A call has one port and a cast has none.
fn reply_ports(variant: &Variant<'_>, errors: &mut Errors) {
    let mut ports = variant.ports();
    match (variant.attrs.rpc, ports.next()) {
        (Some(_), None) => {
            errors.add(variant.ident, "an `#[rpc]` variant holds one `ReplyPort<T>`: add it, as any field");
        }
        (None, Some(port)) => {
            errors.add(port.ty(), "a variant with a `ReplyPort` is a call: mark the variant `#[rpc]`");
        }
        (Some(_), Some(port)) if !port.attrs.is_empty() => {
            errors.add(port.ty(), "a `ReplyPort` is not encoded: it takes no `#[wire(...)]`");
        }
        _ => {}
    }
    for second in ports {
        errors.add(second.ty(), "a call has one answer: this is a second `ReplyPort`");
    }
}

/// Fields are known by their places, so only the last ones can be left out.
fn defaults_last(fields: &[Field<'_>], errors: &mut Errors) {
    let travelling = fields.iter().filter(|field| !field.is_port);
    let behind = travelling.skip_while(|field| field.attrs.fallback.is_none());
    for field in behind.filter(|field| field.attrs.fallback.is_none()) {
        let message = "this stands behind a field with `#[wire(default)]`: give it a default as well, \
                       or move the other behind it if it was never sent";
        errors.add(&field.member, message);
    }
}

/// Variants are told apart by the hashes of their names.
fn distinct_variants(variants: &[Variant<'_>], errors: &mut Errors) {
    let mut seen = HashMap::new();
    for variant in variants {
        if let Some(first) = seen.insert(tag::hash(&tag::variant_name(variant)), variant.ident) {
            let message = format!(
                "this variant has the same id on the wire as `{first}`: \
                 give one of them another `#[wire(name = \"...\")]`"
            );
            match &variant.attrs.name {
                Some(name) => errors.add(name, message),
                None => errors.add(variant.ident, message),
            }
        }
    }
}

/// Nothing that is decoded can borrow. A foreign codec may see to it itself.
fn owned(field: &Field<'_>, errors: &mut Errors) {
    if !matches!(field.attrs.codec, Codec::Wire) {
        return;
    }
    if let Some(reference) = first_reference(field.ty()) {
        errors.add(reference, "what is sent owns its parts: use `String`, `Bytes`, `Vec` or `Box` here");
    }
}

fn first_reference(ty: &Type) -> Option<&TypeReference> {
    match ty {
        Type::Reference(reference) => Some(reference),
        Type::Array(array) => first_reference(&array.elem),
        Type::Slice(slice) => first_reference(&slice.elem),
        Type::Group(group) => first_reference(&group.elem),
        Type::Paren(paren) => first_reference(&paren.elem),
        Type::Tuple(tuple) => tuple.elems.iter().find_map(first_reference),
        Type::Path(path) => {
            path.path.segments.iter().find_map(|segment| first_in_arguments(&segment.arguments))
        }
        _ => None,
    }
}

fn first_in_arguments(arguments: &PathArguments) -> Option<&TypeReference> {
    match arguments {
        PathArguments::AngleBracketed(arguments) => {
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => first_reference(ty),
                _ => None,
            })
        }
        _ => None,
    }
}
