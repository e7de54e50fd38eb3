//! What `#[actor]` emits. Must not live here: checks; what arrives is valid.
//!
//! ```text
//!  the user's impl, as it is
//!  checks.rs      what the messages must be, asked where the user wrote it
//!  message.rs     CounterInc, CounterReset, CounterMessage, and the ways between them
//!  reference.rs   CounterRef
//!  engine.rs      the hidden actor
//!  sorting.rs     in which order it takes its messages
//!  start.rs       what it starts from, Counter::spawn
//! ```

mod checks;
mod engine;
mod message;
mod reference;
mod sorting;
mod start;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Ident, ImplGenerics, Path, Type, TypeGenerics, WhereClause, parse_quote};

use crate::ast::{Argument, Message, Surface};
use crate::attr::Options;
use crate::errors::Errors;
use crate::types::Needed;
use crate::{durable, fallback, item, types, valid};

/// The expansion, or the mistakes and what can be had in spite of them.
pub(crate) fn actor(options: TokenStream, tokens: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    if durable::is_wanted(&options) {
        return match item::inherent_impl(tokens.clone()) {
            Err(error) => fallback::with_errors(&tokens, &error),
            Ok((implementation, name)) => durable::actor(options, implementation, name, errors),
        };
    }
    let options = Options::read(options, &mut errors);
    match item::inherent_impl(tokens.clone()) {
        Err(error) => fallback::with_errors(&tokens, &error),
        Ok((implementation, name)) => {
            let surface = valid::surface(options, implementation, name, &mut errors);
            // A struct that borrows can have none of what is generated: it is all `'static`.
            let is_borrowing = surface.generics.lifetimes().next().is_some();
            let expansion = if is_borrowing { surface.item.to_token_stream() } else { expand(&surface) };
            match errors.finish() {
                None => expansion,
                Some(error) => fallback::with_errors(&expansion, &error),
            }
        }
    }
}

fn expand(surface: &Surface) -> TokenStream {
    let names = Names::new(surface);
    let item = &surface.item;
    let checks = checks::expand(surface, &names);
    let message = message::expand(surface, &names);
    let reference = reference::expand(surface, &names);
    let engine = engine::expand(surface, &names);
    quote!(#item #checks #message #reference #engine)
}

/// The words that all parts share.
struct Names<'s> {
    /// Where actor-core is.
    krate: Path,
    /// The struct's type.
    own: &'s Type,
    reference: Ident,
    message: Ident,
    /// The hidden actor, by a name that nobody writes: the user's types are named beside it.
    engine: Ident,
    /// The phantom field of a message, as no argument is called.
    marker: Ident,
    /// What the messages need of the impl's parameters.
    needed: Needed,
    surface: &'s Surface,
    // Locals of the generated functions, in a place of their own: no argument of the
    // user's can be mixed up with them.
    state: Ident,
    myself: Ident,
    port: Ident,
    event: Ident,
    error: Ident,
    context: Ident,
    given: Ident,
}

impl<'s> Names<'s> {
    fn new(surface: &'s Surface) -> Self {
        let name = &surface.name;
        let local = |text| Ident::new(text, Span::mixed_site());
        let types = surface.messages.iter().flat_map(|message| {
            let is_always_there = message.attrs.cfgs.is_empty();
            let types = message.fields.iter().map(|field| &field.ty).chain(message.kind.reply());
            types.map(move |ty| (ty, is_always_there))
        });
        Self {
            krate: surface.options.common.krate.clone().unwrap_or_else(|| parse_quote!(::actor_core)),
            own: &surface.item.self_ty,
            reference: format_ident!("{name}Ref"),
            message: format_ident!("{name}Message"),
            engine: format_ident!("{name}Actor__"),
            marker: format_ident!("marker__"),
            needed: Needed::by(&surface.generics, types),
            surface,
            state: local("state"),
            myself: local("myself"),
            port: local("port"),
            event: local("event"),
            error: local("error"),
            context: local("context"),
            given: local("given"),
        }
    }

    /// What a message's own struct needs of the impl's parameters.
    fn part_needs(&self, message: &Message) -> Needed {
        let types = message.fields.iter().map(|field| (&field.ty, true));
        Needed::by(&self.surface.generics, types)
    }

    /// The impl's own parameters.
    fn generics(&self) -> (ImplGenerics<'_>, TypeGenerics<'_>, Option<&WhereClause>) {
        self.surface.generics.split_for_impl()
    }

    /// The reference's type.
    fn reference_type(&self) -> TokenStream {
        let (reference, (_, generics, _)) = (&self.reference, self.generics());
        quote!(#reference #generics)
    }

    /// The enum's type.
    fn message_type(&self) -> TokenStream {
        let (message, (_, generics, _)) = (&self.message, self.needed.generics.split_for_impl());
        quote!(#message #generics)
    }

    /// What a method is called with, in its order.
    fn arguments(&self, call: &[Argument]) -> TokenStream {
        let arguments = call.iter().map(|argument| match argument {
            Argument::Context(ty) => {
                let context = located(&self.context, ty);
                quote_spanned!(context.span()=> &#context)
            }
            Argument::Field(ident) => quote!(#ident),
            Argument::Port => self.port.to_token_stream(),
            Argument::Event(ty) => located(&self.event, ty).into_token_stream(),
            Argument::Error(ty) => located(&self.error, ty).into_token_stream(),
        });
        quote!(#(#arguments),*)
    }

    /// The name of the actor's own address, where a call needs it.
    fn myself_for(&self, call: &[Argument]) -> TokenStream {
        let takes_context = call.iter().any(|argument| matches!(argument, Argument::Context(_)));
        if takes_context { self.myself.to_token_stream() } else { quote!(_) }
    }

    /// A block around a call that lends a context to it, if it takes one.
    fn with_context(&self, call: &[Argument], deadline: &TokenStream, inside: TokenStream) -> TokenStream {
        if !call.iter().any(|argument| matches!(argument, Argument::Context(_))) {
            return inside;
        }
        let Self { krate, context, myself, .. } = self;
        let reference = self.reference_type();
        quote!({
            let #context = #krate::Context::<'_, #reference>::new(#myself, #deadline);
            #inside
        })
    }
}

/// The same word in the place of the type that the user gave it: if that is another type, the
/// error is there.
fn located(ident: &Ident, ty: &Type) -> Ident {
    let word = types::last_segment(types::lent(ty)).map_or_else(|| ty.span(), |segment| segment.ident.span());
    let mut located = ident.clone();
    located.set_span(ident.span().located_at(word));
    located
}

/// `.await`, where the method is `async`.
fn awaited(is_async: bool) -> Option<TokenStream> {
    is_async.then(|| quote!(.await))
}

/// A sentence for rustdoc.
fn doc(text: &str) -> TokenStream {
    let text = if text.is_empty() { String::new() } else { format!(" {text}") };
    quote!(#[doc = #text])
}
