//! Which message goes before others, and which is not wanted any more: `#[priority(..)]`
//! and `#[expires]`, on a method or on one of its arguments.
//!
//! ```text
//!                       on a method                    on an argument
//!  #[priority(high)]    the message is always so       -
//!  #[priority]          -                              its value says it
//!  #[expires]           when its caller has gone       at the moment that it holds
//! ```

use proc_macro2::Ident;
use syn::{Attribute, Meta, Type};

use crate::ast::Kind;
use crate::errors::Errors;

/// How urgent a message is.
pub(crate) enum Urgency {
    /// Always as this variant of `Priority` says, in the place of the user's word.
    Always(Ident),
    /// As this field says, whose type the user gave.
    Field(Ident, Box<Type>),
}

/// Until when a message is wanted.
pub(crate) enum Expiry {
    /// As long as its caller waits.
    WithCaller,
    /// As this field says, whose type the user gave.
    Field(Ident, Box<Type>),
}

/// Our attributes of one method or one argument, as written.
#[derive(Default)]
pub(crate) struct Marks {
    priority: Option<Attribute>,
    expires: Option<Attribute>,
}

impl Marks {
    /// Takes them off.
    pub(crate) fn take(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Self {
        let mut marks = Self::default();
        let mut rest = Vec::new();
        for attr in attrs.drain(..) {
            let (slot, name) = if attr.path().is_ident("priority") {
                (&mut marks.priority, "priority")
            } else if attr.path().is_ident("expires") {
                (&mut marks.expires, "expires")
            } else {
                rest.push(attr);
                continue;
            };
            match slot {
                None => *slot = Some(attr),
                Some(_) => errors.add(&attr, format!("`#[{name}]` is here twice")),
            }
        }
        *attrs = rest;
        marks
    }

    /// Reports them where there is no message.
    pub(crate) fn refuse(self, role: &str, errors: &mut Errors) {
        for attr in [self.priority, self.expires].into_iter().flatten() {
            let what = format!("this is about a message, and `#[{role}]` makes none: remove it");
            errors.add(attr, what);
        }
    }
}

/// An argument that becomes a field, with its marks.
pub(crate) struct Marked {
    pub(crate) ident: Ident,
    /// As the user wrote it.
    pub(crate) ty: Box<Type>,
    pub(crate) marks: Marks,
}

/// What a method's attribute and those of its arguments say of its priority.
pub(crate) fn urgency(method: &Marks, arguments: &[Marked], errors: &mut Errors) -> Option<Urgency> {
    let is_said = method.priority.is_some();
    let found = method.priority.as_ref().and_then(|attr| always(attr, errors));
    let marked = marked(arguments, |marks| marks.priority.as_ref(), is_said, &PRIORITY_MISTAKES, errors);
    found.or(marked.map(|(ident, ty)| Urgency::Field(ident, ty)))
}

/// What is wrong with a mark on an argument.
struct Mistakes {
    /// It has arguments of its own.
    not_alone: &'static str,
    /// The method, or another argument, has it too.
    again: &'static str,
}

const PRIORITY_MISTAKES: Mistakes = Mistakes {
    not_alone: "on an argument it is `#[priority]` alone: the argument's value says how urgent the message is",
    again: "a message has one priority, and something else says it already",
};

const EXPIRY_MISTAKES: Mistakes = Mistakes {
    not_alone: "on an argument it is `#[expires]` alone: the argument holds until when the message is wanted",
    again: "a message expires in one way, and something else says it already",
};

/// The one argument that has a mark, if nothing before it says the same.
fn marked(
    arguments: &[Marked],
    mark: impl Fn(&Marks) -> Option<&Attribute>,
    mut is_said: bool,
    mistakes: &Mistakes,
    errors: &mut Errors,
) -> Option<(Ident, Box<Type>)> {
    let mut found = None;
    for Marked { ident, ty, marks } in arguments {
        let Some(attr) = mark(marks) else { continue };
        if !matches!(attr.meta, Meta::Path(_)) {
            errors.add(attr, mistakes.not_alone);
        } else if is_said {
            errors.add(attr, mistakes.again);
        } else {
            found = Some((ident.clone(), ty.clone()));
        }
        is_said = true;
    }
    found
}

/// `#[priority(high)]`
fn always(attr: &Attribute, errors: &mut Errors) -> Option<Urgency> {
    const WORDS: &str =
        "say how urgent the message is: `#[priority(high)]`, `#[priority(normal)]` or `#[priority(low)]`";
    let Meta::List(list) = &attr.meta else {
        errors
            .add(attr, format!("{WORDS}; or mark an argument that says it, `#[priority] urgency: Priority`"));
        return None;
    };
    let Ok(word) = list.parse_args::<Ident>() else {
        errors.add(attr, WORDS);
        return None;
    };
    let variant = match word.to_string().as_str() {
        "high" => "High",
        "normal" => "Normal",
        "low" => "Low",
        _ => {
            errors.add(word, WORDS);
            return None;
        }
    };
    Some(Urgency::Always(Ident::new(variant, word.span())))
}

/// What a method's attribute and those of its arguments say of its end.
pub(crate) fn expiry(
    method: &Marks,
    arguments: &[Marked],
    kind: &Kind,
    errors: &mut Errors,
) -> Option<Expiry> {
    let is_said = method.expires.is_some();
    let found = method.expires.as_ref().and_then(|attr| with_caller(attr, kind, errors));
    let marked = marked(arguments, |marks| marks.expires.as_ref(), is_said, &EXPIRY_MISTAKES, errors);
    found.or(marked.map(|(ident, ty)| Expiry::Field(ident, ty)))
}

/// `#[expires]`
fn with_caller(attr: &Attribute, kind: &Kind, errors: &mut Errors) -> Option<Expiry> {
    if !matches!(attr.meta, Meta::Path(_)) {
        let what = "`#[expires]` takes no arguments: a message does not know when it was sent, so it cannot expire \
                    some time after; a call is wanted as long as its caller waits, and an argument \
                    `#[expires] until: Instant` says until when";
        errors.add(attr, what);
        return None;
    }
    match kind {
        Kind::Call(_) | Kind::Delegated(_) => Some(Expiry::WithCaller),
        Kind::Cast => {
            let what = "a `#[cast]` has no caller who could stop waiting: mark an argument that says until when the \
                        message is wanted, `#[expires] until: Instant`";
            errors.add(attr, what);
            None
        }
    }
}
