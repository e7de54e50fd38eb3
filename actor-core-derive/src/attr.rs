//! The options of `#[actor(..)]` and the attributes on methods, as written. What they
//! mean together is `valid.rs`'s business.

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, LitInt, LitStr, Meta, Path, Token, Visibility, parenthesized, token};

use crate::ast::MessageAttrs;
use crate::errors::Errors;

/// What stands in `#[actor(..)]`.
#[derive(Default)]
pub(crate) struct Options {
    pub(crate) is_local: bool,
    pub(crate) remote: Option<Ident>,
    pub(crate) fail_on_err: Option<Ident>,
    /// As it is written, and more than zero.
    pub(crate) ageing: Option<LitInt>,
    pub(crate) vis: Option<Visibility>,
    pub(crate) krate: Option<Path>,
    /// The insides of attributes for the enum.
    pub(crate) message: Vec<TokenStream>,
    /// The insides of attributes for the structs.
    pub(crate) structs: Vec<TokenStream>,
    /// Whether an attribute of the enum derives `RemoteMessage`.
    pub(crate) derives_remote: bool,
}

impl Options {
    /// Reads the options up to the first that is none.
    pub(crate) fn read(tokens: TokenStream, errors: &mut Errors) -> Self {
        let mut read = Self::default();
        errors.absorb((|input: ParseStream<'_>| read.read_all(input)).parse2(tokens));
        if let Some(remote) = read.remote.take_if(|_| read.derives_remote) {
            errors.add(remote, "`RemoteMessage` is derived already: remove `remote`, or the derive");
            read.message.clear();
            read.derives_remote = false;
        }
        read
    }

    /// Whether the enum travels between nodes.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote.is_some() || self.derives_remote
    }

    fn read_all(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        while !input.is_empty() {
            self.read_one(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }

    fn read_one(&mut self, input: ParseStream<'_>) -> syn::Result<()> {
        if input.peek(Token![pub]) {
            let vis: Visibility = input.parse()?;
            return once_at(&mut self.vis, &vis, vis.clone());
        }
        if input.peek(Token![crate]) {
            let word: Token![crate] = input.parse()?;
            input.parse::<Token![=]>()?;
            let text: LitStr = input.parse()?;
            let path = text
                .parse_with(Path::parse_mod_style)
                .map_err(|_| syn::Error::new_spanned(&text, "this is no path such as `framework::core`"))?;
            return once_at(&mut self.krate, &word, path);
        }
        let word: Ident = input.parse().map_err(|error| syn::Error::new(error.span(), OPTIONS))?;
        match word.to_string().as_str() {
            "local" => once(&mut self.is_local, &word),
            "remote" => once_at(&mut self.remote, &word, word.clone()),
            "fail_on_err" => once_at(&mut self.fail_on_err, &word, word.clone()),
            "ageing" => {
                let number = ageing(&word, input)?;
                once_at(&mut self.ageing, &word, number)
            }
            "derive" => {
                let inside = parenthesis(&word, input)?;
                self.add_message(quote!(#word(#inside)))
            }
            "message" => {
                let inside = parenthesis(&word, input)?;
                let attributes = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(inside)?;
                attributes.into_iter().try_for_each(|meta| self.add_message(meta.into_token_stream()))
            }
            "structs" => {
                let inside = parenthesis(&word, input)?;
                let attributes = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(inside)?;
                self.structs.extend(attributes.into_iter().map(ToTokens::into_token_stream));
                Ok(())
            }
            _ => Err(syn::Error::new_spanned(&word, OPTIONS)),
        }
    }

    fn add_message(&mut self, attribute: TokenStream) -> syn::Result<()> {
        if let Meta::List(list) = syn::parse2(attribute.clone())?
            && list.path.is_ident("derive")
        {
            let derives = list.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)?;
            let is_remote =
                |path: &Path| path.segments.last().is_some_and(|last| last.ident == "RemoteMessage");
            self.derives_remote |= derives.iter().any(is_remote);
        }
        self.message.push(attribute);
        Ok(())
    }
}

fn parenthesis(word: &Ident, input: ParseStream<'_>) -> syn::Result<TokenStream> {
    if !input.peek(token::Paren) {
        return Err(syn::Error::new_spanned(word, format!("`{word}` takes a list: `{word}(..)`")));
    }
    let inside;
    parenthesized!(inside in input);
    inside.parse()
}

fn once(flag: &mut bool, word: &Ident) -> syn::Result<()> {
    if std::mem::replace(flag, true) { Err(twice(word)) } else { Ok(()) }
}

/// Keeps what an option says. `place` is where it stands.
fn once_at<T>(slot: &mut Option<T>, place: &impl ToTokens, value: T) -> syn::Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(twice(place)),
    }
}

/// The number of `ageing = 4`.
fn ageing(word: &Ident, input: ParseStream<'_>) -> syn::Result<LitInt> {
    let advice =
        "`ageing` is after how many more urgent messages a less urgent one has its turn: `ageing = 4`";
    if !input.peek(Token![=]) {
        return Err(syn::Error::new_spanned(word, advice));
    }
    input.parse::<Token![=]>()?;
    let number: LitInt = input.parse().map_err(|error| syn::Error::new(error.span(), advice))?;
    match number.base10_parse::<u32>() {
        Ok(1..) if matches!(number.suffix(), "" | "u32") => Ok(number),
        _ => Err(syn::Error::new_spanned(&number, format!("{advice}; at least 1, and a `u32`"))),
    }
}

fn twice(tokens: impl ToTokens) -> syn::Error {
    syn::Error::new_spanned(tokens, "this option is here twice")
}

const OPTIONS: &str = "the options are `durable`, `local`, `remote`, `fail_on_err`, `ageing = 4`, `derive(..)`, `message(..)`, `structs(..)`, a \
     visibility such as `pub(crate)`, and `crate = \"path\"`";

/// What our own attribute makes of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Cast,
    Init,
    Started,
    Stopping,
    Supervision,
    OnError,
}

impl Role {
    const ALL: [(&'static str, Self); 6] = [
        ("cast", Self::Cast),
        ("init", Self::Init),
        ("started", Self::Started),
        ("stopping", Self::Stopping),
        ("supervision", Self::Supervision),
        ("on_error", Self::OnError),
    ];

    fn of(attr: &Attribute) -> Option<Self> {
        Self::ALL.into_iter().find(|(name, _)| attr.path().is_ident(name)).map(|(_, role)| role)
    }

    /// As it is written.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, role)| *role == self).map_or("", |(name, _)| name)
    }
}

/// Takes our attributes off a method, and copies those that what we generate needs.
pub(crate) fn take(
    attrs: &mut Vec<Attribute>,
    errors: &mut Errors,
) -> (Option<(Role, Attribute)>, MessageAttrs) {
    let mut role: Option<(Role, Attribute)> = None;
    let mut read = MessageAttrs::default();
    let (mut rest, mut passed_on) = (Vec::new(), Vec::new());
    for attr in attrs.drain(..) {
        if let Some(found) = Role::of(&attr) {
            if !matches!(attr.meta, Meta::Path(_)) {
                errors.add(&attr, format!("`#[{}]` takes no arguments", found.name()));
            }
            match &role {
                Some((first, _)) => errors.add(
                    &attr,
                    format!("a method has one role, and this one is marked `#[{}]` already", first.name()),
                ),
                None => role = Some((found, attr)),
            }
            continue;
        }
        if attr.path().is_ident("wire") || attr.path().is_ident("message") {
            passed_on.push(attr);
            continue;
        }
        if let Some(ours) = conditional(&attr) {
            let advice = match ours {
                "cfg" => "put the whole condition into a `#[cfg(..)]`".to_owned(),
                _ => {
                    format!("write `#[{ours}]` itself, on one of two methods with a `#[cfg(..)]` if need be")
                }
            };
            let what = "`#[actor]` reads its attributes before the compiler decides on a `cfg_attr`";
            errors.add(&attr, format!("{what}: {advice}"));
            continue;
        }
        let path = attr.path();
        if path.is_ident("doc") {
            read.docs.push(attr.clone());
        } else if path.is_ident("cfg") {
            read.cfgs.push(attr.clone());
        } else if path.is_ident("deprecated") || path.is_ident("allow") {
            read.reference.push(attr.clone());
        }
        rest.push(attr);
    }
    *attrs = rest;
    read.variant = match &role {
        None | Some((Role::Cast, _)) => insides(passed_on, errors),
        Some((role, _)) => {
            for attr in passed_on {
                let what = format!(
                    "this goes to a message's variant, and `#[{}]` makes no message: remove it",
                    role.name()
                );
                errors.add(attr, what);
            }
            Vec::new()
        }
    };
    (role, read)
}

/// What a `cfg_attr` holds that we would have to know of.
fn conditional(attr: &Attribute) -> Option<&'static str> {
    let list = attr.meta.require_list().ok().filter(|list| list.path.is_ident("cfg_attr"))?;
    let is_comma = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if punct.as_char() == ',');
    let held = list.tokens.clone().into_iter().skip_while(|token| !is_comma(token)).skip(1).collect();
    let held = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(held).ok()?;
    let ours = |path: &Path| {
        let others = ["priority", "expires", "wire", "message", "cfg", "cfg_attr"].into_iter();
        let mut names = Role::ALL.into_iter().map(|(name, _)| name).chain(others);
        names.find(|name| path.is_ident(name))
    };
    held.iter().find_map(|meta| ours(meta.path()))
}

