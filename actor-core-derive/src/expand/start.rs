//! What an actor starts from, the arguments of its `#[init]` or the struct itself, and what
//! starts it: `Counter::spawn` and `Counter::actor`.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{GenericParam, Ident};

use super::engine::function;
use super::{Names, awaited, doc};
use crate::ast::{Field, Init, Surface};

/// What the actor starts from: the arguments of `#[init]`, or the struct itself.
pub(super) fn start_arguments(surface: &Surface, names: &Names<'_>) -> TokenStream {
    let (krate, own) = (&names.krate, names.own);
    match &surface.hooks.init {
        Some(init) => {
            let types = init.fields.iter().map(|field| &field.ty);
            quote!((#(#types,)*))
        }
        None if surface.options.is_local => quote!(#krate::macro_support::Build<#own>),
        None => quote!(#own),
    }
}

pub(super) fn pre_start(surface: &Surface, names: &Names<'_>) -> TokenStream {
    let Names { krate, given, own, .. } = names;
    let message = names.message_type();
    let arguments = start_arguments(surface, names);
    let myself = names.myself_for(surface.hooks.init.as_ref().map_or(&[], |init| &init.call));
    let (pattern, body) = match &surface.hooks.init {
        Some(init) => build(init, names),
        None => {
            let state = if surface.options.is_local { quote!(#given()) } else { quote!(#given) };
            (quote!(#given), quote!(::core::result::Result::Ok(#state)))
        }
    };
    let parameters = quote!(#myself: &#krate::ActorRef<#message>, #pattern: #arguments);
    function("pre_start", &parameters, &quote!(#own), &body, names)
}

fn build(init: &Init, names: &Names<'_>) -> (TokenStream, TokenStream) {
    let (krate, own) = (&names.krate, names.own);
    let Init { method, fields, call, output, is_async, .. } = init;
    let idents = fields.iter().map(|field| &field.ident);
    let (arguments, await_) = (names.arguments(call), awaited(*is_async));
    let built = quote!(<#own>::#method(#arguments)#await_);
    let built = names.with_context(call, &quote!(::core::option::Option::None), built);
    // The block has the place of the type that the user wrote: if that is no outcome, the
    // error is there.
    let built = quote_spanned!(output.span()=> { #built });
    let into = quote!(#krate::macro_support::InitOutcome::<#own>::into_state);
    (quote!((#(#idents,)*)), quote!(#into(#built)))
}

/// `Counter::spawn`
pub(super) fn spawn(surface: &Surface, names: &Names<'_>, made: &TokenStream) -> TokenStream {
    let Names { krate, given, own, .. } = names;
    let (vis, reference) = (&surface.vis, names.reference_type());
    let spawner = format_ident!("spawner", span = given.span());
    let mut docs = vec![doc("Starts the actor. Refine the spawn, then await it for the reference.")];
    let mut parameters = Vec::new();
    let (arguments, starts_from): (Vec<TokenStream>, TokenStream) = match &surface.hooks.init {
        Some(Init { fields, docs: own_docs, .. }) => {
            if !own_docs.is_empty() {
                docs.push(doc(""));
                docs.extend(own_docs.iter().map(|each| quote!(#each)));
            }
            let arguments = fields.iter().map(|Field { ident, ty, .. }| quote!(#ident: #ty));
            let idents = fields.iter().map(|field| &field.ident);
            (arguments.collect(), quote!((#(#idents,)*)))
        }
        None if surface.hooks.broken_init.is_some() => return broken_spawn(surface, names, made),
        None if surface.options.is_local => {
            docs.push(doc(""));
            docs.push(doc("The struct is built on the spawner's thread, which it never leaves."));
            // Named, as what the result captures must be.
            parameters.push(format_ident!("F__"));
            (
                vec![quote!(#given: F__)],
                quote!(::std::boxed::Box::new(#given) as #krate::macro_support::Build<#own>),
            )
        }
        None => (vec![quote!(self)], quote!(self)),
    };
    let start = quote!(impl #krate::Start<Ref = #reference, Future: ::core::marker::Send>);
    if surface.options.is_local {
        let captured = captured(&parameters, names);
        quote! {
            #(#docs)*
            #vis fn spawn<#(#parameters: FnOnce() -> #own + ::core::marker::Send + 'static)*>(
                #spawner: &#krate::LocalSpawner,
                #(#arguments),*
            ) -> #krate::LocalSpawning<#start + #captured> {
                #krate::macro_support::local_spawning(#spawner, || #made, #starts_from)
            }
        }
    } else {
        quote! {
            #(#docs)*
            #vis fn spawn(#(#arguments),*) -> #krate::Spawning<#start> {
                #krate::macro_support::spawning(#made, #starts_from)
            }
        }
    }
}

/// `use<T, F__>`: the result keeps all types and borrows nothing, not even the spawner, which
/// it would in edition 2024.
fn captured(parameters: &[Ident], names: &Names<'_>) -> TokenStream {
    let own = names.surface.item.generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => Some(&param.ident),
        GenericParam::Const(param) => Some(&param.ident),
        GenericParam::Lifetime(_) => None,
    });
    let all = own.chain(parameters);
    quote!(use<#(#all),*>)
}

/// What stands for `Counter::spawn` while its `#[init]` has a mistake in it.
fn broken_spawn(surface: &Surface, names: &Names<'_>, made: &TokenStream) -> TokenStream {
    let Names { krate, .. } = names;
    let (vis, reference) = (&surface.vis, names.reference_type());
    let place = surface.options.is_local.then(|| quote!(spawner: &#krate::LocalSpawner,));
    let types: Vec<_> =
        (0..surface.hooks.broken_init.unwrap_or_default()).map(|index| format_ident!("A{index}__")).collect();
    let captured = captured(&types, names);
    let start = quote!(impl #krate::Start<Ref = #reference, Future: ::core::marker::Send> + #captured);
    let (kind, begin) = if surface.options.is_local {
        (quote!(LocalSpawning), quote!(local_spawning(spawner, || #made, ::core::unreachable!())))
    } else {
        (quote!(Spawning), quote!(spawning(#made, ::core::unreachable!())))
    };
    quote! {
        #[allow(unreachable_code, unused_variables)]
        #vis fn spawn<#(#types),*>(#place #(_: #types),*) -> #krate::#kind<#start> {
            #krate::macro_support::#begin
        }
    }
}
