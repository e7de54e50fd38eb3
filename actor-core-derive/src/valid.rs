//! Reads an impl and says what is wrong with it. What comes out can be expanded; a
//! method with a mistake leaves its outside behind, so that its uses compile. Every
//! error says what to do.

mod arguments;

use std::collections::HashMap;

use proc_macro2::Ident;
use quote::format_ident;
use syn::{
    Attribute, FnArg, Generics, ImplItem, ImplItemFn, ItemImpl, PatType, Receiver, ReceiverKind, ReturnType,
    Safety, Signature, Type, WherePredicate, parse_quote,
};

use self::arguments::Allowed;
use crate::ast::{Argument, Broken, Hook, Hooks, Init, Kind, Message, MessageAttrs, Surface};
use crate::attr::{self, Options, Role};
use crate::errors::Errors;
use crate::item::{camel, widest};
use crate::roles::Role as _;
use crate::sorting::{self, Marks};
use crate::types::{self, Place};

/// Reads the impl.
pub(crate) fn surface(options: Options, mut item: ItemImpl, name: Ident, errors: &mut Errors) -> Surface {
    for lifetime in item.generics.lifetimes() {
        errors.add(lifetime, "an actor owns its state: its struct cannot have a lifetime parameter");
    }
    let generics = bounded(&item.generics, errors);
    let own = Type::clone(&item.self_ty);
    let mut reader =
        Reader { own, name, errors, hooks: Hooks::default(), messages: Vec::new(), broken: Vec::new() };
    let mut first_of = HashMap::new();
    for each in &mut item.items {
        if let ImplItem::Fn(method) = each {
            reader.method(method, &mut first_of);
        }
    }
    reader.options(&options);
    let Reader { name, hooks, messages, broken, .. } = reader;
    let vis =
        options.common.vis.clone().unwrap_or_else(|| widest(messages.iter().map(|message| &message.vis)));
    Surface { options, item, generics, name, vis, messages, hooks, broken }
}

/// The parameters, of which each that has no bound at all is reported and gets those it needs.
/// Of any other only the compiler knows what its bounds imply.
fn bounded(generics: &Generics, errors: &mut Errors) -> Generics {
    let mut bounded = generics.clone();
    for param in types::unbounded(generics) {
        let ident = &param.ident;
        errors.add(
            ident,
            format!("an actor owns what it holds and what it is sent: write `{ident}: Send + 'static`"),
        );
        let bounds: WherePredicate = parse_quote!(#ident: ::core::marker::Send + 'static);
        bounded.make_where_clause().predicates.push(bounds);
    }
    bounded
}

struct Reader<'e> {
    /// The struct's type.
    own: Type,
    name: Ident,
    errors: &'e mut Errors,
    hooks: Hooks,
    messages: Vec<Message>,
    broken: Vec<Broken>,
}