/// What stands on the variant for `#[wire(..)]` and `#[message(..)]`.
fn insides(passed_on: Vec<Attribute>, errors: &mut Errors) -> Vec<TokenStream> {
    let mut insides = Vec::new();
    for attr in passed_on {
        if attr.path().is_ident("wire") {
            insides.push(attr.meta.into_token_stream());
            continue;
        }
        match attr.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated) {
            Ok(metas) => insides.extend(metas.into_iter().map(ToTokens::into_token_stream)),
            Err(error) => errors.push(error),
        }
    }
    insides
}

/// Takes the attributes off an argument that nothing but a macro may put there: they belong
/// to the message's field. What is said to the lints about the argument stays.
pub(crate) fn take_field(attrs: &mut Vec<Attribute>, errors: &mut Errors) -> Vec<Attribute> {
    let is_lint = |attr: &Attribute| {
        ["allow", "expect", "warn", "deny", "forbid"].iter().any(|lint| attr.path().is_ident(lint))
    };
    let (kept, taken): (Vec<_>, Vec<_>) = attrs.drain(..).partition(is_lint);
    *attrs = kept;
    let (cfgs, taken): (Vec<_>, Vec<_>) = taken.into_iter().partition(|attr| attr.path().is_ident("cfg"));
    for cfg in cfgs {
        errors.add(cfg, "an argument is always there: put the `#[cfg]` on the method");
    }
    taken
}

/// Reports attributes of an argument that is no field.
pub(crate) fn refuse_field(attrs: Vec<Attribute>, argument: &str, errors: &mut Errors) {
    for attr in attrs {
        let what = format!("this would go to a message's field, and {argument} is none: remove it");
        errors.add(attr, what);
    }
}
