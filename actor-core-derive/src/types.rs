//! Questions about types, asked of their tokens: does it borrow, has it a size, whom
//! does it mention.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{
    AngleBracketedGenericArguments, GenericArgument, Generics, Ident, PathArguments, PathSegment, Type,
    parse_quote,
};

use crate::errors::Errors;

/// Where a type stands, for the words of an error.
#[derive(Clone, Copy)]
pub(crate) enum Place {
    Argument,
    Reply,
}

/// Reports what keeps a type from being sent: it borrows, has no size, or no name.
pub(crate) fn sendable(ty: &Type, place: Place, errors: &mut Errors) {
    match unsized_kind(ty) {
        Some(kind) => {
            let advice = match place {
                Place::Argument => "an argument is moved into the message and has a size: box it",
                Place::Reply => "a reply is moved to the caller and has a size: box it",
            };
            errors.add(ty, format!("{advice} ({kind})"));
        }
        None => owned(ty, place, errors),
    }
}

fn unsized_kind(ty: &Type) -> Option<&'static str> {
    match ty {
        Type::Slice(_) => Some("a slice is a `Vec<T>` or a `Box<[T]>`"),
        Type::TraitObject(_) => Some("a trait object is a `Box<dyn Trait + Send>`"),
        Type::Path(path) if path.path.is_ident("str") => Some("text is a `String`"),
        Type::Group(group) => unsized_kind(&group.elem),
        Type::Paren(paren) => unsized_kind(&paren.elem),
        _ => None,
    }
}

fn owned(ty: &Type, place: Place, errors: &mut Errors) {
    match ty {
        Type::Reference(reference) => {
            let is_static = reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static");
            if !is_static {
                errors.add(ty, match place {
                    Place::Argument => {
                        "a message owns its arguments, since it outlives the method that sends it: take a \
                         `String`, `Vec`, `Arc` or the value itself"
                    }
                    Place::Reply => {
                        "a reply leaves the actor and cannot borrow from it: return a `String`, `Vec`, `Arc` \
                         or the value itself"
                    }
                });
            }
        }
        Type::ImplTrait(_) => errors.add(ty, match place {
            Place::Argument => {
                "a message's fields have types that can be named: take a concrete type, a parameter of the \
                 impl, or a `Box<dyn Trait + Send>`"
            }
            Place::Reply => {
                "a reply has a type that can be named: return a concrete type or a `Box<dyn Trait + Send>`; an \
                 `async fn` need not say `impl Future`"
            }
        }),
        Type::Infer(_) | Type::Macro(_) => errors.add(ty, "write the type out: it becomes that of a field"),
        Type::Ptr(_) => errors.add(ty, "a pointer cannot be sent: take the value itself"),
        Type::Array(array) => owned(&array.elem, place, errors),
        Type::Slice(slice) => owned(&slice.elem, place, errors),
        Type::Group(group) => owned(&group.elem, place, errors),
        Type::Paren(paren) => owned(&paren.elem, place, errors),
        Type::Tuple(tuple) => tuple.elems.iter().for_each(|elem| owned(elem, place, errors)),
        Type::Path(path) => {
            for segment in &path.path.segments {
                owned_arguments(segment, place, errors);
            }
        }
        // What a function or an object takes is its own business.
        _ => {}
    }
}

fn owned_arguments(segment: &PathSegment, place: Place, errors: &mut Errors) {
    let PathArguments::AngleBracketed(AngleBracketedGenericArguments { args, .. }) = &segment.arguments
    else {
        return;
    };
    for argument in args {
        match argument {
            GenericArgument::Type(ty) => owned(ty, place, errors),
            GenericArgument::Lifetime(lifetime) if lifetime.ident != "static" => errors
                .add(lifetime, "a message and its reply borrow nothing: use an owned form, or `'static`"),
            _ => {}
        }
    }
}

/// What a reference refers to; any other type as it is.
pub(crate) fn lent(ty: &Type) -> &Type {
    match ty {
        Type::Reference(reference) => &reference.elem,
        other => other,
    }
}

/// The last word of a type's path.
pub(crate) fn last_segment(ty: &Type) -> Option<&PathSegment> {
    match ty {
        Type::Path(path) => path.path.segments.last(),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

/// Whether a type's last word has a lifetime that ends, or a parameter of that name.
pub(crate) fn lends_or_names(segment: &PathSegment, name: &Ident) -> bool {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return false };
    arguments.args.iter().any(|argument| match argument {
        GenericArgument::Lifetime(lifetime) => lifetime.ident != "static",
        GenericArgument::Type(ty) => last_segment(ty).is_some_and(|segment| segment.ident == *name),
        _ => false,
    })
}

/// The `T` of a `ReplyPort<T>`. A macro sees tokens, so a port is known by its name.
pub(crate) fn reply_port(ty: &Type) -> Option<Type> {
    let segment = last_segment(ty).filter(|segment| segment.ident == "ReplyPort")?;
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => {
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty.clone()),
                _ => None,
            })
        }
        _ => None,
    }
}

