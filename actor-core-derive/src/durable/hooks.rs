//! The attributes on a method of a durable actor, and the methods that are no commands.

use syn::{Attribute, ImplItemFn, LitStr, Receiver, ReceiverKind, ReturnType, Type};

use super::form::Former;
use super::read::{Given, Reader};
use super::surface::Hook;
use crate::errors::Errors;
use crate::roles::{self, Copied, Role as _};
use crate::types;

/// What our own attribute makes of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Init,
    Started,
    Recovered,
    Checkpoint,
}

impl roles::Role for Role {
    const ALL: &'static [(&'static str, Self)] = &[
        ("init", Self::Init),
        ("started", Self::Started),
        ("recovered", Self::Recovered),
        ("checkpoint", Self::Checkpoint),
    ];
}

/// What the attributes of a method say.
#[derive(Default)]
pub(super) struct Attrs {
    pub(super) role: Option<(Role, Attribute)>,
    /// What it was called, with where that stands.
    pub(super) was: Vec<(LitStr, Former)>,
    pub(super) copied: Copied,
}

impl Attrs {
    /// Takes our attributes off a method, and copies those that what we generate needs.
    pub(super) fn take(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Self {
        let mut read = Self::default();
        let mut rest = Vec::new();
        for attr in attrs.drain(..) {
            let path = attr.path();
            if let Some(role) = Role::of(&attr) {
                roles::take(&mut read.role, role, attr, errors);
                continue;
            } else if path.is_ident("was") {
                read.take_was(&attr, errors);
                continue;
            } else if let Some(why) = foreign(path.get_ident().map(ToString::to_string).as_deref()) {
                errors.add(&attr, why);
                continue;
            } else if roles::refuse_conditional::<Role>(&attr, &["was"], errors) {
                continue;
            }
            read.copied.look_at(&attr);
            rest.push(attr);
        }
        *attrs = rest;
        read
    }

    fn take_was(&mut self, attr: &Attribute, errors: &mut Errors) {
        let read = attr.parse_args::<LitStr>().and_then(|text| {
            let advice = "this is no former command, such as `add(by: i64)`";
            let former = text.parse().map_err(|_| syn::Error::new_spanned(&text, advice))?;
            Ok((text, former))
        });
        match read {
            Ok(was) => self.was.push(was),
            Err(error) => errors.push(error),
        }
    }
}

/// Why an attribute of other actors is none of these.
fn foreign(attribute: Option<&str>) -> Option<&'static str> {
    Some(match attribute? {
        "cast" => {
            "whether somebody waits for a command's reply is the caller's to say, by `.send()`: remove `#[cast]`"
        }
        "stopping" => {
            "a durable actor's process may end without a word, and nothing may depend on its last one: remove \
             `#[stopping]`"
        }
        "supervision" => "the children of a durable actor are recorded by its turns: remove `#[supervision]`",
        "on_error" => {
            "an error of a durable actor's method is its refusal, and is stored: remove `#[on_error]`"
        }
        "priority" => "a durable actor takes its commands in the order they came: remove `#[priority]`",
        "expires" => "a command that was accepted is handled, whoever waits for it: remove `#[expires]`",
        "wire" | "message" => {
            "a command is stored by its method's name: remove this, or see `#[was(\"..\")]`"
        }
        _ => return None,
    })
}

impl Reader<'_> {
    pub(super) fn hook(&mut self, method: &ImplItemFn, role: Role, attrs: Attrs) {
        let (signature, name) = (&method.sig, role.name());
        for (text, _) in &attrs.was {
            self.errors.add(
                text,
                format!("`#[{name}]` is no command, and nothing of it is stored: remove `#[was]`"),
            );
        }
        for cfg in &attrs.copied.cfgs {
            self.errors.add(cfg, "a hook is always there: put the `#[cfg]` inside it");
        }
        match (signature.receiver(), role) {
            (Some(receiver), Role::Init) => {
                self.errors.add(receiver, "`#[init]` builds the struct, so there is none yet: remove `self`");
            }
            (Some(receiver), _) => self.receiver(receiver),
            (None, Role::Init) => {}
            (None, _) => self
                .errors
                .add(&signature.ident, format!("`#[{name}]` runs in the actor: take `&mut self` or `&self`")),
        }
        if let Some(receiver) =
            signature.receiver().filter(|receiver| is_mut(receiver) && role == Role::Checkpoint)
        {
            self.errors.add(receiver, "`#[checkpoint]` only looks: take `&self`");
        }
        if let Some(asyncness) = signature.asyncness.filter(|_| matches!(role, Role::Init | Role::Checkpoint))
        {
            self.errors.add(asyncness, format!("`#[{name}]` runs at once: remove `async`"));
        }
        let takes_argument = self.hook_arguments(method, role);
        match (&signature.output, role) {
            (ReturnType::Default, Role::Init) => {
                self.errors.add(&signature.ident, "a durable actor's `#[init]` returns `Self`");
            }
            (ReturnType::Type(_, ty), Role::Checkpoint) if !types::is_unit(ty) => {
                self.errors.add(ty, "nobody hears what `#[checkpoint]` says: return nothing");
            }
            _ => {}
        }
        let hook =
            Hook { method: signature.ident.clone(), takes_argument, is_async: signature.asyncness.is_some() };
        let slot = match role {
            Role::Init => &mut self.hooks.init,
            Role::Started => &mut self.hooks.started,
            Role::Recovered => &mut self.hooks.recovered,
            Role::Checkpoint => &mut self.hooks.checkpoint,
        };
        if let Some(first) = slot {
            let what = format!("`{}` is `#[{name}]` already: make them one method", first.method);
            self.errors.add(attrs.role.map(|(_, mark)| mark), what);
        } else {
            *slot = Some(hook);
        }
    }

    /// Whether the hook takes its one argument.
    fn hook_arguments(&mut self, method: &ImplItemFn, role: Role) -> bool {
        let turn = self.turn_type();
        let mut takes = false;
        for given in self.given(method) {
            let (fits, argument, what) = match given {
                Given::Turn(argument) => (role == Role::Started, argument, String::new()),
                Given::Other(argument) => {
                    (role != Role::Started && is_id(&argument.ty), argument, String::new())
                }
                Given::Wrong(argument, what) => (false, argument, what),
            };
            match (fits && !takes, role) {
                (true, _) => takes = true,
                (false, _) if !what.is_empty() => self.errors.add(&argument.ty, what),
                (false, Role::Started) => {
                    self.errors.add(argument, format!("`#[started]` takes nothing but a `{turn}`"));
                }
                (false, _) => {
                    self.errors
                        .add(argument, format!("`#[{}]` takes nothing but an `&DurableId`", role.name()));
                }
            }
        }
        takes
    }
}

/// The actor's id is lent.
fn is_id(ty: &Type) -> bool {
    let is_lent = matches!(ty, Type::Reference(reference) if reference.mutability.is_none());
    is_lent && types::last_segment(types::lent(ty)).is_some_and(|segment| segment.ident == "DurableId")
}

/// Whether it is `&mut self`.
pub(super) fn is_mut(receiver: &Receiver) -> bool {
    matches!(receiver.kind, ReceiverKind::Reference(_, _, Some(_)))
}
