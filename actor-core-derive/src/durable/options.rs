//! The options of `#[actor(durable, ..)]`, as written.

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::{Expr, Ident, LitStr, Path, Token};

use crate::errors::Errors;
use crate::options::{self, Common, once, parenthesis};

/// What stands in `#[actor(durable, ..)]`.
#[derive(Default)]
pub(super) struct Options {
    /// Whether `durable` was there.
    is_durable: Option<()>,
    /// What stores call the type, if not as the struct.
    pub(super) type_name: Option<LitStr>,
    pub(super) durability: Option<Durability>,
    pub(super) idle: Option<Expr>,
    pub(super) remembered: Option<Expr>,
    pub(super) version: Option<Expr>,
    pub(super) upcast: Option<Path>,
    /// Derives of the enum of commands.
    pub(super) derives: Option<Vec<Path>>,
    pub(super) common: Common,
}

/// A variant of `actor_durable::Durability`.
pub(super) struct Durability {
    pub(super) variant: Ident,
    /// Of `WriteBack`.
    pub(super) interval: Option<Expr>,
}

impl Options {
    /// Reads the options up to the first that is none.
    pub(super) fn read(tokens: TokenStream, errors: &mut Errors) -> Self {
        let read: Self = options::read(tokens, errors);
        if let Some(upcast) = read.upcast.as_ref().filter(|_| read.version.is_none()) {
            errors
                .add(upcast, "`upcast` reads the states of older versions: say which this is, `version = 2`");
        }
        read
    }
}

impl options::Options for Options {
    const ALL: &'static str = OPTIONS;
    const CRATE: &'static str = "framework::durable";

    fn common(&mut self) -> &mut Common {
        &mut self.common
    }

    fn read_word(&mut self, word: &Ident, input: ParseStream<'_>) -> syn::Result<()> {
        match word.to_string().as_str() {
            "durable" => {
                once(&mut self.is_durable, word, ())?;
                if input.peek(Token![=]) {
                    self.type_name = Some(type_name(input)?);
                }
                Ok(())
            }
            "durability" => {
                let durability = durability(value(word, input)?)?;
                once(&mut self.durability, word, durability)
            }
            "idle" => once(&mut self.idle, word, value(word, input)?),
            "remembered" => once(&mut self.remembered, word, value(word, input)?),
            "version" => once(&mut self.version, word, value(word, input)?),
            "upcast" => {
                let Expr::Path(path) = value(word, input)? else {
                    let advice = "`upcast` names a function: `upcast = read_older`";
                    return Err(syn::Error::new_spanned(word, advice));
                };
                once(&mut self.upcast, word, path.path)
            }
            "derive" => {
                let derives = |input: ParseStream<'_>| {
                    Punctuated::<Path, Token![,]>::parse_terminated_with(input, Path::parse_mod_style)
                };
                let derives = derives.parse2(parenthesis(word, input)?)?;
                once(&mut self.derives, word, derives.into_iter().collect())
            }
            other => Err(syn::Error::new_spanned(word, foreign(other).unwrap_or(OPTIONS))),
        }
    }
}

/// Why an option of other actors is none of these.
fn foreign(option: &str) -> Option<&'static str> {
    Some(match option {
        "local" => {
            "a durable actor may be activated on any thread: its struct is `Send`, and `local` is for others"
        }
        "remote" => {
            "what goes to a durable actor goes by its store, from any process that shares it: remove `remote`"
        }
        "fail_on_err" => {
            "an error of a durable actor's method is its refusal, and is stored: remove `fail_on_err`"
        }
        "ageing" => "a durable actor takes its commands in the order they came: remove `ageing`",
        "message" | "structs" => {
            "a durable actor has one enum of commands and no structs; `derive(..)` gives derives to that enum"
        }
        _ => return None,
    })
}

/// The expression behind an option's `=`.
fn value(word: &Ident, input: ParseStream<'_>) -> syn::Result<Expr> {
    if !input.peek(Token![=]) {
        return Err(syn::Error::new_spanned(word, format!("`{word}` takes a value: `{word} = ..`")));
    }
    input.parse::<Token![=]>()?;
    input.parse()
}

fn type_name(input: ParseStream<'_>) -> syn::Result<LitStr> {
    input.parse::<Token![=]>()?;
    let advice = "what stores call the type is text: `durable = \"counter\"`";
    let name: LitStr = input.parse().map_err(|error| syn::Error::new(error.span(), advice))?;
    let text = name.value();
    if text.is_empty() || text.len() > NAME_BYTES_MAX || text.chars().any(char::is_control) {
        let what = format!("stores take a name of 1 to {NAME_BYTES_MAX} bytes without control characters");
        return Err(syn::Error::new_spanned(&name, what));
    }
    Ok(name)
}

fn durability(value: Expr) -> syn::Result<Durability> {
    let advice = "`durability` is `WriteThrough`, `WriteBack(Duration::from_secs(1))`, `Lazy` or `Volatile`";
    let wrong = |value: &dyn ToTokens| syn::Error::new_spanned(value.to_token_stream(), advice);
    let variant_of = |path: &Path| path.segments.last().map(|segment| segment.ident.clone());
    let (variant, interval) = match &value {
        Expr::Path(path) => (variant_of(&path.path), None),
        Expr::Call(call) => match (&*call.func, call.args.len(), call.args.first()) {
            (Expr::Path(path), 1, Some(interval)) => (variant_of(&path.path), Some(interval.clone())),
            _ => return Err(wrong(&value)),
        },
        _ => return Err(wrong(&value)),
    };
    let variant = variant.ok_or_else(|| wrong(&value))?;
    match (variant.to_string().as_str(), &interval) {
        ("WriteThrough" | "Lazy" | "Volatile", None) | ("WriteBack", Some(_)) => {
            Ok(Durability { variant, interval })
        }
        _ => Err(wrong(&value)),
    }
}

/// As `actor_durable::limits` has it.
const NAME_BYTES_MAX: usize = 100;

const OPTIONS: &str = "the options of a durable actor are `durable`, or `durable = \"name\"`, `durability = ..`, `idle = ..`, \
     `remembered = ..`, `version = ..`, `upcast = ..`, `derive(..)`, a visibility such as `pub(crate)`, and \
     `crate = \"path\"`";
