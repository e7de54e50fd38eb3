//! What `#[actor(durable)]` expands to calls these. Not for people: they may change without notice. Must not live here:
//! anything that a user's own code would name.
//!
//! Its enums are stored as two values: a name, and a tuple of what the variant holds. The name says which method it is of and
//! of which types the tuple is, `inc(by: i64)`, so nothing depends on the order of the methods, and nothing is read as what it
//! is not.

use std::fmt::{self, Display};
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, SeqAccess, Visitor};
use serde::ser::SerializeTuple;
use serde::{Deserializer, Serialize, Serializer};

use crate::actor::Durable;
use crate::codec::{CodecError, decode};
use crate::system::{DurableAsk, DurableRef};

pub use actor_core::ActorError;
pub use serde;

/// An enum that is stored by the names of its variants.
pub trait Named: Sized {
    /// The name that it is written by.
    fn name(&self) -> &'static str;

    /// Writes what the variant holds.
    ///
    /// # Errors
    ///
    /// As `to` says.
    fn write<W: Write>(&self, to: W) -> Result<W::Ok, W::Error>;

    /// Reads what the variant of a name holds; none if there is no such variant.
    fn read<R: Read>(name: &str, from: R) -> Option<Result<Self, R::Error>>;
}

/// Where one value goes.
pub trait Write {
    /// What is given back.
    type Ok;
    /// Why it is not taken.
    type Error;

    /// Takes it.
    ///
    /// # Errors
    ///
    /// It has no form.
    fn write<T: Serialize>(self, value: &T) -> Result<Self::Ok, Self::Error>;
}

/// Where one value comes from.
pub trait Read {
    /// Why it is not there.
    type Error;

    /// Gives it.
    ///
    /// # Errors
    ///
    /// It is of another form.
    fn read<T: DeserializeOwned>(self) -> Result<T, Self::Error>;
}

/// A tuple, of which the second value is to be written.
struct Second<S>(S);

impl<S: SerializeTuple> Write for Second<S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn write<T: Serialize>(mut self, value: &T) -> Result<S::Ok, S::Error> {
        self.0.serialize_element(value)?;
        self.0.end()
    }
}

/// The name, and what follows it.
///
/// # Errors
///
/// As the serializer says.
pub fn serialize<T: Named, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    let mut tuple = serializer.serialize_tuple(2)?;
    tuple.serialize_element(value.name())?;
    value.write(Second(tuple))
}

/// A sequence, of which one value is to be read.
struct Next<'de, A>(A, PhantomData<&'de ()>);

impl<'de, A: SeqAccess<'de>> Read for Next<'de, A> {
    type Error = A::Error;

    fn read<T: DeserializeOwned>(mut self) -> Result<T, A::Error> {
        self.0.next_element()?.ok_or_else(|| A::Error::custom("the values are missing"))
    }
}

/// What [`serialize`] gave.
///
/// # Errors
///
/// As the deserializer says; an unknown name.
pub fn deserialize<'de, T: Named, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    deserializer.deserialize_tuple(2, Pair(PhantomData))
}

struct Pair<T>(PhantomData<T>);

impl<'de, T: Named> Visitor<'de> for Pair<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name and a tuple of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<T, A::Error> {
        let name: String = seq.next_element()?.ok_or_else(|| A::Error::custom("the name is missing"))?;
        T::read(&name, Next(seq, PhantomData))
            .unwrap_or_else(|| Err(A::Error::custom(format_args!("`{name}` is unknown"))))
    }
}

/// Bytes behind a name.
struct Rest<'b> {
    what: &'static str,
    version: u32,
    bytes: &'b [u8],
}

impl Read for Rest<'_> {
    type Error = CodecError;

    fn read<T: DeserializeOwned>(self) -> Result<T, CodecError> {
        decode(self.what, self.version, self.bytes)
    }
}

