//! The input as the derives see it: syn's tree with our attributes read.

use syn::{Data, DeriveInput, Field as SynField, Fields, Generics, Ident, Member, PathSegment, Type};

use crate::attr::{ContainerAttrs, FieldAttrs, VariantAttrs};
use crate::errors::Errors;

/// The type that stands under a derive.
pub(crate) struct Input<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) generics: &'a Generics,
    pub(crate) attrs: ContainerAttrs,
    pub(crate) shape: Shape<'a>,
}

/// What the type is.
pub(crate) enum Shape<'a> {
    Struct(Vec<Field<'a>>),
    Enum(Vec<Variant<'a>>),
    Union,
}

/// A variant of an enum.
pub(crate) struct Variant<'a> {
    pub(crate) ident: &'a Ident,
    pub(crate) attrs: VariantAttrs<'a>,
    pub(crate) fields: Vec<Field<'a>>,
}

/// A field of a struct or of a variant.
pub(crate) struct Field<'a> {
    pub(crate) syn: &'a SynField,
    pub(crate) member: Member,
    pub(crate) attrs: FieldAttrs,
    /// Whether it is the `ReplyPort<T>` of a call.
    pub(crate) is_port: bool,
}

impl<'a> Input<'a> {
    /// Reads the type and its attributes.
    pub(crate) fn read(input: &'a DeriveInput, errors: &mut Errors) -> Self {
        let attrs = ContainerAttrs::read(&input.attrs, errors);
        let shape = match &input.data {
            Data::Struct(data) => Shape::Struct(read_fields(&data.fields, errors)),
            Data::Enum(data) => {
                Shape::Enum(data.variants.iter().map(|variant| Variant::read(variant, errors)).collect())
            }
            Data::Union(_) => Shape::Union,
        };
        Self { ident: &input.ident, generics: &input.generics, attrs, shape }
    }
}

impl<'a> Variant<'a> {
    fn read(variant: &'a syn::Variant, errors: &mut Errors) -> Self {
        Self {
            ident: &variant.ident,
            attrs: VariantAttrs::read(&variant.attrs, errors),
            fields: read_fields(&variant.fields, errors),
        }
    }

    /// The reply ports among the fields.
    pub(crate) fn ports(&self) -> impl Iterator<Item = &Field<'a>> {
        self.fields.iter().filter(|field| field.is_port)
    }
}

impl Field<'_> {
    pub(crate) fn ty(&self) -> &Type {
        &self.syn.ty
    }
}

fn read_fields<'a>(fields: &'a Fields, errors: &mut Errors) -> Vec<Field<'a>> {
    fields
        .iter()
        .zip(fields.members())
        .map(|(syn, member)| {
            let attrs = FieldAttrs::read(&syn.attrs, errors);
            Field { syn, member, attrs, is_port: is_reply_port(&syn.ty) }
        })
        .collect()
}

/// A derive sees tokens, not types, so a port is known by its last word.
fn is_reply_port(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|segment| segment.ident == "ReplyPort")
}

fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}
