//! What `#[actor(durable)]` emits. Must not live here: checks; what arrives is valid.

mod enums;
mod reference;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, Path, Type, parse_quote};

use super::surface::{Command, Field, Hook, Surface};

pub(super) fn expand(surface: &Surface) -> TokenStream {
    let names = Names::new(surface);
    let item = &surface.item;
    let (checks, enums, durable, handle, reference) =
        (checks(&names), enums::expand(&names), durable(&names), handle(&names), reference::expand(&names));
    quote!(#item #checks #enums #durable #handle #reference)
}

/// The words that all parts share.
struct Names<'s> {
    /// Where actor-durable is.
    krate: Path,
    /// Where what is hidden is.
    hidden: TokenStream,
    /// The struct's type.
    own: &'s Type,
    command: Ident,
    reply: Ident,
    /// None if no command is refused.
    error: Option<Ident>,
    engine: Ident,
    reference: Ident,
    surface: &'s Surface,
    // Locals of the generated functions, in a place of their own: no argument of the user's can be mixed up with them.
    state: Ident,
    turn: Ident,
    given: Ident,
}

impl<'s> Names<'s> {
    fn new(surface: &'s Surface) -> Self {
        let name = &surface.name;
        let krate: Path =
            surface.options.common.krate.clone().unwrap_or_else(|| parse_quote!(::actor_durable));
        let local = |text| Ident::new(text, Span::mixed_site());
        let refuses = surface.commands.iter().any(|command| command.error.is_some());
        Self {
            hidden: quote!(#krate::macro_support),
            krate,
            own: &surface.item.self_ty,
            command: format_ident!("{name}Command"),
            reply: format_ident!("{name}Reply"),
            error: refuses.then(|| format_ident!("{name}Error")),
            engine: format_ident!("{name}Durable"),
            reference: format_ident!("{name}Ref"),
            surface,
            state: local("state"),
            turn: local("turn"),
            given: local("given"),
        }
    }

    fn error_type(&self) -> TokenStream {
        let krate = &self.krate;
        self.error.as_ref().map_or_else(|| quote!(#krate::NoError), ToTokens::to_token_stream)
    }
}

/// What the compiler is to check where the user wrote it: what is stored can be.
fn checks(names: &Names<'_>) -> TokenStream {
    let hidden = &names.hidden;
    let parameters = names.surface.commands.iter().flat_map(|command| {
        let cfgs = &command.cfgs;
        let stored = |ty: &Type| quote_spanned!(place(ty)=> #(#cfgs)* _: Stored__<#ty>);
        let refusal = |ty: &Type| quote_spanned!(place(ty)=> #(#cfgs)* _: Refusal__<#ty>);
        let fields: Vec<_> = command.fields.iter().map(|field| stored(&field.ty)).collect();
        fields.into_iter().chain([stored(&command.reply)]).chain(command.error.as_ref().map(refusal))
    });
    let replies = names.surface.commands.iter().filter(|command| command.error.is_none()).map(|command| {
        let (cfgs, ty) = (&command.cfgs, &command.reply);
        let why = format!(
            "`{}` returns another name of a `Result`: write both types, `Result<T, E>`",
            command.method
        );
        quote_spanned! {place(ty)=>
            #(#cfgs)*
            #[allow(deprecated, clippy::assertions_on_constants)]
            const _: () = ::core::assert!(!Reply__::<#ty>::IS_RESULT, #why);
        }
    });
    quote! {
        const _: () = {
            #[allow(unused_imports)]
            use #hidden::{PlainReply as _, Refusal as Refusal__, Reply as Reply__, Stored as Stored__};

            #[allow(dead_code, deprecated, private_interfaces, clippy::too_many_arguments)]
            fn checks__(#(#parameters),*) {}
            #(#replies)*
        };
    }
}

/// `CounterDurable`, and what it says of itself.
fn durable(names: &Names<'_>) -> TokenStream {
    let Names { krate, hidden, own, command, reply, engine, surface, given, .. } = names;
    let (vis, name, error) = (&surface.vis, &surface.name, names.error_type());
    let type_name = match &surface.options.type_name {
        Some(name) => name.to_token_stream(),
        None => name.to_string().to_token_stream(),
    };
    let (options, hooks) = (options(names), hooks(names));
    let create = match &surface.hooks.init {
        Some(Hook { method, takes_argument, .. }) => {
            let id = takes_argument.then_some(given);
            quote!(<#own>::#method(#id))
        }
        None => quote_spanned!(own.span()=> <#own as ::core::default::Default>::default()),
    };
    let queries = surface
        .commands
        .iter()
        .map(|Command { cfgs, variant, is_query, .. }| quote!(#(#cfgs)* #command::#variant(..) => #is_query));
    let headline = doc(&format!("The durable actor whose state is a `{name}`."));
    let made = doc("The durable actor whose state this struct is, for whoever registers it.");
    quote! {
        #headline
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #engine;

        #[automatically_derived]
        #[allow(deprecated, private_interfaces, unused_variables)]
        impl #krate::Durable for #engine {
            const TYPE: &'static str = #type_name;
            #options

            type State = #own;
            type Command = #command;
            type Reply = #reply;
            type Error = #error;

            fn create(&self, #given: &#krate::DurableId) -> #own {
                #create
            }

            fn is_query(#given: &#command) -> bool {
                match *#given { #(#queries,)* }
            }

            fn read_command(
                version: u32,
                #given: &[u8],
            ) -> ::core::result::Result<#command, #krate::CodecError> {
                #hidden::read_command(version, #given)
            }

            fn read_reply(
                #given: &[u8],
            ) -> ::core::result::Result<::core::result::Result<#reply, #error>, #krate::CodecError> {
                #hidden::read_reply(#given)
            }

            #hooks
        }

        #[allow(dead_code)]
        impl #own {
            #made
            #vis fn durable() -> #engine {
                #engine
            }
        }
    }
}

/// What runs beside its turns.
fn hooks(names: &Names<'_>) -> TokenStream {
    let Names { krate, hidden, own, command, surface, given, state, .. } = names;
    let recovered = surface.hooks.recovered.as_ref().map(|hook| {
        let called = call_hook(names, hook, given);
        quote! {
            async fn on_recover(
                &self,
                #given: &#krate::DurableId,
                #state: &mut #own,
            ) -> ::core::result::Result<(), #hidden::ActorError> {
                #called
            }
        }
    });
    let checkpoint = surface.hooks.checkpoint.as_ref().map(|Hook { method, takes_argument, .. }| {
        let id = takes_argument.then_some(given);
        quote! {
            fn on_checkpoint(&self, #given: &#krate::DurableId, #state: &#own) {
                <#own>::#method(#state, #id)
            }
        }
    });
    let answer = surface.hooks.answer.as_ref().map(|Hook { method, .. }| {
        quote! {
            fn on_answer(
                #given: &#krate::Answer<'_>,
            ) -> ::core::result::Result<#command, #krate::CodecError> {
                <#own>::#method(#given)
            }
        }
    });
    quote!(#recovered #checkpoint #answer)
}

/// The constants, and what follows from them.
fn options(names: &Names<'_>) -> TokenStream {
    let Names { krate, given, own, surface, .. } = names;
    let options = &surface.options;
    let durability = options.durability.as_ref().map(|durability| {
        let (variant, interval) =
            (&durability.variant, durability.interval.as_ref().map(|each| quote!((#each))));
        quote!(const DURABILITY: #krate::Durability = #krate::Durability::#variant #interval;)
    });
    let idle = options.idle.as_ref().map(|idle| {
        quote! {
            const IDLE_MAX: ::core::option::Option<::core::time::Duration> = ::core::option::Option::Some(#idle);
        }
    });
    let remembered = options.remembered.as_ref().map(|count| quote!(const REMEMBERED: usize = #count;));
    let version = options.version.as_ref().map(|version| quote!(const STATE_VERSION: u32 = #version;));
    let upcast = options.upcast.as_ref().map(|upcast| {
        quote! {
            fn upcast_state(version: u32, #given: &[u8]) -> ::core::result::Result<#own, #krate::CodecError> {
                #upcast(version, #given)
            }
        }
    });
    quote!(#durability #idle #remembered #version #upcast)
}

/// A call of a hook, with its one argument if it takes that, and its outcome as a result.
fn call_hook(names: &Names<'_>, hook: &Hook, argument: &Ident) -> TokenStream {
    let Names { hidden, own, state, .. } = names;
    let (method, await_) = (&hook.method, awaited(hook.is_async));
    let argument = hook.takes_argument.then_some(argument);
    quote!(#hidden::HookOutcome::into_result(<#own>::#method(#state, #argument) #await_))
}

/// How it takes a command.
fn handle(names: &Names<'_>) -> TokenStream {
    let Names { krate, hidden, own, command, reply, engine, surface, given, state, turn, .. } = names;
    let error = names.error_type();
    let started = surface.hooks.started.as_ref().map(|hook| {
        let called = call_hook(names, hook, turn);
        quote! {
            async fn on_start(
                &self,
                #state: &mut #own,
                #turn: &mut #krate::Turn<'_, Self>,
            ) -> ::core::result::Result<(), #hidden::ActorError> {
                #called
            }
        }
    });
    let arms = surface.commands.iter().map(|each| {
        let Command { cfgs, variant, method, fields, is_async, takes_turn, .. } = each;
        let idents: Vec<_> = fields.iter().map(|Field { ident, .. }| ident).collect();
        let (await_, turn) = (awaited(*is_async), takes_turn.then(|| quote!(#turn,)));
        let called = quote!(<#own>::#method(#state, #turn #(#idents),*) #await_);
        let outcome = match each.error {
            Some(_) => quote! {
                match #called {
                    ::core::result::Result::Ok(reply) => ::core::result::Result::Ok(#reply::#variant(reply)),
                    ::core::result::Result::Err(error) => ::core::result::Result::Err(#error::#variant(error)),
                }
            },
            None => quote!(::core::result::Result::Ok(#reply::#variant(#called))),
        };
        quote!(#(#cfgs)* #command::#variant(#(#idents),*) => #outcome)
    });
    quote! {
        #[automatically_derived]
        #[allow(deprecated, private_interfaces, unused_variables, clippy::manual_async_fn)]
        impl #krate::DurableActor for #engine {
            #started

            fn handle(
                &self,
                #given: #command,
                #state: &mut #own,
                #turn: &mut #krate::Turn<'_, Self>,
            ) -> impl ::core::future::Future<Output = ::core::result::Result<#reply, #error>> + ::core::marker::Send {
                async move {
                    match #given { #(#arms,)* }
                }
            }
        }
    }
}

/// `.await`, where the method is `async`.
fn awaited(is_async: bool) -> Option<TokenStream> {
    is_async.then(|| quote!(.await))
}

/// Where the user wrote it, and still generated: lints have judged it there.
fn place(ty: &Type) -> Span {
    Span::call_site().located_at(ty.span())
}

/// A sentence for rustdoc.
fn doc(text: &str) -> TokenStream {
    let text = if text.is_empty() { String::new() } else { format!(" {text}") };
    quote!(#[doc = #text])
}
