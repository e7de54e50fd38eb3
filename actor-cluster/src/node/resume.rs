//! Sessions that have lost their streams: the peer is dialled until there are others.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actor_core::Instant;
use futures_util::future::select;

use super::link::Link;
use super::members::is_refused;
use super::ways::{Way, first_to_work};
use super::{Node, dial};
use crate::error::ConnectError;
use crate::event::NodeEvent;
use crate::limits::{REDIAL_PAUSE, REDIAL_PAUSE_MAX};
use crate::transport::CloseReason;

impl Node {
    /// Looks for other streams, for as long as the session lives without.
    pub(super) fn on_interrupted(self: &Arc<Self>, link: &Arc<Link>, reason: CloseReason) {
        self.tell(NodeEvent::Interrupted { peer: link.info.clone(), reason });
        self.note(|members, now| members.handle_interrupted(link.info.life(), now));
        let (node, link, interruption) = (self.clone(), link.clone(), link.begin_interruption());
        self.spawn_intake(async move { node.resume(&link, interruption).await });
    }

    async fn resume(self: &Arc<Self>, link: &Arc<Link>, interruption: u64) {
        // Whoever has dialled dials again, and the other only if that does not help.
        let mut pause = match link.dialled() {
            Some(_) => REDIAL_PAUSE,
            None => self.settings.session.resume_timeout / 4,
        };
        while self.lasts_for(link, interruption, pause).await {
            let ways = self.ways_back_to(link);
            // At how many of its addresses nobody listens any more.
            let refusals = AtomicUsize::new(0);
            let (refused, ways_count) = (&refusals, ways.len());
            let attempt = |way: Way| async move {
                let rejoined = dial::rejoin(self, &way.address, link).await;
                let unreached = |error: &ConnectError| {
                    tracing::debug!(peer = %link.info.name, %way.address, %error, "cannot reach it again");
                    // Relaxed: one task counts.
                    let refused = refused.fetch_add(usize::from(is_refused(error)), Ordering::Relaxed);
                    if is_refused(error) && refused + 1 == ways_count {
                        self.note(|members, now| members.handle_refused(link.info.life(), now));
                    }
                };
                rejoined.inspect_err(unreached).ok()
            };
            let tries = pin!(first_to_work(self.executor(), ways, attempt));
            // Streams that come otherwise make an end of it: dials to one address take turns, and the next interruption needs its own.
            select(tries, pin!(self.passed(link, interruption))).await;
            pause = (pause * 2).clamp(REDIAL_PAUSE, REDIAL_PAUSE_MAX);
        }
    }

    /// Completes soon after the session has found all its streams without those that were dialled since it was asked: a dial
    /// that has brought some is to bring the rest. Not where it has ended: a dial may be about to begin the next one.
    async fn passed(&self, link: &Link, interruption: u64) {
        let begun = self.executor().now();
        while link.ended().is_some() || link.is_interrupted(interruption) || needs_dialled_since(link, begun)
        {
            self.executor().sleep(REDIAL_PAUSE_MAX).await;
        }
    }

    /// Waits, and says whether this interruption still lasts.
    async fn lasts_for(&self, link: &Link, interruption: u64, pause: Duration) -> bool {
        let is_over = self.executor().timeout(pause, link.over()).await.is_ok();
        !is_over && link.is_interrupted(interruption)
    }
}

/// Whether the session has all its streams thanks to those that were dialled from here since then.
fn needs_dialled_since(link: &Link, begun: Instant) -> bool {
    let made = link.made();
    let brought = made.iter().filter(|made| made.dialled().is_some() && made.at >= begun);
    let brought: Vec<_> = brought.map(|made| made.connection).collect();
    !brought.is_empty() && !link.run(|session| session.is_complete_without(&brought))
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};

    use super::*;
    use crate::node::link::Origin;
    use crate::node::tests::node;
    use crate::testing::pipe::{PipeNetwork, pipe};
    use crate::transport::LaneSet;
    use crate::wire::lanes::LaneIds;

    #[tokio::test(start_paused = true)]
    async fn a_dial_that_has_brought_streams_is_left_to_bring_the_rest() {
        let network = PipeNetwork::new();
        let ((_, a), (_, b)) = (node(&network, 1).await, node(&network, 2).await);
        a.connect(&b.addresses()[0]).await.unwrap();
        let link = a.node.links().remove(0);
        let interruption = link.begin_interruption();
        let (executor, patience) = (a.node.executor().clone(), REDIAL_PAUSE_MAX * 10);
        let mut passed = pin!(a.node.passed(&link, interruption));
        assert!(executor.timeout(patience, &mut passed).await.is_err(), "all it has was dialled since");
        let later = executor.timeout(Duration::ZERO, a.node.passed(&link, interruption));
        assert!(later.await.is_ok(), "asked later, it was dialled before");
        let (near, _far) = pipe();
        let lanes = LaneIds::of_kinds(LaneSet::ALL, link.data_lanes);
        link.attach(lanes, Origin::Accepted, near, Bytes::new(), BytesMut::new());
        assert!(executor.timeout(patience, &mut passed).await.is_ok(), "others have come");
    }
}
