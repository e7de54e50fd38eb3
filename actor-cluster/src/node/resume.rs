//! Sessions that have lost their streams: the peer is dialled until there are others.

use std::sync::Arc;
use std::time::Duration;

use super::link::Link;
use super::{Node, dial};
use crate::event::NodeEvent;
use crate::limits::{REDIAL_PAUSE, REDIAL_PAUSE_MAX};
use crate::locked::locked;
use crate::transport::{Address, CloseReason};

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
            for address in self.ways_to(link) {
                match dial::rejoin(self, &address, link).await {
                    Ok(()) => break,
                    Err(error) => {
                        tracing::debug!(peer = %link.info.name, %address, %error, "cannot reach it again");
                    }
                }
            }
            pause = (pause * 2).clamp(REDIAL_PAUSE, REDIAL_PAUSE_MAX);
        }
    }

    /// Waits, and says whether this interruption still lasts.
    async fn lasts_for(&self, link: &Link, interruption: u64, pause: Duration) -> bool {
        let is_over = self.executor().timeout(pause, link.over()).await.is_ok();
        !is_over && link.is_interrupted(interruption)
    }

    /// Where the peer may be reached, the best first.
    fn ways_to(&self, link: &Link) -> Vec<Address> {
        let dialled = link.dialled();
        let known = locked(&self.peers).reachable.get(&link.info.node).cloned().unwrap_or_default();
        let others = known.into_iter().filter(|address| Some(address) != dialled.as_ref());
        let mut ways: Vec<Address> = dialled.clone().into_iter().chain(others).collect();
        ways.retain(|address| self.transport(address.scheme()).is_some());
        ways
    }
}
