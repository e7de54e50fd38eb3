//! The attributes that give a method a role, of whichever kind of actor it is, and what else stands on a method.

use proc_macro2::TokenTree;
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Token};

use crate::errors::Errors;

/// What our own attribute makes of a method.
pub(crate) trait Role: Copy + PartialEq + 'static {
    /// Each, and the attribute that says so.
    const ALL: &'static [(&'static str, Self)];

    /// The role that an attribute gives.
    fn of(attr: &Attribute) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| attr.path().is_ident(name)).map(|(_, role)| *role)
    }

    /// As it is written.
    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, role)| *role == self).map_or("", |(name, _)| name)
    }
}

/// Keeps the role of a method, which has one.
pub(crate) fn take<R: Role>(
    slot: &mut Option<(R, Attribute)>,
    role: R,
    attr: Attribute,
    errors: &mut Errors,
) {
    if !matches!(attr.meta, Meta::Path(_)) {
        errors.add(&attr, format!("`#[{}]` takes no arguments", role.name()));
    }
    match slot {
        Some((first, _)) => errors.add(
            &attr,
            format!("a method has one role, and this one is marked `#[{}]` already", first.name()),
        ),
        None => *slot = Some((role, attr)),
    }
}

/// What of a method's attributes goes to what is generated for it.
#[derive(Default)]
pub(crate) struct Copied {
    pub(crate) docs: Vec<Attribute>,
    pub(crate) cfgs: Vec<Attribute>,
    /// To the reference's method.
    pub(crate) reference: Vec<Attribute>,
}

impl Copied {
    pub(crate) fn look_at(&mut self, attr: &Attribute) {
        let path = attr.path();
        let to = if path.is_ident("doc") {
            &mut self.docs
        } else if path.is_ident("cfg") {
            &mut self.cfgs
        } else if path.is_ident("deprecated") || path.is_ident("allow") {
            &mut self.reference
        } else {
            return;
        };
        to.push(attr.clone());
    }
}

/// Refuses a `cfg_attr` that holds what we would have to know of: a role, or one of `others`. Whether it does.
pub(crate) fn refuse_conditional<R: Role>(
    attr: &Attribute,
    others: &[&'static str],
    errors: &mut Errors,
) -> bool {
    let Some(ours) = conditional::<R>(attr, others) else { return false };
    let advice = match ours {
        "cfg" => "put the whole condition into a `#[cfg(..)]`".to_owned(),
        _ => format!("write `#[{ours}]` itself, on one of two methods with a `#[cfg(..)]` if need be"),
    };
    let what = "`#[actor]` reads its attributes before the compiler decides on a `cfg_attr`";
    errors.add(attr, format!("{what}: {advice}"));
    true
}

fn conditional<R: Role>(attr: &Attribute, others: &[&'static str]) -> Option<&'static str> {
    let list = attr.meta.require_list().ok().filter(|list| list.path.is_ident("cfg_attr"))?;
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let held = list.tokens.clone().into_iter().skip_while(|token| !is_comma(token)).skip(1).collect();
    let held = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(held).ok()?;
    held.iter().find_map(|meta| {
        let both = ["cfg", "cfg_attr"].iter().chain(others);
        let mut names = R::ALL.iter().map(|(name, _)| name).chain(both);
        names.find(|name| meta.path().is_ident(name)).copied()
    })
}
