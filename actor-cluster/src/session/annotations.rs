//! What the next message of a lane brings along, from its Annotate frame until the message's own,
//! which must come right behind it.
//!
//! ```text
//!            Annotate                Cast, Call, Large of one
//!  nothing ───────────► one pending ─────────────────────────► nothing
//!                            └── anything else of the lane ──► a violation
//! ```

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::wire::annotation::Annotation;
use crate::wire::frame::Kind;
use crate::wire::lanes::LaneId;

/// See the module: at most one in each lane, and usually none.
#[derive(Debug, Default)]
pub(super) struct Annotations {
    pending: BTreeMap<LaneId, Annotated>,
}

/// What a message has brought along.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Annotated {
    /// Shared, so that a message which has to wait for room takes it along.
    pub(super) annotation: Option<Arc<Annotation>>,
    /// What it costs in credit, together with its message.
    pub(super) bytes: usize,
}

impl Annotations {
    /// Whether there is any: a single look for messages that have none.
    pub(super) fn is_empty(&self) -> bool {
        self.pending.is_empty()
    }

    /// Takes the body of an Annotate frame in, which takes so many bytes. None is pending in its lane, see [`check`](Self::check).
    pub(super) fn put(&mut self, lane: LaneId, body: &[u8], bytes: usize) -> Result<(), String> {
        let annotation = Annotation::read(body).map_err(|error| error.to_string())?;
        self.pending.insert(lane, Annotated { annotation: Some(Arc::new(annotation)), bytes });
        Ok(())
    }

    /// Whether a frame may come now in its lane.
    pub(super) fn check(&self, kind: Kind, lane: LaneId) -> Result<(), String> {
        let is_message = matches!(kind, Kind::Cast | Kind::Call | Kind::Large);
        if is_message || !self.pending.contains_key(&lane) {
            return Ok(());
        }
        Err(STRAY.to_owned())
    }

    /// What the message that begins now in a lane brings along.
    pub(super) fn take(&mut self, lane: LaneId) -> Annotated {
        self.pending.remove(&lane).unwrap_or_default()
    }
}

/// The peer has annotated nothing, or what cannot be.
pub(super) const STRAY: &str = "an annotation without its message right behind it";
