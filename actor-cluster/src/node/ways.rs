//! By which of its addresses a peer is dialled: which comes first, and when the next has its turn.

use std::future::Future;

use actor_core::Executor;
use futures_util::stream::{FuturesUnordered, StreamExt};

use super::Node;
use super::link::Link;
use crate::limits::WAY_DELAY;
use crate::locked::locked;
use crate::transport::Address;

/// Which of a peer's addresses is the best, where it has several. Whatever the best one is, the others stand in for it
/// while it does not work, and the session goes back to it when it works again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Preference {
    /// The one that was dialled; then the others, in the order in which the node was given their
    /// [transports](crate::NodeBuilder::transport).
    #[default]
    Dialled,
    /// That of the transport which the node was given first, whatever was dialled.
    Order,
}

/// An address, and how good it is: less is better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) address: Address,
    pub(super) rank: usize,
}

impl Preference {
    fn rank(self, is_home: bool, transport: usize) -> usize {
        match self {
            Preference::Dialled if is_home => 0,
            Preference::Dialled => 1 + transport,
            Preference::Order => transport,
        }
    }
}

impl Node {
    /// Where the peer of a session may be reached, as it says itself, the best first.
    pub(super) fn ways_to(&self, link: &Link) -> Vec<Way> {
        let home = link.dialled();
        let said = locked(&self.peers).reachable.get(&link.info.node).cloned().unwrap_or_default();
        self.ways(distinct(home.clone().into_iter().chain(said)), home.as_ref())
    }

    /// The same of one whose session has lost its streams, and behind that where others say that it is: it may have come back
    /// somewhere else.
    pub(super) fn ways_back_to(&self, link: &Link) -> Vec<Way> {
        let mut ways = self.ways_to(link);
        let said = locked(&self.peers).hearsay.get(&link.info.node).cloned().unwrap_or_default();
        let known: Vec<Address> = ways.iter().map(|way| way.address.clone()).collect();
        ways.extend(self.ways(said.into_iter().filter(|address| !known.contains(address)), None));
        ways
    }

    /// Those of the addresses for which there is a transport, the best first.
    pub(super) fn ways(
        &self,
        addresses: impl IntoIterator<Item = Address>,
        home: Option<&Address>,
    ) -> Vec<Way> {
        let way = |address: Address| {
            let rank = self.rank(&address, home)?;
            Some(Way { address, rank })
        };
        let mut ways: Vec<Way> = addresses.into_iter().filter_map(way).collect();
        // Of equals the one that was said first.
        ways.sort_by_key(|way| way.rank);
        ways
    }

    /// How good an address is; `None` if there is no transport for it.
    pub(super) fn rank(&self, address: &Address, home: Option<&Address>) -> Option<usize> {
        let transport =
            self.transports.iter().position(|transport| transport.scheme() == address.scheme())?;
        Some(self.settings.preference.rank(home == Some(address), transport))
    }
}

fn distinct(addresses: impl Iterator<Item = Address>) -> Vec<Address> {
    addresses.fold(Vec::new(), |mut distinct, address| {
        if !distinct.contains(&address) {
            distinct.push(address);
        }
        distinct
    })
}

