//! Sessions that have lost their streams: the peer is dialled until there are others.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::select;

use super::link::Link;
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
            let attempt = |way: Way| async move {
                let rejoined = dial::rejoin(self, &way.address, link).await;
                let unreached = |error: &ConnectError| {
                    tracing::debug!(peer = %link.info.name, %way.address, %error, "cannot reach it again");
                };
                rejoined.inspect_err(unreached).ok()
            };
            let tries = pin!(first_to_work(self.executor(), self.ways_back_to(link), attempt));
            // Streams that come otherwise make an end of it: dials to one address take turns, and the next interruption needs its own.
            select(tries, pin!(self.passed(link, interruption))).await;
            pause = (pause * 2).clamp(REDIAL_PAUSE, REDIAL_PAUSE_MAX);
        }
    }

    /// Completes soon after the session has found streams. Not where it has ended: a dial may be about to begin the next one.
    async fn passed(&self, link: &Link, interruption: u64) {
        while link.ended().is_some() || link.is_interrupted(interruption) {
            self.executor().sleep(REDIAL_PAUSE_MAX).await;
        }
    }

    /// Waits, and says whether this interruption still lasts.
    async fn lasts_for(&self, link: &Link, interruption: u64, pause: Duration) -> bool {
        let is_over = self.executor().timeout(pause, link.over()).await.is_ok();
        !is_over && link.is_interrupted(interruption)
    }
}
