//! A lane that carries messages: what it has beside any other. Its types have numbers of their
//! own, since nothing is ordered between lanes; so has its credit, so that one lane's load keeps
//! no other's waiting.

use super::Lane;
use super::assembly::Assemblies;
use super::parts::Recipient;
use crate::session::flow::{ReceiveWindow, SendWindow};
use crate::session::types::{Index, ReceivedTypes, SentTypes, Shape};
use crate::wire::TypeTag;
use crate::wire::frame::{Kind, write_frame};
use crate::wire::lanes::LaneId;

/// See the module.
#[derive(Debug)]
pub(crate) struct MessageLane {
    pub(crate) lane: Lane,
    pub(crate) send_window: SendWindow,
    pub(crate) receive_window: ReceiveWindow,
    pub(crate) received_types: ReceivedTypes,
    pub(crate) assemblies: Assemblies,
    sent_types: SentTypes,
}

/// The lane has as many types as it may.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the session knows too many types of messages")]
pub(crate) struct TooManyTypes;

impl MessageLane {
    pub(crate) fn new(id: LaneId, send_window: SendWindow, receive_window: ReceiveWindow) -> Self {
        let mut lane = Lane::new(id);
        lane.out.limit_parts(send_window.bytes());
        Self {
            lane,
            send_window,
            receive_window,
            received_types: ReceivedTypes::default(),
            assemblies: Assemblies::default(),
            sent_types: SentTypes::default(),
        }
    }

    /// The shape's number, if it has one.
    #[inline]
    pub(crate) fn index_of(&mut self, shape: Shape) -> Option<u32> {
        self.sent_types.known(shape)
    }

    /// Takes the numbers of a message type back: it is defined anew when it is sent next.
    pub(crate) fn forget_type(&mut self, message: TypeTag) {
        self.sent_types.forget(message);
    }

    /// Whether the peer was told of the shape.
    pub(crate) fn has_defined(&self, shape: Shape) -> bool {
        self.sent_types.has(shape)
    }

    /// Gives a shape a number, and defines it in the lane with the sender's version of its type.
    pub(crate) fn define(&mut self, shape: Shape, version: &[u8]) -> Result<u32, TooManyTypes> {
        match self.sent_types.index(shape).ok_or(TooManyTypes)? {
            Index::Known(index) => Ok(index),
            Index::New(index) => {
                let message = shape.message.as_u64().to_le_bytes();
                let variant = shape.variant.as_u64().to_le_bytes();
                let body = [&message[..], &variant, version];
                write_frame(self.lane.out.open(), Kind::Define, self.lane.id, index, &body);
                Ok(index)
            }
        }
    }

    /// The casts that are kept, and their targets.
    pub(crate) fn kept_casts(&self) -> impl Iterator<Item = (Shape, u64)> {
        let shapes = self.sent_types.in_order();
        let casts = self.lane.out.kept_casts();
        casts.filter_map(move |(index, actor)| Some((*shapes.get(index as usize)?, actor)))
    }

    /// Writes a short frame for a recipient, behind what is for the same one.
    pub(crate) fn write(&mut self, kind: Kind, index: u32, recipient: Recipient, about: u64, rest: &[u8]) {
        self.lane.out.begin(kind, self.lane.id, index, about).extend_from_slice(rest);
        let finished = self.lane.out.finish(recipient);
        debug_assert!(finished.is_some(), "it is short");
    }
}
