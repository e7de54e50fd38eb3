//! What `#[actor]` knows of an impl once it has been read: nothing in here can be
//! wrong any more.

use proc_macro2::TokenStream;
use syn::{Attribute, Generics, Ident, ItemImpl, Type, Visibility};

use crate::attr::{Options, Role};
use crate::sorting::{Expiry, Urgency};

/// An actor, as its impl describes it.
pub(crate) struct Surface {
    pub(crate) options: Options,
    /// The impl without our attributes: emitted as it is.
    pub(crate) item: ItemImpl,
    /// The impl's parameters, with the bounds that were found missing.
    pub(crate) generics: Generics,
    /// The struct's own name.
    pub(crate) name: Ident,
    /// The visibility of what is generated.
    pub(crate) vis: Visibility,
    pub(crate) messages: Vec<Message>,
    pub(crate) hooks: Hooks,
    /// Methods with mistakes, of which only the outside is left.
    pub(crate) broken: Vec<Broken>,
}

/// One message.
pub(crate) struct Message {
    /// The method.
    pub(crate) method: Ident,
    /// The variant of the enum, and the end of the struct's name.
    pub(crate) variant: Ident,
    /// The struct.
    pub(crate) part: Ident,
    pub(crate) vis: Visibility,
    pub(crate) attrs: MessageAttrs,
    pub(crate) fields: Vec<Field>,
    pub(crate) call: Arguments,
    pub(crate) is_async: bool,
    pub(crate) kind: Kind,
    pub(crate) urgency: Option<Urgency>,
    pub(crate) expiry: Option<Expiry>,
}

/// The attributes of a method, by where they go.
#[derive(Default)]
pub(crate) struct MessageAttrs {
    /// To everything that documents the message.
    pub(crate) docs: Vec<Attribute>,
    /// To everything that is generated for it.
    pub(crate) cfgs: Vec<Attribute>,
    /// To the reference's method.
    pub(crate) reference: Vec<Attribute>,
    /// To the variant.
    pub(crate) variant: Vec<TokenStream>,
}

/// What becomes of the sender.
pub(crate) enum Kind {
    /// It wants no answer.
    Cast,
    /// The method's result is its answer.
    Call(Type),
    /// The method gets the port.
    Delegated(Type),
}

impl Kind {
    /// What the answer is, if there is one.
    pub(crate) fn reply(&self) -> Option<&Type> {
        match self {
            Kind::Cast => None,
            Kind::Call(reply) | Kind::Delegated(reply) => Some(reply),
        }
    }
}

/// An argument that travels.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    /// With the struct's name for `Self`.
    pub(crate) ty: Type,
    pub(crate) docs: Vec<Attribute>,
    /// Attributes for the field of the enum's variant.
    pub(crate) attrs: Vec<Attribute>,
}

/// What a method is called with, in order.
pub(crate) type Arguments = Vec<Argument>;

/// One of them.
pub(crate) enum Argument {
    /// With the type that the user gave it.
    Context(Type),
    Field(Ident),
    Port,
    /// With the type that the user gave it.
    Event(Type),
    /// With the type that the user gave it.
    Error(Type),
}

/// One of each at most, or several of which each has a condition.
#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) init: Vec<Init>,
    /// The number of arguments of one that has a mistake in it.
    pub(crate) broken_init: Option<usize>,
    pub(crate) started: Vec<Hook>,
    pub(crate) stopping: Vec<Hook>,
    pub(crate) supervision: Vec<Hook>,
    pub(crate) on_error: Vec<Hook>,
}

impl Hooks {
    /// Those of a role. That of `#[init]` is none of them.
    pub(crate) fn of(&mut self, role: Role) -> &mut Vec<Hook> {
        match role {
            Role::Started => &mut self.started,
            Role::Stopping => &mut self.stopping,
            Role::OnError => &mut self.on_error,
            Role::Supervision | Role::Cast | Role::Init => &mut self.supervision,
        }
    }
}

/// What builds the struct.
pub(crate) struct Init {
    pub(crate) method: Ident,
    pub(crate) docs: Vec<Attribute>,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) fields: Vec<Field>,
    pub(crate) call: Arguments,
    pub(crate) output: Type,
    pub(crate) is_async: bool,
}

/// What runs at a turn of the actor's life.
pub(crate) struct Hook {
    pub(crate) method: Ident,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) call: Arguments,
    pub(crate) output: Option<Type>,
    pub(crate) is_async: bool,
}

/// A method that cannot be a message.
pub(crate) struct Broken {
    pub(crate) method: Ident,
    pub(crate) vis: Visibility,
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) arguments: usize,
    pub(crate) reply: Type,
}