/// Tries one way after the other, each when one before has failed or after [`WAY_DELAY`], until one has worked: so a way
/// that swallows everything keeps nobody from the next. Gives up those that are under way then. `None` if none has worked.
pub(super) async fn first_to_work<T, F>(
    executor: &Executor,
    ways: Vec<Way>,
    attempt: impl Fn(Way) -> F,
) -> Option<T>
where
    F: Future<Output = Option<T>>,
{
    let mut ways = ways.into_iter();
    let mut attempts = FuturesUnordered::new();
    loop {
        attempts.extend(ways.next().map(&attempt));
        let outcome = if ways.len() == 0 {
            attempts.next().await
        } else {
            match executor.timeout(WAY_DELAY, attempts.next()).await {
                Ok(outcome) => outcome,
                Err(_) => continue,
            }
        };
        match outcome {
            Some(Some(worked)) => return Some(worked),
            Some(None) => {}
            None => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::time::Duration;

    use actor_core::ActorSystem;
    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::id::NodeId;
    use crate::node::NodeServer;
    use crate::testing::pipe::PipeNetwork;
    use crate::transport::PeerIdentity;

    #[test]
    fn the_dialled_address_or_the_first_transport_is_the_best() {
        let ranks = |preference: Preference| {
            [(true, 0), (true, 1), (false, 0), (false, 1)].map(|(is_home, at)| preference.rank(is_home, at))
        };
        assert_eq!(ranks(Preference::Dialled), [0, 0, 1, 2]);
        assert_eq!(ranks(Preference::Order), [0, 1, 0, 1]);
    }

    /// One that lies would else have every node dial where it likes, again and again, and delay what works.
    #[tokio::test(start_paused = true)]
    async fn what_others_say_of_a_peer_counts_only_while_it_is_lost_and_comes_last() {
        let network = PipeNetwork::new();
        let start = async |number: u8| {
            let id = NodeId::from_bytes([number; 32]);
            let on = |scheme: &'static str| {
                let transport = network.transport(format!("{scheme}-{number}")).with_scheme(scheme);
                transport.with_identity(PeerIdentity::Node(id))
            };
            let system = ActorSystem::on(Executor::tokio());
            let builder = NodeServer::builder(id).system(system).transport(on("best")).transport(on("other"));
            builder.start().await.unwrap()
        };
        let (a, b) = (start(1).await, start(2).await);
        a.connect(&b.addresses()[1]).await.unwrap();
        let link = a.node.links().remove(0);
        a.node.on_member(b.id(), vec![Address::new("best", "hole").unwrap(), b.addresses()[0].clone()]);
        let texts = |ways: Vec<Way>| ways.iter().map(|way| way.address.to_string()).collect::<Vec<_>>();
        assert_eq!(texts(a.node.ways_to(&link)), ["other://other-2", "best://best-2"]);
        assert_eq!(texts(a.node.ways_back_to(&link)), ["other://other-2", "best://best-2", "best://hole"]);
    }

    fn ways(count: usize) -> Vec<Way> {
        let way = |rank: usize| Way { address: Address::new("pipe", &rank.to_string()).unwrap(), rank };
        (0..count).map(way).collect()
    }

    /// When each attempt began, in milliseconds, and which worked, if each takes so long and fails or not.
    async fn tried(attempts: &[(u64, bool)]) -> (Vec<u64>, Option<usize>, u64) {
        let (begun, since) = (RefCell::new(Vec::new()), Instant::now());
        let millis = || u64::try_from(since.elapsed().as_millis()).unwrap();
        let executor = Executor::tokio();
        let worked = first_to_work(&executor, ways(attempts.len()), |way| {
            begun.borrow_mut().push(millis());
            let (takes, works) = attempts[way.rank];
            async move {
                sleep(Duration::from_millis(takes)).await; // sleep: virtual time that the attempt takes
                works.then_some(way.rank)
            }
        });
        let worked = worked.await;
        (begun.into_inner(), worked, millis())
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_way_has_its_turn_after_a_while_or_a_failure() {
        let delay = u64::try_from(WAY_DELAY.as_millis()).unwrap();
        assert_eq!(tried(&[]).await, (vec![], None, 0));
        assert_eq!(tried(&[(5, true), (0, true)]).await, (vec![0], Some(0), 5), "only the first is tried");
        assert_eq!(tried(&[(5, false), (7, true)]).await, (vec![0, 5], Some(1), 12), "it fails at once");
        assert_eq!(tried(&[(1 << 30, true), (7, true)]).await, (vec![0, delay], Some(1), delay + 7));
        assert_eq!(tried(&[(delay + 3, true), (9, true)]).await, (vec![0, delay], Some(0), delay + 3));
        assert_eq!(tried(&[(5, false), (7, false)]).await, (vec![0, 5], None, 12), "all have failed");
    }
}
