//! Reads the impl of a durable actor and says what is wrong with it. Every error says what to do.

use std::collections::HashMap;

use proc_macro2::Ident;
use syn::{
    Attribute, FnArg, ImplItem, ImplItemFn, ItemImpl, Pat, PatType, PathArguments, Receiver, ReceiverKind,
    ReturnType, Safety, Signature, Type, parse_quote,
};

use super::form::{self, Former};
use super::hooks::{Attrs, is_mut};
use super::options::Options;
use super::surface::{Command, Field, Hooks, Surface};
use crate::errors::Errors;
use crate::item::{camel, widest};
use crate::types::{self, Place};

/// Reads the impl.
pub(super) fn surface(options: Options, mut item: ItemImpl, name: Ident, errors: &mut Errors) -> Surface {
    if let Some(param) = item.generics.params.first() {
        let what = "stores know a durable actor's type by one name, so it has no parameters: name the types it is of";
        errors.add(param, what);
    }
    let own = Type::clone(&item.self_ty);
    let mut reader = Reader {
        own,
        name,
        errors,
        hooks: Hooks::default(),
        commands: Vec::new(),
        variants: HashMap::new(),
        forms: HashMap::new(),
    };
    for each in &mut item.items {
        if let ImplItem::Fn(method) = each {
            reader.method(method);
        }
    }
    let Reader { name, hooks, commands, .. } = reader;
    let vis =
        options.common.vis.clone().unwrap_or_else(|| widest(commands.iter().map(|command| &command.vis)));
    Surface { options, item, name, vis, commands, hooks }
}

pub(super) struct Reader<'e> {
    /// The struct's type.
    own: Type,
    pub(super) name: Ident,
    pub(super) errors: &'e mut Errors,
    pub(super) hooks: Hooks,
    commands: Vec<Command>,
    /// Who took a variant's name, and whether it has a condition.
    variants: HashMap<String, (Ident, bool)>,
    /// Who took the name of a command's form, as the variants.
    forms: HashMap<String, (Ident, bool)>,
}

