//! The options of `#[actor(..)]` and the attributes on methods, as written. What they
//! mean together is `valid.rs`'s business.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Attribute, Ident, LitInt, Meta, Path, Token};

use crate::ast::MessageAttrs;
use crate::errors::Errors;
use crate::options::{self, Common, once, parenthesis};
use crate::roles::{self, Copied, Role as _};

/// What stands in `#[actor(..)]`.
#[derive(Default)]
pub(crate) struct Options {
    is_local: Option<()>,
    pub(crate) remote: Option<Ident>,
    pub(crate) fail_on_err: Option<Ident>,
    /// As it is written, and more than zero.
    pub(crate) ageing: Option<LitInt>,
    pub(crate) common: Common,
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
        let mut read: Self = options::read(tokens, errors);
        if let Some(remote) = read.remote.take_if(|_| read.derives_remote) {
            errors.add(remote, "`RemoteMessage` is derived already: remove `remote`, or the derive");
            read.message.clear();
            read.derives_remote = false;
        }
        read
    }

    /// Whether the actor cannot leave its thread.
    pub(crate) fn is_local(&self) -> bool {
        self.is_local.is_some()
    }

    /// Whether the enum travels between nodes.
    pub(crate) fn is_remote(&self) -> bool {
        self.remote.is_some() || self.derives_remote
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

impl options::Options for Options {
    const ALL: &'static str = OPTIONS;
    const CRATE: &'static str = "framework::core";

    fn common(&mut self) -> &mut Common {
        &mut self.common
    }

    fn read_word(&mut self, word: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match word.to_string().as_str() {
            "local" => once(&mut self.is_local, word, ()),
            "remote" => once(&mut self.remote, word, word.clone()),
            "fail_on_err" => once(&mut self.fail_on_err, word, word.clone()),
            "ageing" => {
                let number = ageing(word, input)?;
                once(&mut self.ageing, word, number)
            }
            "derive" => {
                let inside = parenthesis(word, input)?;
                self.add_message(quote!(#word(#inside)))
            }
            "message" => {
                let inside = parenthesis(word, input)?;
                let attributes = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(inside)?;
                attributes.into_iter().try_for_each(|meta| self.add_message(meta.into_token_stream()))
            }
            "structs" => {
                let inside = parenthesis(word, input)?;
                let attributes = Punctuated::<Meta, Token![,]>::parse_terminated.parse2(inside)?;
                self.structs.extend(attributes.into_iter().map(ToTokens::into_token_stream));
                Ok(())
            }
            _ => Err(syn::Error::new_spanned(word, OPTIONS)),
        }
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

impl roles::Role for Role {
    const ALL: &'static [(&'static str, Self)] = &[
        ("cast", Self::Cast),
        ("init", Self::Init),
        ("started", Self::Started),
        ("stopping", Self::Stopping),
        ("supervision", Self::Supervision),
        ("on_error", Self::OnError),
    ];
}

/// Takes our attributes off a method, and copies those that what we generate needs.
pub(crate) fn take(
    attrs: &mut Vec<Attribute>,
    errors: &mut Errors,
) -> (Option<(Role, Attribute)>, MessageAttrs) {
    let mut role: Option<(Role, Attribute)> = None;
    let mut copied = Copied::default();
    let (mut rest, mut passed_on) = (Vec::new(), Vec::new());
    for attr in attrs.drain(..) {
        if let Some(found) = Role::of(&attr) {
            roles::take(&mut role, found, attr, errors);
            continue;
        }
        if attr.path().is_ident("wire") || attr.path().is_ident("message") {
            passed_on.push(attr);
            continue;
        }
        if roles::refuse_conditional::<Role>(&attr, &["priority", "expires", "wire", "message"], errors) {
            continue;
        }
        copied.look_at(&attr);
        rest.push(attr);
    }
    *attrs = rest;
    let variant = match &role {
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
    let Copied { docs, cfgs, reference } = copied;
    (role, MessageAttrs { docs, cfgs, reference, variant })
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
