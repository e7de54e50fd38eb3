//! Streams that are as old as they may become, or that a better way could stand in for: others take their place while the
//! session goes on.
//!
//! Whoever has dialled dials again, and gives the old ones up once the new ones are there. Whoever was dialled
//! waits a while longer for that, and then gives them up whatever comes. Of two that have both dialled the one that began the session
//! goes back to its own address: else each would put its streams in the place of the other's, for ever.

use std::sync::Arc;
use std::time::Duration;

use actor_core::Instant;
use tokio::sync::OwnedSemaphorePermit;

use super::link::{Link, Made, Origin};
use super::ways::{Way, first_to_work};
use super::{Node, dial};
use crate::limits::{BETTER_WAY_INTERVAL, STREAMS_PER_SESSION_MAX};
use crate::session::handshake::SessionId;
use crate::session::streams::ConnectionId;
use crate::transport::{Address, CloseCode, CloseReason};

/// The time between two looks, where streams may become so old.
fn review_interval(age_max: Option<Duration>) -> Duration {
    age_max.map_or(BETTER_WAY_INTERVAL, |max| (max / 20).min(BETTER_WAY_INTERVAL))
}

impl Node {
    /// When to look at the latest whether streams are too old, if they may be: heartbeats may be further apart.
    pub(super) fn review_due(&self) -> Option<Instant> {
        let max = self.settings.connection_age_max?;
        Some(self.executor().now() + review_interval(Some(max)))
    }

    /// Looks whether the streams of a session should make place for others. With each heartbeat is often enough for a better way.
    pub(super) fn review(self: &Arc<Self>, link: &Arc<Link>, now: Instant) {
        let age_max = self.settings.connection_age_max;
        if !link.begin_review(now, review_interval(age_max)) {
            return;
        }
        let made = link.made();
        if let Some(max) = age_max {
            give_up(link, now, &overdue(&made, now, max));
        }
        let Some(home) = link.dialled() else { return };
        let is_old = age_max.is_some_and(|max| is_old(&made, now, max, link.id));
        let ranks = made.iter().filter_map(|made| self.rank(made.dialled()?, Some(&home)));
        let without_ours = if link.is_begun_here { usize::MAX } else { 0 };
        let best = ranks.min().unwrap_or(without_ours);
        let mut ways = self.ways_to(link);
        ways.retain(|way| is_old || way.rank < best);
        if ways.is_empty() {
            return;
        }
        // A better way may swallow everything, for as long as a handshake may take: those whose time is up do not wait for that.
        let places = if is_old { &self.renewals } else { &self.returns };
        let Ok(place) = places.clone().try_acquire_owned() else { return };
        let renewal = Renewal::begin(link, place);
        let node = self.clone();
        self.spawn_intake(async move { node.renew(&renewal.link, ways).await });
    }

    async fn renew(self: &Arc<Self>, link: &Arc<Link>, ways: Vec<Way>) {
        give_up_spare(link, self.executor().now());
        // Those that come from here on are not given up.
        let old = link.made();
        let dialled = first_to_work(self.executor(), ways, |way| async move {
            let joined = dial::join(self, &way.address, link).await;
            joined
                .inspect_err(
                    |error| tracing::debug!(peer = %link.info.name, %way.address, %error, "stays as it is"),
                )
                .ok()
        });
        if dialled.await.is_none() {
            return;
        }
        let old: Vec<_> =
            old.iter().filter(|made| made.is_ours_to_end()).map(|made| made.connection).collect();
        // The session may have had no room for them, or for some.
        if link.run(|session| session.is_complete_without(&old)) {
            give_up(link, self.executor().now(), &old);
        }
    }
}

/// A session is being given other streams, until it is not, however that ends.
struct Renewal {
    link: Arc<Link>,
    _place: OwnedSemaphorePermit,
}

impl Renewal {
    fn begin(link: &Arc<Link>, place: OwnedSemaphorePermit) -> Self {
        link.note_renewing(true);
        Self { link: link.clone(), _place: place }
    }
}

impl Drop for Renewal {
    fn drop(&mut self) {
        self.link.note_renewing(false);
    }
}

/// Makes room for others where a session has many: what no lane of ours is written to goes.
fn give_up_spare(link: &Link, now: Instant) {
    let made = link.made();
    if made.len() <= STREAMS_PER_SESSION_MAX / 2 {
        return;
    }
    let is_spare = |made: &&Made| made.is_ours_to_end() && !link.run(|session| session.uses(made.connection));
    let spare: Vec<_> = made.iter().filter(is_spare).map(|made| made.connection).collect();
    give_up(link, now, &spare);
}

fn give_up(link: &Link, now: Instant, connections: &[ConnectionId]) {
    let reason = CloseReason::new(CloseCode::Done, "another connection takes its place");
    if !connections.is_empty() {
        link.act(|session| connections.iter().for_each(|connection| session.cut(now, *connection, &reason)));
    }
}

impl Made {
    pub(super) fn dialled(&self) -> Option<&Address> {
        match &self.origin {
            Origin::Dialled(address) => Some(address),
            Origin::Accepted | Origin::External => None,
        }
    }

    /// Whether the node can have another for it.
    fn is_ours_to_end(&self) -> bool {
        !matches!(self.origin, Origin::External)
    }
}

/// Those that are half as old again as they may become: nobody has renewed them.
fn overdue(made: &[Made], now: Instant, max: Duration) -> Vec<ConnectionId> {
    let ours = made.iter().filter(|made| made.is_ours_to_end());
    ours.filter(|made| now >= made.at + max.saturating_add(max / 2)).map(|made| made.connection).collect()
}

/// Whether any that was dialled here is to be renewed: up to a tenth before its time, so that what was begun together is not
/// renewed together.
fn is_old(made: &[Made], now: Instant, max: Duration, session: SessionId) -> bool {
    let early = max / 10 / 256 * u32::from(session.as_u64().to_le_bytes()[0]);
    made.iter().any(|made| made.dialled().is_some() && now >= made.at + (max - early))
}

#[cfg(test)]
mod tests {
    use actor_core::{ActorSystem, Executor};

    use super::*;
    use crate::id::NodeId;
    use crate::limits::RENEWALS_MAX;
    use crate::node::NodeServer;
    use crate::testing::pipe::PipeNetwork;
    use crate::transport::PeerIdentity;

    /// A thousand sessions whose better way swallows everything take each place there is for as long as a handshake may take.
    #[tokio::test(start_paused = true)]
    async fn those_whose_time_is_up_wait_for_none_that_looks_for_a_better_way() {
        let network = PipeNetwork::new();
        let start = async |number: u8| {
            let id = NodeId::from_bytes([number; 32]);
            let transport = network.transport(format!("node-{number}")).with_identity(PeerIdentity::Node(id));
            let builder = NodeServer::builder(id).system(ActorSystem::on(Executor::tokio()));
            let builder = builder.transport(transport).connection_age_max(Duration::from_secs(10));
            builder.start().await.unwrap()
        };
        let (a, b) = (start(1).await, start(2).await);
        a.connect(&b.addresses()[0]).await.unwrap();
        let link = a.node.links().remove(0);
        let first = link.made()[0].at;
        let all = u32::try_from(RENEWALS_MAX).unwrap();
        let _taken = a.node.returns.clone().acquire_many_owned(all).await.unwrap();
        tokio::time::sleep(Duration::from_secs(13)).await; // sleep: virtual time that makes it old
        let made = link.made();
        assert!(made.len() == 1 && made[0].at > first, "it was renewed");
    }
}