impl Reader<'_> {
    fn method(&mut self, method: &mut ImplItemFn, first_of: &mut HashMap<String, First>) {
        let before = self.errors.count();
        let marks = Marks::take(&mut method.attrs, self.errors);
        let (role, attrs) = attr::take(&mut method.attrs, self.errors);
        let arguments = method.sig.inputs.iter_mut().filter_map(|input| match input {
            FnArg::Typed(argument) => Some(argument),
            FnArg::Receiver(_) => None,
        });
        let fields: Vec<_> =
            arguments.map(|argument| attr::take_field(&mut argument.attrs, self.errors)).collect();
        let method = &*method;
        self.shape(&method.sig);
        let known = role.as_ref().map(|(role, _)| *role);
        let cfgs = attrs.cfgs.clone();
        let found = match role {
            None | Some((Role::Cast, _)) => {
                self.message(method, attrs, &marks, fields, known.is_some(), first_of).map(Found::Message)
            }
            Some((role, mark)) => {
                marks.refuse(role.name(), self.errors);
                match role {
                    Role::Init => self.init(method, &mark, attrs, fields).map(Found::Init),
                    _ => self.hook(method, role, &mark, attrs, fields).map(|hook| Found::Hook(role, hook)),
                }
            }
        };
        match found {
            // Whatever was read of it is not sound.
            _ if self.errors.count() > before => self.leave_outside(method, known, cfgs),
            Some(Found::Message(message)) => self.messages.push(message),
            Some(Found::Init(init)) => self.hooks.init.push(init),
            Some(Found::Hook(role, hook)) => self.hooks.of(role).push(hook),
            None => {}
        }
    }

    /// What options ask for that no method does, and the other way round.
    fn options(&mut self, options: &Options) {
        let sorts = self.messages.iter().any(|message| message.urgency.is_some());
        if let Some(ageing) = options.ageing.as_ref().filter(|_| !sorts && self.broken.is_empty()) {
            let what =
                "`ageing` is for messages that others go before, and none here has a `#[priority(..)]`";
            self.errors.add(ageing, what);
        }
        let decides = self.hooks.on_error.iter().any(|hook| hook.cfgs.is_empty());
        if let Some(word) = options.fail_on_err.as_ref().filter(|_| decides) {
            self.errors.add(word, "`#[on_error]` decides what becomes of an error: remove `fail_on_err`");
        }
    }

    /// What no method of an actor can be, whatever its role.
    fn shape(&mut self, signature: &Signature) {
        let Signature { constness, safety, abi, generics, variadic, .. } = signature;
        if let Some(constness) = constness {
            self.errors.add(constness, "a message is handled at run time: remove `const`");
        }
        if let Safety::Unsafe(unsafety) = safety {
            self.errors.add(unsafety, "whoever sends a message cannot promise anything: remove `unsafe`");
        }
        if let Some(abi) = abi {
            self.errors.add(abi, "a message is not called from other languages: remove `extern`");
        }
        if let Some(variadic) = variadic {
            self.errors.add(variadic, "a message has a fixed number of arguments");
        }
        if let Some(param) = generics.params.first() {
            self.errors.add(
                param,
                "a message is one type, so its method has no parameters of its own: put them on the `impl`, \
                 or take a concrete type",
            );
        } else if let Some(clause) = &generics.where_clause {
            self.errors.add(clause, "put the bounds on the `impl`: they hold for the whole actor");
        }
        if ["spawn", "actor", "child"].iter().any(|taken| signature.ident == taken) {
            let what =
                format!("`{}::{}` is generated: give the method another name", self.name, signature.ident);
            self.errors.add(&signature.ident, what);
        }
    }

    fn message(
        &mut self,
        method: &ImplItemFn,
        attrs: MessageAttrs,
        marks: &Marks,
        field_attrs: Vec<Vec<Attribute>>,
        is_cast: bool,
        first_of: &mut HashMap<String, First>,
    ) -> Option<Message> {
        let signature = &method.sig;
        match signature.receiver() {
            Some(receiver) => self.receiver(receiver),
            None => self.errors.add(
                &signature.ident,
                "a message is a method with `&self` or `&mut self`: add it, mark the function that builds the \
                 actor `#[init]`, or move others to an `impl` without `#[actor]`",
            ),
        }
        let mut arguments = self.arguments(signature, field_attrs, Allowed::Message);
        let port = arguments.port.take();
        let kind = self.kind(signature, port, is_cast);
        let urgency = sorting::urgency(marks, &arguments.marked, self.errors);
        let expiry = sorting::expiry(marks, &arguments.marked, &kind, self.errors);
        let names = self.names(&signature.ident, !attrs.cfgs.is_empty(), first_of);
        let (variant, part) = names?;
        Some(Message {
            method: signature.ident.clone(),
            variant,
            part,
            vis: method.vis.clone(),
            attrs,
            fields: arguments.fields,
            call: arguments.call,
            is_async: signature.asyncness.is_some(),
            kind,
            urgency,
            expiry,
        })
    }

    fn receiver(&mut self, receiver: &Receiver) {
        match &receiver.kind {
            ReceiverKind::Reference(_, None, _) => {}
            ReceiverKind::Reference(_, Some(lifetime), _) => {
                self.errors.add(
                    lifetime,
                    "a message borrows the actor while it is handled: write `&self` or `&mut self`",
                );
            }
            _ => self.errors.add(
                receiver,
                "the actor keeps its struct from message to message: take `&self` or `&mut self`",
            ),
        }
    }

    /// The message's names, unless they are taken.
    fn names(
        &mut self,
        method: &Ident,
        has_condition: bool,
        first_of: &mut HashMap<String, First>,
    ) -> Option<(Ident, Ident)> {
        let camel = camel(method);
        if !camel.starts_with(|first: char| first.is_alphabetic()) {
            self.errors.add(method, "the message's struct is named after the method: begin it with a letter");
            return None;
        }
        if camel == "Ref" || camel == "Message" {
            let what = format!(
                "`{}{camel}` is generated for the actor itself: give the method another name",
                self.name
            );
            self.errors.add(method, what);
            return None;
        }
        let this = First { method: method.clone(), has_condition };
        // Of two that have conditions, the compiler sees one, or says so.
        if let Some(first) = first_of.insert(camel.clone(), this)
            && !(has_condition && first.has_condition)
        {
            let what = format!(
                "this message would be called `{}{camel}`, as that of `{}`: rename one",
                self.name, first.method
            );
            self.errors.add(method, what);
            return None;
        }
        let variant = if camel == "Self" { "Self_".to_owned() } else { camel.clone() };
        Some((
            Ident::new(&variant, method.span()),
            format_ident!("{}{camel}", self.name, span = method.span()),
        ))
    }

    fn kind(&mut self, signature: &Signature, port: Option<(&PatType, Type)>, is_cast: bool) -> Kind {
        let output = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) if types::is_unit(ty) => None,
            ReturnType::Type(_, ty) => Some(&**ty),
        };
        let returns_nothing = output.is_none_or(types::is_unit_result);
        if let Some((argument, reply)) = port {
            if is_cast {
                self.errors.add(&argument.ty, "a `#[cast]` has no answer: remove the port, or `#[cast]`");
            }
            if let Some(output) = output.filter(|_| !returns_nothing) {
                self.errors.add(
                    output,
                    "the answer goes through the `ReplyPort`: return nothing or `Result<(), E>`",
                );
            }
            types::sendable(&reply, Place::Reply, self.errors);
            return Kind::Delegated(types::without_self(&reply, &self.own));
        }
        if is_cast {
            if let Some(output) = output.filter(|_| !returns_nothing) {
                self.errors.add(
                    output,
                    "a `#[cast]` has no answer: return nothing or `Result<(), E>`, or remove `#[cast]`",
                );
            }
            return Kind::Cast;
        }
        let reply = output.cloned().unwrap_or_else(|| parse_quote!(()));
        types::sendable(&reply, Place::Reply, self.errors);
        Kind::Call(types::without_self(&reply, &self.own))
    }

    fn init(
        &mut self,
        method: &ImplItemFn,
        mark: &Attribute,
        attrs: MessageAttrs,
        field_attrs: Vec<Vec<Attribute>>,
    ) -> Option<Init> {
        let signature = &method.sig;
        if let Some(receiver) = signature.receiver() {
            self.errors.add(receiver, "`#[init]` builds the struct, so there is none yet: remove `self`");
        }
        let has_condition = !attrs.cfgs.is_empty();
        if let Some(first) = self.hooks.init.iter().find(|each| !has_condition || each.cfgs.is_empty()) {
            self.errors
                .add(mark, format!("`{}` is `#[init]` already: an actor is built in one way", first.method));
            return None;
        }
        let arguments = self.arguments(signature, field_attrs, Allowed::Init);
        let output = match &signature.output {
            ReturnType::Type(_, ty) => types::without_self(ty, &self.own),
            ReturnType::Default => {
                self.errors.add(&signature.ident, "`#[init]` returns `Self` or `Result<Self, E>`");
                return None;
            }
        };
        Some(Init {
            method: signature.ident.clone(),
            docs: attrs.docs,
            cfgs: attrs.cfgs,
            fields: arguments.fields,
            call: arguments.call,
            output,
            is_async: signature.asyncness.is_some(),
        })
    }

    fn hook(
        &mut self,
        method: &ImplItemFn,
        role: Role,
        mark: &Attribute,
        attrs: MessageAttrs,
        field_attrs: Vec<Vec<Attribute>>,
    ) -> Option<Hook> {
        let signature = &method.sig;
        let name = role.name();
        match signature.receiver() {
            Some(receiver) => self.receiver(receiver),
            None => self
                .errors
                .add(&signature.ident, format!("`#[{name}]` runs in the actor: take `&mut self` or `&self`")),
        }
        let allowed = match role {
            Role::Supervision => Allowed::Supervision,
            Role::OnError => Allowed::Error,
            _ => Allowed::Hook,
        };
        let arguments = self.arguments(signature, field_attrs, allowed);
        let has_event = arguments.call.iter().any(|argument| matches!(argument, Argument::Event(_)));
        if role == Role::Supervision && !has_event {
            self.errors
                .add(&signature.ident, "`#[supervision]` takes the event: add `event: SupervisionEvent`");
        }
        let output = match &signature.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(types::without_self(ty, &self.own)),
        };
        if role == Role::OnError {
            self.decision(signature, &arguments.call);
        }
        let has_condition = !attrs.cfgs.is_empty();
        let others = self.hooks.of(role);
        if let Some(first) = others.iter().find(|each| !has_condition || each.cfgs.is_empty()) {
            self.errors.add(mark, format!("`{}` is `#[{name}]` already: make them one method", first.method));
        }
        Some(Hook {
            method: signature.ident.clone(),
            cfgs: attrs.cfgs,
            call: arguments.call,
            output,
            is_async: signature.asyncness.is_some(),
        })
    }

    /// What is asked of `#[on_error]` alone: it decides, at once.
    fn decision(&mut self, signature: &Signature, call: &[Argument]) {
        if !call.iter().any(|argument| matches!(argument, Argument::Error(_))) {
            self.errors.add(&signature.ident, "`#[on_error]` takes the error: add `error: &ActorError`");
        }
        if let Some(asyncness) = &signature.asyncness {
            self.errors.add(asyncness, "`#[on_error]` decides at once: remove `async`");
        }
        if matches!(signature.output, ReturnType::Default) {
            self.errors.add(
                &signature.ident,
                "`#[on_error]` says what becomes of the actor: return an `ErrorAction`",
            );
        }
    }

    /// Keeps the outside of a method whose inside is wrong.
    fn leave_outside(&mut self, method: &ImplItemFn, role: Option<Role>, cfgs: Vec<Attribute>) {
        let signature = &method.sig;
        let outside = signature.inputs.iter().filter(|input| match input {
            FnArg::Typed(argument) => {
                !self.is_context(&argument.ty) && types::reply_port(&argument.ty).is_none()
            }
            FnArg::Receiver(_) => false,
        });
        let arguments = outside.count();
        match role {
            None | Some(Role::Cast) => {}
            Some(Role::Init) => {
                // A second one that should not be there takes nothing from the first.
                if self.hooks.init.is_empty() || !cfgs.is_empty() {
                    self.hooks.broken_init = Some(arguments);
                }
                return;
            }
            Some(_) => return,
        }
        let is_this = |other: &Ident, others: &[Attribute]| {
            *other == signature.ident && (cfgs.is_empty() || others.is_empty())
        };
        if self.messages.iter().any(|each| is_this(&each.method, &each.attrs.cfgs))
            || self.broken.iter().any(|each| is_this(&each.method, &each.cfgs))
        {
            return;
        }
        let mut unsound = Errors::default();
        let reply = match &signature.output {
            ReturnType::Default => parse_quote!(()),
            ReturnType::Type(_, ty) => {
                types::sendable(ty, Place::Reply, &mut unsound);
                types::without_self(ty, &self.own)
            }
        };
        let is_sound = unsound.count() == 0 && signature.generics.params.is_empty();
        self.broken.push(Broken {
            method: signature.ident.clone(),
            vis: method.vis.clone(),
            cfgs,
            arguments,
            reply: if is_sound { reply } else { parse_quote!(()) },
        });
    }
}

/// What a method turned out to be.
enum Found {
    Message(Message),
    Init(Init),
    Hook(Role, Hook),
}

/// The method that took a name.
struct First {
    method: Ident,
    has_condition: bool,
}
