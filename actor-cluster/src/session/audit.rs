//! What the numbers of a session are at a moment, as plain values for whoever checks that they fit together: a simulated
//! cluster does, after each step. Nothing in here is part of what programs may use.

use super::flow::{ReceiveWindow, SendWindow};
use super::lane::Lane;
use super::{Phase, Session};

/// One side of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionAudit {
    /// What both sides know it by.
    pub session: u64,
    /// Its lanes, always in the same order.
    pub lanes: Vec<LaneAudit>,
}

/// One side of a lane. All numbers are offsets in bytes, counted from the session's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneAudit {
    /// Which.
    pub lane: u8,
    /// How much was handed out to be written, the first time.
    pub sent: u64,
    /// How much of that the peer has said to have.
    pub acked: u64,
    /// How much has come from the peer.
    pub received: u64,
    /// How much of that the peer was told of.
    pub told: u64,
    /// What messages may cost; none in the control lane.
    pub credit: Option<CreditAudit>,
}

/// The credit of one side of a lane. All but the windows count from the session's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditAudit {
    /// What the peer lends at a time.
    pub window: u64,
    /// What messages to the peer have cost.
    pub spent: u64,
    /// What they may have cost when another begins.
    pub limit: u64,
    /// What is lent to the peer at a time.
    pub lent_window: u64,
    /// What messages from the peer have cost.
    pub taken: u64,
    /// Of these, what is delivered.
    pub delivered: u64,
    /// Of these, what the peer was told of.
    pub returned: u64,
}

impl Session {
    /// The lanes of a session that is not over.
    pub(crate) fn audit(&self) -> Option<Vec<LaneAudit>> {
        if matches!(self.phase, Phase::Ended(_)) {
            return None;
        }
        let control = audit_lane(&self.control, None);
        let messages = self.messages.iter().map(|lane| {
            let credit = audit_credit(&lane.send_window, &lane.receive_window);
            audit_lane(&lane.lane, Some(credit))
        });
        Some([control].into_iter().chain(messages).collect())
    }
}

fn audit_lane(lane: &Lane, credit: Option<CreditAudit>) -> LaneAudit {
    let (sent, acked) = lane.out.sent_and_acked();
    let (received, told) = lane.incoming.received_and_told();
    LaneAudit { lane: lane.id.as_u8(), sent, acked, received, told, credit }
}

fn audit_credit(send: &SendWindow, receive: &ReceiveWindow) -> CreditAudit {
    let [window, spent, limit] = send.audit();
    let [lent_window, taken, delivered, returned] = receive.audit();
    CreditAudit { window, spent, limit, lent_window, taken, delivered, returned }
}
