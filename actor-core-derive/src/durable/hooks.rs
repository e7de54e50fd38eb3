//! The attributes on a method of a durable actor, and the methods that are no commands.

use syn::{Attribute, ImplItemFn, LitStr, Receiver, ReceiverKind, ReturnType, Signature, Type};

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
    Answer,
}

impl roles::Role for Role {
    const ALL: &'static [(&'static str, Self)] = &[
        ("init", Self::Init),
        ("started", Self::Started),
        ("recovered", Self::Recovered),
        ("checkpoint", Self::Checkpoint),
        ("answer", Self::Answer),
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
        let written = attr.parse_args::<LitStr>().map_err(|_| {
            let advice = "this takes what the command was called, as text: `#[was(\"add(by: i64)\")]`";
            match attr.meta.require_list() {
                Ok(list) if !list.tokens.is_empty() => syn::Error::new_spanned(&list.tokens, advice),
                _ => syn::Error::new_spanned(attr, advice),
            }
        });
        let read = written.and_then(|text| {
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
        self.hook_receiver(signature, role);
        if let Some(asyncness) = signature.asyncness.filter(|_| runs_at_once(role)) {
            self.errors.add(asyncness, format!("`#[{name}]` runs at once: remove `async`"));
        }
        let takes_argument = self.hook_arguments(method, role);
        self.hook_output(signature, role);
        let hook =
            Hook { method: signature.ident.clone(), takes_argument, is_async: signature.asyncness.is_some() };
        let slot = match role {
            Role::Init => &mut self.hooks.init,
            Role::Started => &mut self.hooks.started,
            Role::Recovered => &mut self.hooks.recovered,
            Role::Checkpoint => &mut self.hooks.checkpoint,
            Role::Answer => &mut self.hooks.answer,
        };
        if let Some(first) = slot {
            let what = format!("`{}` is `#[{name}]` already: make them one method", first.method);
            self.errors.add(attrs.role.map(|(_, mark)| mark), what);
        } else {
            *slot = Some(hook);
        }
    }

    fn hook_receiver(&mut self, signature: &Signature, role: Role) {
        match (signature.receiver(), role) {
            (Some(receiver), Role::Init) => {
                self.errors.add(receiver, "`#[init]` builds the struct, so there is none yet: remove `self`");
            }
            (Some(receiver), Role::Answer) => {
                let what = "`#[answer]` says which command the answer is, and that command has its turn: remove `self`";
                self.errors.add(receiver, what);
            }
            (None, Role::Init | Role::Answer) => {}
            (Some(receiver), _) => self.receiver(receiver),
            (None, _) => {
                let what = format!("`#[{}]` runs in the actor: take `&mut self` or `&self`", role.name());
                self.errors.add(&signature.ident, what);
            }
        }
        if let Some(receiver) =
            signature.receiver().filter(|receiver| is_mut(receiver) && role == Role::Checkpoint)
        {
            self.errors.add(receiver, "`#[checkpoint]` only looks: take `&self`");
        }
    }

    fn hook_output(&mut self, signature: &Signature, role: Role) {
        match (&signature.output, role) {
            (ReturnType::Default, Role::Init) => {
                self.errors.add(&signature.ident, "a durable actor's `#[init]` returns `Self`");
            }
            (ReturnType::Default, Role::Answer) => {
                let what = format!(
                    "`#[answer]` makes a command: return a `Result<{}Command, CodecError>`",
                    self.name
                );
                self.errors.add(&signature.ident, what);
            }
            (ReturnType::Type(_, ty), Role::Checkpoint) if !types::is_unit(ty) => {
                self.errors.add(ty, "nobody hears what `#[checkpoint]` says: return nothing");
            }
            _ => {}
        }
    }

    /// Whether the hook takes its one argument.
    fn hook_arguments(&mut self, method: &ImplItemFn, role: Role) -> bool {
        let wanted = match role {
            Role::Started => format!("a `{}`", self.turn_type()),
            Role::Answer => "an `&Answer<'_>`".to_owned(),
            Role::Init | Role::Recovered | Role::Checkpoint => "an `&DurableId`".to_owned(),
        };
        let (mut takes, before) = (false, self.errors.count());
        for given in self.given(method) {
            let (fits, argument) = match given {
                Given::Turn(argument) => (role == Role::Started, argument),
                Given::Other(argument) => (is_wanted(role, &argument.ty), argument),
                Given::Wrong(argument, what) => {
                    self.errors.add(&argument.ty, what);
                    continue;
                }
            };
            if fits && !takes {
                takes = true;
            } else {
                self.errors.add(argument, format!("`#[{}]` takes nothing but {wanted}", role.name()));
            }
        }
        if role == Role::Answer && !takes && self.errors.count() == before {
            self.errors.add(&method.sig.ident, format!("`#[answer]` takes {wanted}"));
        }
        takes
    }
}

/// Whether nothing waits for a hook.
fn runs_at_once(role: Role) -> bool {
    matches!(role, Role::Init | Role::Checkpoint | Role::Answer)
}

/// Whether it is what a hook takes that takes no turn.
fn is_wanted(role: Role, ty: &Type) -> bool {
    match role {
        Role::Started => false,
        Role::Answer => is_lent(ty, "Answer"),
        Role::Init | Role::Recovered | Role::Checkpoint => is_lent(ty, "DurableId"),
    }
}

/// Whether something of this name is lent, to be looked at.
fn is_lent(ty: &Type, name: &str) -> bool {
    let is_lent = matches!(ty, Type::Reference(reference) if reference.mutability.is_none());
    is_lent && types::last_segment(types::lent(ty)).is_some_and(|segment| segment.ident == name)
}

/// Whether it is `&mut self`.
pub(super) fn is_mut(receiver: &Receiver) -> bool {
    matches!(receiver.kind, ReceiverKind::Reference(_, _, Some(_)))
}
