//! The hidden actor: an `Actor` (or `LocalActor`) without fields, whose state is the
//! user's struct, and what starts it. It has no name outside, so that neither the
//! struct's visibility nor the messages' can be at odds with it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, ImplItem, Type};

use super::{Names, awaited, doc};
use crate::ast::{Argument, Field, Hook, Init, Kind, Message, Surface};

pub(super) fn expand(surface: &Surface, names: &Names<'_>) -> TokenStream {
    let Names { krate, engine, own, .. } = names;
    let generics = &surface.item.generics;
    let (impl_generics, type_generics, where_clause) = names.generics();
    let which = if surface.options.is_local { quote!(LocalActor) } else { quote!(Actor) };
    let message = names.message_type();
    let arguments = start_arguments(surface, names);
    let (declared, made) = match generics.type_params().next() {
        None => (quote!(struct #engine #generics #where_clause;), quote!(#engine)),
        Some(_) => (
            quote!(struct #engine #generics (::core::marker::PhantomData<fn() -> #own>) #where_clause;),
            quote!(#engine(::core::marker::PhantomData)),
        ),
    };
    let functions = [
        Some(pre_start(surface, names)),
        hook(surface.hooks.started.as_ref(), "post_start", names),
        Some(handle(surface, names)),
        supervision(surface.hooks.supervision.as_ref(), names),
        hook(surface.hooks.stopping.as_ref(), "post_stop", names),
    ];
    let state = quote_spanned!(own.span()=> type State = #own;);
    let vis = &surface.vis;
    // A method that is called so has been reported; a second one would be again.
    let spawn = (!has_method(surface, "spawn")).then(|| spawn(surface, names, &made));
    let actor = (!has_method(surface, "actor")).then(|| {
        quote! {
            /// The actor whose state this struct is, for whoever takes an actor.
            #vis fn actor() -> impl #krate::#which<Msg = #message, State = Self, Arguments = #arguments> {
                #made
            }
        }
    });
    quote! {
        const _: () = {
            #declared

            #[automatically_derived]
            #[allow(deprecated, unused_braces, unused_variables, clippy::manual_async_fn)]
            impl #impl_generics #krate::#which for #engine #type_generics #where_clause {
                type Msg = #message;
                #state
                type Arguments = #arguments;

                #(#functions)*
            }

            #[allow(dead_code, private_interfaces, clippy::too_many_arguments)]
            impl #impl_generics #own #where_clause {
                #spawn

                #actor
            }
        };
    }
}

fn has_method(surface: &Surface, name: &str) -> bool {
    surface.item.items.iter().any(|item| matches!(item, ImplItem::Fn(method) if method.sig.ident == name))
}

/// What the actor starts from: the arguments of `#[init]`, or the struct itself.
fn start_arguments(surface: &Surface, names: &Names<'_>) -> TokenStream {
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

fn pre_start(surface: &Surface, names: &Names<'_>) -> TokenStream {
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

fn hook(hook: Option<&Hook>, name: &str, names: &Names<'_>) -> Option<TokenStream> {
    let hook = hook?;
    let Names { krate, state, own, .. } = names;
    let (message, myself) = (names.message_type(), names.myself_for(&hook.call));
    let parameters = quote!(#myself: &#krate::ActorRef<#message>, #state: &mut #own);
    Some(function(name, &parameters, &quote!(()), &outcome(hook, names), names))
}

fn supervision(hook: Option<&Hook>, names: &Names<'_>) -> Option<TokenStream> {
    let hook = hook?;
    let Names { krate, state, own, event, .. } = names;
    let (message, myself) = (names.message_type(), names.myself_for(&hook.call));
    let parameters = quote! {
        #myself: &#krate::ActorRef<#message>,
        #event: #krate::SupervisionEvent,
        #state: &mut #own
    };
    Some(function("handle_supervisor_evt", &parameters, &quote!(()), &outcome(hook, names), names))
}

/// A hook, and what it returned as the `Actor` trait says it.
fn outcome(hook: &Hook, names: &Names<'_>) -> TokenStream {
    let krate = &names.krate;
    let Hook { method, call, output, is_async } = hook;
    let called = on_state(method, call, *is_async, names);
    let called = names.with_context(call, &quote!(::core::option::Option::None), called);
    match output {
        None => quote!(#called; ::core::result::Result::Ok(())),
        Some(output) => {
            let called = quote_spanned!(output.span()=> { #called });
            quote!(#krate::macro_support::HookOutcome::into_result(#called))
        }
    }
}

fn handle(surface: &Surface, names: &Names<'_>) -> TokenStream {
    let Names { krate, myself, state, own, given, .. } = names;
    let message = names.message_type();
    let arms = surface.messages.iter().map(|message| arm(message, names));
    let phantom = (!names.needed.unmentioned.is_empty()).then(|| {
        let ident = &names.message;
        quote!(#ident::Nothing__(never, _) => match never {},)
    });
    // Without a message there is nothing to do with either.
    let (myself, state) = match surface.messages[..] {
        [] => (quote!(_), quote!(_)),
        _ => (quote!(#myself), quote!(#state)),
    };
    let parameters = quote! {
        #myself: &#krate::ActorRef<#message>,
        #given: #message,
        #state: &mut #own
    };
    let body = quote!(match #given { #(#arms)* #phantom });
    function("handle", &parameters, &quote!(()), &body, names)
}

/// A function of the `Actor` trait.
///
/// Not an `async fn`, which keeps its arguments twice, once as they came and once as its
/// locals: every message would be copied once more, and every actor's task be larger by it.
fn function(
    name: &str,
    parameters: &TokenStream,
    output: &TokenStream,
    body: &TokenStream,
    names: &Names<'_>,
) -> TokenStream {
    let (krate, name) = (&names.krate, format_ident!("{name}"));
    let bound = (!names.surface.options.is_local).then(|| quote!(+ ::core::marker::Send));
    quote! {
        fn #name(
            &self,
            #parameters
        ) -> impl ::core::future::Future<
            Output = ::core::result::Result<#output, #krate::ActorError>
        > #bound {
            async move { #body }
        }
    }
}

fn arm(message: &Message, names: &Names<'_>) -> TokenStream {
    let Names { krate, myself, port, message: whole, .. } = names;
    let Message { variant, fields, kind, method, call, is_async, attrs, .. } = message;
    let policy = if names.surface.options.fails_on_err { quote!(Stop) } else { quote!(Report) };
    let (text, cfgs) = (method.to_string(), &attrs.cfgs);
    let idents = fields.iter().map(|field| &field.ident);
    let called = on_state(method, call, *is_async, names);
    let deadline = match kind {
        Kind::Cast => quote!(::core::option::Option::None),
        Kind::Call(_) | Kind::Delegated(_) => quote!(#krate::ReplyPort::deadline(&#port)),
    };
    let called = names.with_context(call, &deadline, called);
    let support = quote!(#krate::macro_support);
    let (pattern, done) = match kind {
        Kind::Cast => (quote!(#(#idents),*), quote!(#support::conclude!(#policy, #myself, #text, #called))),
        Kind::Call(_) => {
            (quote!(#(#idents,)* #port), quote!(#support::answer!(#policy, #myself, #text, #port, #called)))
        }
        Kind::Delegated(_) => {
            (quote!(#(#idents,)* #port), quote!(#support::conclude!(#policy, #myself, #text, #called)))
        }
    };
    quote!(#(#cfgs)* #whole::#variant(#pattern) => #done,)
}

/// `<Counter>::inc(state, by)`
///
/// By its path: a method call on `&mut Counter` would rather take a trait's method of that
/// name, if it takes the reference by value as all those of an iterator do.
fn on_state(method: &Ident, call: &[Argument], is_async: bool, names: &Names<'_>) -> TokenStream {
    let Names { own, state, .. } = names;
    let (arguments, await_) = (names.arguments(call), awaited(is_async));
    quote!(<#own>::#method(#state, #arguments)#await_)
}

/// `Counter::spawn`
fn spawn(surface: &Surface, names: &Names<'_>, made: &TokenStream) -> TokenStream {
    let Names { krate, given, own, .. } = names;
    let (vis, reference) = (&surface.vis, names.reference_type());
    let spawner = format_ident!("spawner", span = given.span());
    let mut docs = vec![doc("Starts the actor. Refine the spawn, then await it for the reference.")];
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
            let build: Type = syn::parse_quote!(impl FnOnce() -> #own + ::core::marker::Send + 'static);
            (
                vec![quote!(#given: #build)],
                quote!(::std::boxed::Box::new(#given) as #krate::macro_support::Build<#own>),
            )
        }
        None => (vec![quote!(self)], quote!(self)),
    };
    let start = quote!(impl #krate::Start<Ref = #reference, Future: ::core::marker::Send>);
    if surface.options.is_local {
        quote! {
            #(#docs)*
            #vis fn spawn(
                #spawner: &#krate::LocalSpawner,
                #(#arguments),*
            ) -> #krate::LocalSpawning<#start> {
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

/// What stands for `Counter::spawn` while its `#[init]` has a mistake in it.
fn broken_spawn(surface: &Surface, names: &Names<'_>, made: &TokenStream) -> TokenStream {
    let Names { krate, .. } = names;
    let (vis, reference) = (&surface.vis, names.reference_type());
    let place = surface.options.is_local.then(|| quote!(spawner: &#krate::LocalSpawner,));
    let types: Vec<_> =
        (0..surface.hooks.broken_init.unwrap_or_default()).map(|index| format_ident!("A{index}")).collect();
    let start = quote!(impl #krate::Start<Ref = #reference, Future: ::core::marker::Send>);
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