/// An argument of a method.
pub(super) enum Given<'s> {
    /// The turn, where it belongs.
    Turn(&'s PatType),
    Other(&'s PatType),
    /// Something that a durable actor does not have, or has otherwise.
    Wrong(&'s PatType, String),
}

/// What the arguments of a command come to.
#[derive(Default)]
struct Arguments {
    fields: Vec<Field>,
    takes_turn: bool,
}

impl Reader<'_> {
    fn method(&mut self, method: &mut ImplItemFn) {
        let mut attrs = Attrs::take(&mut method.attrs, self.errors);
        let method = &*method;
        self.shape(&method.sig);
        match attrs.role.as_ref().map(|(role, _)| *role) {
            Some(role) => self.hook(method, role, attrs),
            None => {
                let was = std::mem::take(&mut attrs.was);
                let was: Vec<_> = was.into_iter().map(|(_, former)| former).collect();
                self.command(method, attrs, &was);
            }
        }
    }

    /// What no method of an actor can be, whatever its role.
    fn shape(&mut self, signature: &Signature) {
        let Signature { constness, safety, abi, generics, variadic, ident, .. } = signature;
        if let Some(constness) = constness {
            self.errors.add(constness, "a command is handled at run time: remove `const`");
        }
        if let Safety::Unsafe(unsafety) = safety {
            self.errors.add(unsafety, "whoever sends a command cannot promise anything: remove `unsafe`");
        }
        if let Some(abi) = abi {
            self.errors.add(abi, "a command is not called from other languages: remove `extern`");
        }
        if let Some(variadic) = variadic {
            self.errors.add(variadic, "a command has a fixed number of arguments");
        }
        if let Some(param) = generics.params.first() {
            let what =
                "a command has one form, so its method has no parameters of its own: take a concrete type";
            self.errors.add(param, what);
        } else if let Some(clause) = &generics.where_clause {
            self.errors.add(clause, "a command has one form: take types that have these bounds");
        }
        if ident == "durable" {
            let what = format!("`{}::durable` is generated: give the method another name", self.name);
            self.errors.add(ident, what);
        }
    }

    fn command(&mut self, method: &ImplItemFn, attrs: Attrs, was: &[Former]) {
        let signature = &method.sig;
        let ident = &signature.ident;
        match signature.receiver() {
            Some(receiver) => self.receiver(receiver),
            None => self.errors.add(
                ident,
                "a command is a method with `&self` or `&mut self`: add it, mark the function that builds a new \
                 state `#[init]`, or move others to an `impl` without `#[actor]`",
            ),
        }
        if ident == "new" {
            let what = format!("`{}Ref::new` is generated: give the method another name", self.name);
            self.errors.add(ident, what);
        }
        let Arguments { fields, takes_turn } = self.arguments(method);
        let (reply, error) = self.output(&signature.output);
        let mut command_names =
            vec![form::command(ident, fields.iter().map(|field| (&field.ident, &field.ty)))];
        command_names.extend(was.iter().map(Former::command));
        let types: Vec<_> = fields.iter().map(|field| form::spelled(&field.ty)).collect();
        for former in was.iter().filter(|former| former.types().len() != types.len()) {
            let what = format!(
                "`{}` had other arguments: keep it as a method of its own that has them, and mark that",
                former.command()
            );
            self.errors.add(ident, what);
        }
        let names = |ty: &Type| {
            let mut names = vec![form::reply(ident, ty)];
            // It may have had several forms under one name.
            for name in was.iter().map(|former| former.reply(ty)) {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            names
        };
        let (reply_names, error_names) = (names(&reply), error.as_ref().map(names).unwrap_or_default());
        self.take_forms(ident, &command_names, !attrs.copied.cfgs.is_empty());
        let Some(variant) = self.variant(ident, !attrs.copied.cfgs.is_empty()) else { return };
        self.commands.push(Command {
            method: ident.clone(),
            variant,
            vis: method.vis.clone(),
            docs: attrs.copied.docs,
            cfgs: attrs.copied.cfgs,
            reference: attrs.copied.reference,
            fields,
            takes_turn,
            is_query: signature.receiver().is_some_and(|receiver| !is_mut(receiver)),
            is_async: signature.asyncness.is_some(),
            reply,
            error,
            command_names,
            reply_names,
            error_names,
        });
    }

    pub(super) fn receiver(&mut self, receiver: &Receiver) {
        match &receiver.kind {
            ReceiverKind::Reference(_, None, _) => {}
            ReceiverKind::Reference(_, Some(lifetime), _) => {
                let what = "a command borrows the state while it is handled: write `&self` or `&mut self`";
                self.errors.add(lifetime, what);
            }
            _ => self.errors.add(
                receiver,
                "the actor keeps its state from command to command: take `&self` or `&mut self`",
            ),
        }
    }

    fn arguments(&mut self, method: &ImplItemFn) -> Arguments {
        let mut read = Arguments::default();
        for given in self.given(method) {
            match given {
                Given::Turn(_) => read.takes_turn = true,
                Given::Wrong(argument, what) => self.errors.add(&argument.ty, what),
                Given::Other(argument) => self.field(argument, &mut read.fields),
            }
        }
        if let Some(field) = read.fields.get(FIELDS_MAX) {
            let what = format!("a command has at most {FIELDS_MAX} arguments: make them a struct");
            self.errors.add(&field.ident, what);
        }
        read
    }

    fn field(&mut self, argument: &PatType, fields: &mut Vec<Field>) {
        types::sendable(&argument.ty, Place::Argument, self.errors);
        for attr in argument.attrs.iter().filter(|attr| !is_lint(attr)) {
            let what = "an argument of a command is stored as its own type says: remove this, or put it on that type";
            self.errors.add(attr, what);
        }
        let Pat::Ident(pattern) = &*argument.pat else {
            let what = "an argument is stored by its name: give it one, and take it apart inside the method";
            return self.errors.add(&argument.pat, what);
        };
        if pattern.by_ref.is_some() || pattern.subpat.is_some() {
            return self.errors.add(pattern, "an argument is stored by its name: give it a plain one");
        }
        let ty = types::without_self(&argument.ty, &self.own);
        fields.push(Field { ident: pattern.ident.clone(), ty });
    }

    /// The arguments behind the receiver. A macro sees tokens, so each kind is known by its type's name.
    pub(super) fn given<'s>(&self, method: &'s ImplItemFn) -> Vec<Given<'s>> {
        let arguments = method.sig.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(argument) => Some(argument),
            FnArg::Receiver(_) => None,
        });
        arguments.enumerate().map(|(index, argument)| self.given_one(argument, index)).collect()
    }

    fn given_one<'s>(&self, argument: &'s PatType, index: usize) -> Given<'s> {
        let ty = &*argument.ty;
        let turn = self.turn_type();
        let Some(segment) = types::last_segment(types::lent(ty)) else { return Given::Other(argument) };
        let is_lent = matches!(ty, Type::Reference(_));
        let is_mut = matches!(ty, Type::Reference(reference) if reference.mutability.is_some());
        if segment.ident == "Turn" && (is_lent || types::lends_or_names(segment, &self.engine())) {
            return match (is_mut, index) {
                (true, 0) => Given::Turn(argument),
                (true, _) => Given::Wrong(argument, "the turn comes first, right behind `self`".to_owned()),
                (false, _) => Given::Wrong(
                    argument,
                    format!("the turn is lent, to be asked for things: take a `{turn}`"),
                ),
            };
        }
        if segment.ident == "Context" && is_lent {
            return Given::Wrong(
                argument,
                format!("a durable actor has turns and no context: take a `{turn}`"),
            );
        }
        if types::reply_port(ty).is_some() {
            let what = "a durable actor's reply is stored with its turn: return it, and remove the port";
            return Given::Wrong(argument, what.to_owned());
        }
        Given::Other(argument)
    }

    /// The turn as a method takes it.
    pub(super) fn turn_type(&self) -> String {
        format!("&mut Turn<'_, {}>", self.engine())
    }

    fn engine(&self) -> Ident {
        quote::format_ident!("{}Durable", self.name)
    }

    /// The reply, and why it may be refused.
    fn output(&mut self, output: &ReturnType) -> (Type, Option<Type>) {
        let ReturnType::Type(_, ty) = output else { return (parse_quote!(()), None) };
        let parts = types::last_segment(ty).filter(|segment| segment.ident == "Result").map(|segment| {
            let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return Vec::new() };
            let types = arguments.args.iter().filter_map(|argument| match argument {
                syn::GenericArgument::Type(ty) => Some(ty.clone()),
                _ => None,
            });
            types.collect()
        });
        let (reply, error) = match parts.as_deref() {
            None => (Type::clone(ty), None),
            Some([reply, error]) => (reply.clone(), Some(error.clone())),
            Some(_) => {
                let what =
                    "the error is stored, and the reference names it: write both types, `Result<T, E>`";
                self.errors.add(ty, what);
                return (parse_quote!(()), None);
            }
        };
        types::sendable(&reply, Place::Reply, self.errors);
        if let Some(error) = &error {
            types::sendable(error, Place::Reply, self.errors);
        }
        (types::without_self(&reply, &self.own), error.map(|error| types::without_self(&error, &self.own)))
    }

    /// The variant's name, unless it is taken.
    fn variant(&mut self, method: &Ident, has_condition: bool) -> Option<Ident> {
        let camel = camel(method);
        if !camel.starts_with(|first: char| first.is_alphabetic()) {
            self.errors.add(method, "the command is named after the method: begin it with a letter");
            return None;
        }
        // Of two that have conditions, the compiler sees one, or says so.
        if let Some((first, had_condition)) =
            self.variants.insert(camel.clone(), (method.clone(), has_condition))
            && !(has_condition && had_condition)
        {
            let what = format!("this command would be called `{camel}`, as that of `{first}`: rename one");
            self.errors.add(method, what);
            return None;
        }
        let variant = if camel == "Self" { "Self_".to_owned() } else { camel };
        Some(Ident::new(&variant, method.span()))
    }

    /// Holds the names of its form, that no two commands are read from the same bytes.
    fn take_forms(&mut self, method: &Ident, names: &[String], has_condition: bool) {
        for name in names {
            let taken = self.forms.insert(name.clone(), (method.clone(), has_condition));
            if let Some((first, _)) = taken.filter(|(_, had_condition)| !(has_condition && *had_condition)) {
                self.errors
                    .add(method, format!("`{name}` is read as `{first}` already: remove one `#[was]`"));
            }
        }
    }
}

fn is_lint(attr: &Attribute) -> bool {
    ["allow", "expect", "warn", "deny", "forbid"].iter().any(|lint| attr.path().is_ident(lint))
}

/// serde has tuples of no more.
const FIELDS_MAX: usize = 16;
