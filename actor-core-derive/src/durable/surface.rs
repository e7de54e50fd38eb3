//! What `#[actor(durable)]` knows of an impl once it has been read.

use syn::{Attribute, Ident, ItemImpl, Type, Visibility};

use super::options::Options;

/// A durable actor, as its impl describes it.
pub(super) struct Surface {
    pub(super) options: Options,
    /// The impl without our attributes: emitted as it is.
    pub(super) item: ItemImpl,
    /// The struct's own name.
    pub(super) name: Ident,
    /// The visibility of what is generated.
    pub(super) vis: Visibility,
    pub(super) commands: Vec<Command>,
    pub(super) hooks: Hooks,
}

/// One command.
pub(super) struct Command {
    pub(super) method: Ident,
    /// The variant of the enums.
    pub(super) variant: Ident,
    pub(super) vis: Visibility,
    pub(super) docs: Vec<Attribute>,
    pub(super) cfgs: Vec<Attribute>,
    /// To the reference's method.
    pub(super) reference: Vec<Attribute>,
    pub(super) fields: Vec<Field>,
    pub(super) takes_turn: bool,
    pub(super) is_query: bool,
    pub(super) is_async: bool,
    pub(super) reply: Type,
    /// If it may refuse.
    pub(super) error: Option<Type>,
    /// The names by which it is read; it is written by the first.
    pub(super) command_names: Vec<String>,
    pub(super) reply_names: Vec<String>,
    pub(super) error_names: Vec<String>,
}

/// An argument that is stored.
pub(super) struct Field {
    pub(super) ident: Ident,
    /// With the struct's name for `Self`.
    pub(super) ty: Type,
}

/// One of each at most.
#[derive(Default)]
pub(super) struct Hooks {
    pub(super) init: Option<Hook>,
    pub(super) started: Option<Hook>,
    pub(super) recovered: Option<Hook>,
    pub(super) checkpoint: Option<Hook>,
    pub(super) answer: Option<Hook>,
}

/// What runs at a turn of the actor's life.
pub(super) struct Hook {
    pub(super) method: Ident,
    /// The turn for `#[started]`, the answer for `#[answer]`, the id for others.
    pub(super) takes_argument: bool,
    pub(super) is_async: bool,
}
