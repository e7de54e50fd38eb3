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
    /// Where the peer of a session may be reached, the best first.
    pub(super) fn ways_to(&self, link: &Link) -> Vec<Way> {
        let home = link.dialled();
        let peers = locked(&self.peers);
        let said = [&peers.reachable, &peers.hearsay].map(|said| said.get(&link.info.node));
        let mut addresses: Vec<Address> = home.clone().into_iter().collect();
        for address in said.into_iter().flatten().flatten() {
            if !addresses.contains(address) {
                addresses.push(address.clone());
            }
        }
        drop(peers);
        self.ways(addresses, home.as_ref())
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

    use tokio::time::{Instant, sleep};

    use super::*;

    #[test]
    fn the_dialled_address_or_the_first_transport_is_the_best() {
        let ranks = |preference: Preference| {
            [(true, 0), (true, 1), (false, 0), (false, 1)].map(|(is_home, at)| preference.rank(is_home, at))
        };
        assert_eq!(ranks(Preference::Dialled), [0, 0, 1, 2]);
        assert_eq!(ranks(Preference::Order), [0, 1, 0, 1]);
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
