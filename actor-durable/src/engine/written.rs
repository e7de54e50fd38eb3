//! How a state is written, and how it was last written.

use bytes::Bytes;

use crate::actor::Durable;
use crate::codec::{CodecError, encode_body, legible};
use crate::model::{Model, State, read_state};
use crate::store::Body;

/// A state as it is stored.
pub(super) fn write_state<M: Model>(state: &State<M>) -> Result<Body, CodecError> {
    if cfg!(debug_assertions) {
        return write_legible_state::<M>(state);
    }
    encode_body("a state", M::Actor::STATE_VERSION, state)
}

/// A state as it is stored, if it can be read again.
pub(super) fn write_legible_state<M: Model>(state: &State<M>) -> Result<Body, CodecError> {
    let body = encode_body("a state", M::Actor::STATE_VERSION, state)?;
    legible("a state", read_state::<M::Actor>(&body))?;
    Ok(body)
}

/// A state as it was last written: others are compared with it, and it is made anew of it. It has memory of its own, which
/// serves again, as it changes with nearly each turn.
#[derive(Default)]
pub(super) struct Written {
    version: u32,
    bytes: Vec<u8>,
    /// What recovering made of it, if that is another, until it is written again. Who leaves this as it is has changed nothing.
    recovered: Option<Body>,
}

impl Written {
    /// Whether a state is still this one.
    pub(super) fn is(&self, body: &Body) -> bool {
        match &self.recovered {
            Some(recovered) => recovered == body,
            None => self.version == body.version && *self.bytes == *body.bytes,
        }
    }

    pub(super) fn set(&mut self, body: &Body) {
        self.recovered = None;
        self.version = body.version;
        self.bytes.clear();
        // What was long once need not stay so.
        self.bytes.shrink_to(4 * body.bytes.len());
        self.bytes.extend_from_slice(&body.bytes);
    }

    /// It was recovered, and is written so then.
    pub(super) fn note_recovered(&mut self, body: Option<Body>) {
        self.recovered = None;
        self.recovered = body.filter(|body| !self.is(body));
    }

    pub(super) fn body(&self) -> Body {
        Body { version: self.version, bytes: Bytes::copy_from_slice(&self.bytes) }
    }
}
