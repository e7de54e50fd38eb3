//! What an actor starts from, the arguments of its `#[init]` or the struct itself, and what
//! starts it: `Counter::spawn`, and `Counter::child` for a supervisor.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, GenericParam, Ident};

use super::engine::function;
use super::{Names, awaited, doc};
use crate::ast::{Field, Init, Surface};

/// A way to start the actor, and the condition under which it is the one.
pub(super) struct Way<'s> {
    /// `#[cfg(..)]`, if there is a condition.
    pub(super) cfgs: TokenStream,
    /// Without it: from the struct itself.
    init: Option<&'s Init>,
}

/// All ways to start the actor. The compiler sees one of them.
pub(super) fn ways(surface: &Surface) -> Vec<Way<'_>> {
    let is_broken = surface.hooks.broken_init.is_some();
    let inits = if is_broken { &[] } else { &surface.hooks.init[..] };
    let mut ways: Vec<_> = inits.iter().map(|init| Way { cfgs: all(&init.cfgs), init: Some(init) }).collect();
    if inits.iter().all(|init| !init.cfgs.is_empty()) {
        let cfgs = none_of(inits.iter().map(|init| &init.cfgs[..]));
        ways.push(Way { cfgs, init: None });
    }
    ways
}

fn all(cfgs: &[Attribute]) -> TokenStream {
    quote!(#(#cfgs)*)
}

/// The condition under which all of these are absent; none if there are none.
pub(super) fn none_of<'a>(all: impl ExactSizeIterator<Item = &'a [Attribute]>) -> TokenStream {
    if all.len() == 0 {
        return TokenStream::new();
    }
    let conditions = all.map(|cfgs| {
        let conditions = cfgs.iter().filter_map(|cfg| Some(&cfg.meta.require_list().ok()?.tokens));
        quote!(all(#(#conditions),*))
    });
    quote!(#[cfg(not(any(#(#conditions),*)))])
}

/// What the actor starts from: the arguments of `#[init]`, or the struct itself.
pub(super) fn start_arguments(way: &Way<'_>, names: &Names<'_>) -> TokenStream {
    let (krate, own) = (&names.krate, names.own);
    match way.init {
        Some(init) => {
            let types = init.fields.iter().map(|field| &field.ty);
            quote!((#(#types,)*))
        }
        None if names.surface.options.is_local() => quote!(#krate::macro_support::Build<#own>),
        None => quote!(#own),
    }
}

pub(super) fn pre_start(way: &Way<'_>, names: &Names<'_>) -> TokenStream {
    let Names { krate, given, own, .. } = names;
    let message = names.message_type();
    let arguments = start_arguments(way, names);
    let myself = names.myself_for(way.init.map_or(&[], |init| &init.call));
    let (pattern, body) = match way.init {
        Some(init) => build(init, names),
        None => {
            let state = if names.surface.options.is_local() { quote!(#given()) } else { quote!(#given) };
            (quote!(#given), quote!(::core::result::Result::Ok(#state)))
        }
    };
    let parameters = quote!(#myself: &#krate::ActorRef<#message>, #pattern: #arguments);
    let start = function(&format_ident!("pre_start"), &parameters, &quote!(#own), &body, names);
    let cfgs = &way.cfgs;
    quote!(#cfgs #start)
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
pub(super) fn spawn(way: &Way<'_>, names: &Names<'_>, made: &TokenStream) -> TokenStream {
    let Names { krate, given, own, surface, .. } = names;
    let (vis, reference, cfgs) = (&surface.vis, names.reference_type(), &way.cfgs);
    let spawner = format_ident!("spawner", span = given.span());
    let mut docs = vec![doc("Starts the actor. Refine the spawn, then await it for the reference.")];
    let mut parameters = Vec::new();
    let (arguments, starts_from): (Vec<TokenStream>, TokenStream) = match way.init {
        Some(Init { fields, docs: own_docs, .. }) => {
            if !own_docs.is_empty() {
                docs.push(doc(""));
                docs.extend(own_docs.iter().map(|each| quote!(#each)));
            }
            let arguments = fields.iter().map(|Field { ident, ty, .. }| quote!(#ident: #ty));
            let idents = fields.iter().map(|field| &field.ident);
            (arguments.collect(), quote!((#(#idents,)*)))
        }
        None if surface.hooks.broken_init.is_some() => return broken_spawn(names, made),
        None if surface.options.is_local() => {
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
    if surface.options.is_local() {
        let captured = captured(&parameters, names);
        quote! {
            #cfgs
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
            #cfgs
            #(#docs)*
            #vis fn spawn(#(#arguments),*) -> #krate::Spawning<#start> {
                #krate::macro_support::spawning(#made, #starts_from)
            }
        }
    }
}

/// `Counter::child`
pub(super) fn child(way: &Way<'_>, names: &Names<'_>, made: &TokenStream) -> TokenStream {
    let Names { krate, given, own, surface, .. } = names;
    let (vis, message, cfgs) = (&surface.vis, names.message_type(), &way.cfgs);
    let [spawner, id, make] = ["spawner", "id", "make"].map(|text| Ident::new(text, given.span()));
    let is_local = surface.options.is_local();
    // What `make` gives, and what the actor starts from.
    let (makes, starts_from) = match way.init {
        _ if surface.hooks.broken_init.is_some() => return broken_child(names),
        None => (Some(quote!(#own)), quote!(#make())),
        Some(Init { fields, .. }) => match &fields[..] {
            [] => (None, quote!(())),
            [one] => {
                let ty = &one.ty;
                (Some(quote!(#ty)), quote!((#make(),)))
            }
            many => {
                let types = many.iter().map(|field| &field.ty);
                (Some(quote!((#(#types),*))), quote!(#make()))
            }
        },
    };
    let mut docs = vec![doc("How a supervisor starts the actor as its child `id`, and starts it again.")];
    if makes.is_some() {
        docs.extend([doc(""), doc("Each of its lives begins with what `make` gives.")]);
    }
    let parameter = makes.map(|makes| {
        let bounds = quote!(::core::marker::Send + ::core::marker::Sync + 'static);
        quote!(#make: impl ::core::ops::Fn() -> #makes + #bounds)
    });
    let place = is_local.then(|| quote!(#spawner: &#krate::LocalSpawner,));
    let made = match (is_local, way.init) {
        (true, None) => quote!(#krate::macro_support::local_child(#id, #spawner, || #made, #make)),
        (true, Some(_)) => quote!(#krate::ChildSpec::local(#id, #spawner, move || (#made, #starts_from))),
        (false, _) => quote!(#krate::macro_support::child(#id, move || (#made, #starts_from))),
    };
    quote! {
        #cfgs
        #(#docs)*
        #vis fn child(
            #place
            #id: impl ::core::convert::Into<::std::sync::Arc<str>>,
            #parameter
        ) -> #krate::ChildSpec<#message> {
            #made
        }
    }
}

/// What stands for `Counter::child` while its `#[init]` has a mistake in it.
fn broken_child(names: &Names<'_>) -> TokenStream {
    let Names { krate, surface, .. } = names;
    let (vis, message) = (&surface.vis, names.message_type());
    let place = surface.options.is_local().then(|| quote!(_: &#krate::LocalSpawner,));
    let has_arguments = surface.hooks.broken_init.is_some_and(|count| count > 0);
    let (parameter, make) = match has_arguments {
        true => (Some(quote!(F__)), Some(quote!(_: F__))),
        false => (None, None),
    };
    quote! {
        #vis fn child<I__, #parameter>(#place _: I__, #make) -> #krate::ChildSpec<#message> {
            ::core::unreachable!()
        }
    }
}

/// `use<T, F__>`: the result keeps all types and borrows nothing, not even the spawner, which
/// it would in edition 2024.
fn captured(parameters: &[Ident], names: &Names<'_>) -> TokenStream {
    let own = names.surface.generics.params.iter().filter_map(|param| match param {
        GenericParam::Type(param) => Some(&param.ident),
        GenericParam::Const(param) => Some(&param.ident),
        GenericParam::Lifetime(_) => None,
    });
    let all = own.chain(parameters);
    quote!(use<#(#all),*>)
}

/// What stands for `Counter::spawn` while its `#[init]` has a mistake in it.
fn broken_spawn(names: &Names<'_>, made: &TokenStream) -> TokenStream {
    let Names { krate, surface, .. } = names;
    let (vis, reference) = (&surface.vis, names.reference_type());
    let place = surface.options.is_local().then(|| quote!(spawner: &#krate::LocalSpawner,));
    let types: Vec<_> =
        (0..surface.hooks.broken_init.unwrap_or_default()).map(|index| format_ident!("A{index}__")).collect();
    let captured = captured(&types, names);
    let start = quote!(impl #krate::Start<Ref = #reference, Future: ::core::marker::Send> + #captured);
    let (kind, begin) = if surface.options.is_local() {
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
