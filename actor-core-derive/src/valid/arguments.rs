//! The arguments of a method: which of them travel, and which it gets where it runs.

use proc_macro2::Ident;
use quote::format_ident;
use syn::{Attribute, FnArg, Pat, PatType, Signature, Type};

use super::Reader;
use crate::ast::{Argument, Arguments, Field};
use crate::attr;
use crate::sorting::{Marked, Marks};
use crate::types::{self, Place};

/// Which arguments a role has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    Message,
    Init,
    Hook,
    Supervision,
    Error,
}

pub(super) struct Read<'s> {
    pub(super) fields: Vec<Field>,
    pub(super) call: Arguments,
    /// The fields, with what is said of them.
    pub(super) marked: Vec<Marked>,
    pub(super) port: Option<(&'s PatType, Type)>,
}

impl Reader<'_> {
    pub(super) fn arguments<'s>(
        &mut self,
        signature: &'s Signature,
        attrs: Vec<Vec<Attribute>>,
        allowed: Allowed,
    ) -> Read<'s> {
        let mut read = Read { fields: Vec::new(), call: Arguments::new(), marked: Vec::new(), port: None };
        let typed = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(argument) => Some(argument),
            FnArg::Receiver(_) => None,
        });
        let mut attrs = attrs.into_iter();
        for (index, argument) in typed.enumerate() {
            let attrs = attrs.next().unwrap_or_default();
            self.argument(argument, attrs, index, allowed, &mut read);
        }
        read
    }

    fn argument<'s>(
        &mut self,
        argument: &'s PatType,
        mut attrs: Vec<Attribute>,
        index: usize,
        allowed: Allowed,
        read: &mut Read<'s>,
    ) {
        if self.is_context(&argument.ty) {
            if allowed == Allowed::Error {
                let what = "`#[on_error]` decides from the error and the struct: it has no context";
                return self.errors.add(&argument.ty, what);
            }
            self.context(&argument.ty, index);
            attr::refuse_field(attrs, "the context", self.errors);
            return read.call.push(Argument::Context(Type::clone(&argument.ty)));
        }
        match allowed {
            Allowed::Hook => {
                return self.errors.add(argument, "this hook takes nothing but a `&Context<'_, ..>`");
            }
            Allowed::Supervision
                if read.call.iter().any(|argument| matches!(argument, Argument::Event(_))) =>
            {
                return self
                    .errors
                    .add(argument, "`#[supervision]` takes the event and, before it, the context");
            }
            Allowed::Supervision => {
                attr::refuse_field(attrs, "the event", self.errors);
                if matches!(*argument.ty, Type::Reference(_)) {
                    self.errors.add(&argument.ty, "the event is yours to keep: take a `SupervisionEvent`");
                }
                return read.call.push(Argument::Event(Type::clone(&argument.ty)));
            }
            Allowed::Error => return self.error(argument, attrs, read),
            Allowed::Init | Allowed::Message => {}
        }
        if let Some(reply) = types::reply_port(&argument.ty).filter(|_| allowed == Allowed::Message) {
            match &read.port {
                Some(_) => {
                    self.errors.add(&argument.ty, "a call has one answer: this is a second `ReplyPort`");
                }
                None => read.port = Some((argument, reply)),
            }
            attr::refuse_field(attrs, "the port", self.errors);
            return read.call.push(Argument::Port);
        }
        types::sendable(&argument.ty, Place::Argument, self.errors);
        let Pat::Ident(pattern) = &*argument.pat else {
            let what = "an argument becomes a field: give it a name, and take it apart inside the method";
            return self.errors.add(&argument.pat, what);
        };
        if pattern.by_ref.is_some() || pattern.subpat.is_some() {
            return self.errors.add(pattern, "an argument becomes a field: give it a plain name");
        }
        if allowed == Allowed::Init {
            let attrs = std::mem::take(&mut attrs);
            attr::refuse_field(attrs, "an argument of `#[init]`", self.errors);
        }
        let marks = Marks::take(&mut attrs, self.errors);
        read.marked.push(Marked { ident: pattern.ident.clone(), ty: argument.ty.clone(), marks });
        let (docs, attrs) = attrs.into_iter().partition(|attr| attr.path().is_ident("doc"));
        let ty = types::without_self(&argument.ty, &self.own);
        read.call.push(Argument::Field(pattern.ident.clone()));
        read.fields.push(Field { ident: pattern.ident.clone(), ty, docs, attrs });
    }

    /// The one argument of `#[on_error]`.
    fn error(&mut self, argument: &PatType, attrs: Vec<Attribute>, read: &mut Read<'_>) {
        if !read.call.is_empty() {
            return self.errors.add(argument, "`#[on_error]` takes the error and nothing else");
        }
        attr::refuse_field(attrs, "the error", self.errors);
        match &*argument.ty {
            Type::Reference(reference) if reference.mutability.is_none() => {}
            _ => {
                let what = "the error is lent, and goes on to the supervisor: take a `&ActorError`";
                self.errors.add(&argument.ty, what);
            }
        }
        read.call.push(Argument::Error(Type::clone(&argument.ty)));
    }

    /// A macro sees tokens, so the context is known by its name. A type of the user's may have
    /// that name too: by value it is the context only if it lends, or names the actor.
    pub(super) fn is_context(&self, ty: &Type) -> bool {
        let is_lent = matches!(ty, Type::Reference(_));
        let segment = types::last_segment(types::lent(ty)).filter(|segment| segment.ident == "Context");
        segment.is_some_and(|segment| is_lent || types::lends_or_names(segment, &self.reference()))
    }

    fn reference(&self) -> Ident {
        format_ident!("{}Ref", self.name)
    }

    fn context(&mut self, ty: &Type, index: usize) {
        let reference = self.reference();
        match (ty, index) {
            (Type::Reference(reference), 0) if reference.mutability.is_none() => {}
            (Type::Reference(_), 0) => {
                self.errors.add(ty, "the context is lent to look at: `&Context<'_, ..>`");
            }
            (Type::Reference(_), _) => self.errors.add(
                ty,
                "the context comes first, right behind `self`; if this is another type of that name, a message \
                 owns its arguments",
            ),
            (_, 0) => self
                .errors
                .add(ty, format!("the context is lent: take it by reference, `&Context<'_, {reference}>`")),
            _ => self.errors.add(
                ty,
                format!("the context is lent, and comes first: `&Context<'_, {reference}>`, right behind `self`"),
            ),
        }
    }
}