/// Whether it is `()`.
pub(crate) fn is_unit(ty: &Type) -> bool {
    match ty {
        Type::Tuple(tuple) => tuple.elems.is_empty(),
        Type::Group(group) => is_unit(&group.elem),
        Type::Paren(paren) => is_unit(&paren.elem),
        _ => false,
    }
}

/// Whether it is a `Result<(), E>` as far as its words say: `Result`, `Result<()>` and
/// `Result<(), E>` of any path.
pub(crate) fn is_unit_result(ty: &Type) -> bool {
    let Some(segment) = last_segment(ty).filter(|segment| segment.ident == "Result") else { return false };
    match &segment.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .first()
            .is_none_or(|argument| matches!(argument, GenericArgument::Type(ty) if is_unit(ty))),
        _ => true,
    }
}

/// The type with the struct's own in the place of `Self`, which means something else
/// where the type is copied to.
pub(crate) fn without_self(ty: &Type, own: &Type) -> Type {
    let tokens = replace(ty.to_token_stream(), own);
    // Replacing a type by a type leaves a type.
    syn::parse2(tokens).unwrap_or_else(|_| ty.clone())
}

fn replace(tokens: TokenStream, own: &Type) -> TokenStream {
    let mut replaced = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(ident) if ident == "Self" => {
                let is_prefix =
                    matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == ':');
                replaced.extend(if is_prefix { quote!(<#own>) } else { own.to_token_stream() });
            }
            TokenTree::Group(group) => {
                let mut inside = Group::new(group.delimiter(), replace(group.stream(), own));
                inside.set_span(group.span());
                replaced.extend([TokenTree::Group(inside)]);
            }
            other => replaced.extend([other]),
        }
    }
    replaced
}

/// The parameters of an impl that some types need: those they mention, and those that
/// the bounds of these mention.
pub(crate) struct Needed {
    /// With their bounds.
    pub(crate) generics: Generics,
    /// The type parameters that only bounds mention, or a type that may not be there, for a
    /// `PhantomData`.
    pub(crate) unmentioned: Vec<Type>,
}

impl Needed {
    /// Each type comes with whether it is always there.
    pub(crate) fn by<'t>(generics: &Generics, types: impl IntoIterator<Item = (&'t Type, bool)>) -> Self {
        let (mut words, mut own) = (Vec::new(), Vec::new());
        for (ty, is_always_there) in types {
            idents(ty.to_token_stream(), &mut words);
            if is_always_there {
                idents(ty.to_token_stream(), &mut own);
            }
        }
        let is_mentioned = |words: &[String], name: &str| words.iter().any(|word| word == name);
        loop {
            let before = words.len();
            for param in &generics.params {
                let name = name_of(param);
                let text = param.to_token_stream();
                if is_mentioned(&words, &name) {
                    let mut bounds = Vec::new();
                    idents(text, &mut bounds);
                    bounds.retain(|word| !is_mentioned(&words, word));
                    words.extend(bounds);
                }
            }
            if words.len() == before {
                break;
            }
        }
        let mut needed = generics.clone();
        needed.params =
            generics.params.iter().filter(|param| is_mentioned(&words, &name_of(param))).cloned().collect();
        let names: Vec<String> = generics.params.iter().map(name_of).collect();
        if let Some(clause) = &mut needed.where_clause {
            let applies = |predicate: &syn::WherePredicate| {
                let mut mentioned = Vec::new();
                idents(predicate.to_token_stream(), &mut mentioned);
                mentioned.iter().all(|word| !names.contains(word) || is_mentioned(&words, word))
            };
            clause.predicates = clause.predicates.iter().filter(|each| applies(each)).cloned().collect();
        }
        let unmentioned = needed
            .type_params()
            .filter(|param| !is_mentioned(&own, &param.ident.to_string()))
            .map(|param| {
                let ident = &param.ident;
                parse_quote!(#ident)
            })
            .collect();
        Self { generics: needed, unmentioned }
    }
}

/// The type parameters that nothing at all is known of.
pub(crate) fn unbounded(generics: &Generics) -> Vec<&syn::TypeParam> {
    let mut words = Vec::new();
    idents(generics.where_clause.to_token_stream(), &mut words);
    let is_unbounded =
        |param: &&syn::TypeParam| param.bounds.is_empty() && words.iter().all(|word| param.ident != word);
    generics.type_params().filter(is_unbounded).collect()
}

fn name_of(param: &syn::GenericParam) -> String {
    match param {
        syn::GenericParam::Type(param) => param.ident.to_string(),
        syn::GenericParam::Const(param) => param.ident.to_string(),
        syn::GenericParam::Lifetime(param) => param.lifetime.ident.to_string(),
    }
}

fn idents(tokens: TokenStream, words: &mut Vec<String>) {
    for token in tokens {
        match token {
            TokenTree::Ident(ident) => words.push(ident.to_string()),
            TokenTree::Group(group) => idents(group.stream(), words),
            _ => {}
        }
    }
}
