//! The hidden actor: an `Actor` (or `LocalActor`) without fields, whose state is the
//! user's struct. It has no name outside, so that neither the struct's visibility nor the
//! messages' can be at odds with it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, ImplItem};

use super::sorting::sorting;
use super::start::{Way, child, none_of, pre_start, spawn, start_arguments, ways};
use super::{Names, awaited};
use crate::ast::{Argument, Hook, Kind, Message, Surface};

pub(super) fn expand(surface: &Surface, names: &Names<'_>) -> TokenStream {
    let Names { krate, engine, own, .. } = names;
    let generics = &surface.generics;
    let (impl_generics, type_generics, where_clause) = names.generics();
    let which = if surface.options.is_local() { quote!(LocalActor) } else { quote!(Actor) };
    let message = names.message_type();
    let ways = ways(surface);
    let (declared, made) = match generics.type_params().next() {
        None => (quote!(struct #engine #generics #where_clause;), quote!(#engine)),
        Some(_) => (
            quote!(struct #engine #generics (::core::marker::PhantomData<fn() -> #own>) #where_clause;),
            quote!(#engine(::core::marker::PhantomData)),
        ),
    };
    let arguments = ways.iter().map(|way| {
        let (cfgs, arguments) = (&way.cfgs, start_arguments(way, names));
        quote!(#cfgs type Arguments = #arguments;)
    });
    let sorting = sorting(surface, names);
    let policy = conditional_policy(surface, names);
    let functions = [
        ways.iter().map(|way| pre_start(way, names)).collect(),
        hooks(&surface.hooks.started, "post_start", names),
        handle(surface, names),
        supervision(&surface.hooks.supervision, names),
        on_error(&surface.hooks.on_error, names),
        hooks(&surface.hooks.stopping, "post_stop", names),
    ];
    let state = quote_spanned!(own.span()=> type State = #own;);
    // A method that is called so has been reported; a second one would be again.
    let [has_spawn, has_actor, has_child] = ["spawn", "actor", "child"].map(|name| has_method(surface, name));
    let outside = ways.iter().map(|way| {
        let spawn = (!has_spawn).then(|| spawn(way, names, &made));
        let actor = (!has_actor).then(|| actor(way, &which, names, &made));
        let child = (!has_child).then(|| child(way, names, &made));
        quote!(#spawn #actor #child)
    });
    quote! {
        const _: () = {
            #declared
            #policy

            #[automatically_derived]
            #[allow(deprecated, unused_braces, unused_variables, clippy::manual_async_fn)]
            impl #impl_generics #krate::#which for #engine #type_generics #where_clause {
                type Msg = #message;
                #state
                #(#arguments)*
                #sorting

                #(#functions)*
            }

            #[allow(dead_code, private_interfaces, clippy::too_many_arguments)]
            impl #impl_generics #own #where_clause {
                #(#outside)*
            }
        };
    }
}

fn has_method(surface: &Surface, name: &str) -> bool {
    surface.item.items.iter().any(|item| matches!(item, ImplItem::Fn(method) if method.sig.ident == name))
}

/// `Counter::actor`
fn actor(way: &Way<'_>, which: &TokenStream, names: &Names<'_>, made: &TokenStream) -> TokenStream {
    let (krate, message, arguments) = (&names.krate, names.message_type(), start_arguments(way, names));
    let (vis, cfgs) = (&names.surface.vis, &way.cfgs);
    quote! {
        #cfgs
        /// The actor whose state this struct is, for whoever takes an actor.
        #vis fn actor() -> impl #krate::#which<Msg = #message, State = Self, Arguments = #arguments> {
            #made
        }
    }
}

fn hooks(hooks: &[Hook], name: &str, names: &Names<'_>) -> TokenStream {
    let Names { krate, state, own, .. } = names;
    let message = names.message_type();
    let hooks = hooks.iter().map(|hook| {
        let myself = names.myself_for(&hook.call);
        let parameters = quote!(#myself: &#krate::ActorRef<#message>, #state: &mut #own);
        hook_function(hook, name, &parameters, names)
    });
    hooks.collect()
}

fn supervision(hooks: &[Hook], names: &Names<'_>) -> TokenStream {
    let Names { krate, state, own, event, .. } = names;
    let message = names.message_type();
    let hooks = hooks.iter().map(|hook| {
        let myself = names.myself_for(&hook.call);
        let parameters = quote! {
            #myself: &#krate::ActorRef<#message>,
            #event: #krate::SupervisionEvent,
            #state: &mut #own
        };
        hook_function(hook, "handle_supervisor_evt", &parameters, names)
    });
    hooks.collect()
}

/// Bears the span of the user's method: of two that are there at once, the second is wrong.
fn hook_function(hook: &Hook, name: &str, parameters: &TokenStream, names: &Names<'_>) -> TokenStream {
    let name = Ident::new(name, hook.method.span());
    let (cfgs, body) = (&hook.cfgs, outcome(hook, names));
    let function = function(&name, parameters, &quote!(()), &body, names);
    quote!(#(#cfgs)* #function)
}

fn on_error(hooks: &[Hook], names: &Names<'_>) -> TokenStream {
    let Names { krate, state, own, error, .. } = names;
    let hooks = hooks.iter().map(|hook| {
        let Hook { method, cfgs, call, output, .. } = hook;
        let name = Ident::new("on_error", method.span());
        let called = on_state(method, call, false, names);
        let called = quote_spanned!(output.span()=> { #called });
        quote! {
            #(#cfgs)*
            fn #name(&self, #error: &#krate::ActorError, #state: &mut #own) -> #krate::ErrorAction {
                let #error = #krate::macro_support::cause(#error);
                #krate::macro_support::Decision::into_action(#called)
            }
        }
    });
    hooks.collect()
}

/// A hook, and what it returned as the `Actor` trait says it.
fn outcome(hook: &Hook, names: &Names<'_>) -> TokenStream {
    let krate = &names.krate;
    let Hook { method, call, output, is_async, .. } = hook;
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
        match surface.options.is_remote() {
            true => quote!(#ident::Nothing__(_) => ::core::result::Result::Ok(()),),
            false => quote!(#ident::Nothing__(never, _) => match never {},),
        }
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
    function(&format_ident!("handle"), &parameters, &quote!(()), &body, names)
}

/// A function of the `Actor` trait.
///
/// Not an `async fn`, which keeps its arguments twice, once as they came and once as its
/// locals: every message would be copied once more, and every actor's task be larger by it.
pub(super) fn function(
    name: &Ident,
    parameters: &TokenStream,
    output: &TokenStream,
    body: &TokenStream,
    names: &Names<'_>,
) -> TokenStream {
    let krate = &names.krate;
    let bound = (!names.surface.options.is_local()).then(|| quote!(+ ::core::marker::Send));
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
    let policy = policy(names);
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

/// What becomes of an error that nobody waits for.
fn policy(names: &Names<'_>) -> TokenStream {
    let (krate, surface) = (&names.krate, names.surface);
    let on_error = &surface.hooks.on_error;
    let fails = surface.options.fail_on_err.is_some() || on_error.iter().any(|hook| hook.cfgs.is_empty());
    match on_error[..] {
        _ if fails => quote!(#krate::macro_support::Policy::Fail),
        [] => quote!(#krate::macro_support::Policy::Report),
        _ => quote!(POLICY__),
    }
}

/// The policy where only a condition says if there is an `#[on_error]`.
fn conditional_policy(surface: &Surface, names: &Names<'_>) -> Option<TokenStream> {
    let on_error = &surface.hooks.on_error;
    let is_open = surface.options.fail_on_err.is_none() && !on_error.is_empty();
    (is_open && on_error.iter().all(|hook| !hook.cfgs.is_empty())).then(|| {
        let krate = &names.krate;
        let none = none_of(on_error.iter().map(|hook| &hook.cfgs[..]));
        let any = on_error.iter().map(|hook| {
            let cfgs = &hook.cfgs;
            quote!(#(#cfgs)* const POLICY__: #krate::macro_support::Policy = #krate::macro_support::Policy::Fail;)
        });
        quote! {
            #(#any)*
            #none
            const POLICY__: #krate::macro_support::Policy = #krate::macro_support::Policy::Report;
        }
    })
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