impl Rest<'_> {
    /// The same as [`deserialize`], with an error that tells the name: postcard's own has no room for it.
    fn named<T: Named>(self) -> Result<T, CodecError> {
        let Self { what, version, bytes } = self;
        let (name, rest) = postcard::take_from_bytes::<&str>(bytes)
            .map_err(|error| CodecError::Undecodable { what, version, why: error.to_string() })?;
        let read = T::read(name, Rest { bytes: rest, ..self });
        read.unwrap_or_else(|| Err(CodecError::UnknownName { what, found: name.to_owned() }))
    }
}

/// A command as it was stored.
///
/// # Errors
///
/// Another version, an unknown name, or another form than the name says.
pub fn read_command<T: Named>(version: u32, bytes: &[u8]) -> Result<T, CodecError> {
    match version {
        FORM_VERSION => Rest { what: "a command", version, bytes }.named(),
        found => Err(CodecError::UnknownVersion { what: "a command", found, known: FORM_VERSION }),
    }
}

/// A reply or a refusal as it was stored.
///
/// # Errors
///
/// As [`read_command`].
pub fn read_reply<T: Named, E: Named>(bytes: &[u8]) -> Result<Result<T, E>, CodecError> {
    let version = FORM_VERSION;
    match bytes {
        // As serde writes a `Result`.
        [0, bytes @ ..] => Rest { what: "a reply", version, bytes }.named().map(Ok),
        [1, bytes @ ..] => Rest { what: "a refusal", version, bytes }.named().map(Err),
        _ => Err(CodecError::Undecodable { what: "a reply", version, why: "it is no result".to_owned() }),
    }
}

impl Named for crate::NoError {
    fn name(&self) -> &'static str {
        match *self {}
    }

    fn write<W: Write>(&self, _: W) -> Result<W::Ok, W::Error> {
        match *self {}
    }

    fn read<R: Read>(_: &str, _: R) -> Option<Result<Self, R::Error>> {
        None
    }
}

/// The version of the names' own form: a name, and a tuple.
const FORM_VERSION: u32 = 1;

/// What the methods of a reference return.
pub fn ask<A: Durable, T, E>(
    actor: &DurableRef<A>,
    command: A::Command,
    answer: fn(A::Reply) -> Option<T>,
    refusal: fn(A::Error) -> Option<E>,
) -> DurableAsk<'_, A, T, E> {
    DurableAsk::new(actor, command, answer, refusal)
}

/// What a hook may return.
pub trait HookOutcome {
    /// As the engine takes it.
    ///
    /// # Errors
    ///
    /// The hook's own.
    fn into_result(self) -> Result<(), ActorError>;
}

impl HookOutcome for () {
    fn into_result(self) -> Result<(), ActorError> {
        Ok(())
    }
}

impl<E: Into<ActorError>> HookOutcome for Result<(), E> {
    fn into_result(self) -> Result<(), ActorError> {
        self.map_err(Into::into)
    }
}

/// A type of arguments and replies: checked where the user wrote it.
#[derive(Debug)]
pub struct Stored<T: Serialize + DeserializeOwned + Send + 'static>(PhantomData<T>);

/// A type of replies of a method that refuses nothing. The macro sees names only, and takes for a reply what another name of a
/// [`Result`] hides:
///
/// ```compile_fail,E0080
/// # use serde::{Deserialize, Serialize};
/// type Answer = Result<u32, String>;
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Counter;
///
/// #[actor_core::actor(durable)]
/// impl Counter {
///     fn inc(&mut self) -> Answer {
///         Err("no".to_owned())
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Reply<T>(PhantomData<T>);

impl<T, E> Reply<Result<T, E>> {
    /// It may refuse.
    pub const IS_RESULT: bool = true;
}

/// Every other type of replies.
pub trait PlainReply {
    /// It refuses nothing.
    const IS_RESULT: bool = false;
}

impl<T> PlainReply for Reply<T> {}

/// A type of refusals.
#[derive(Debug)]
pub struct Refusal<E: Serialize + DeserializeOwned + Display + Send + 'static>(PhantomData<E>);
