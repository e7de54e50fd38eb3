//! Nodes that several transports connect: sessions go over from one to the other, and nothing is lost with the change.

use std::time::Duration;

use actor_cluster::limits::{BETTER_WAY_INTERVAL, REDIAL_PAUSE_MAX, RESUME_TIMEOUT, WAY_DELAY};
use actor_cluster::{Mode, NodeBuilder, Preference};
use actor_core::ActorRef;
use tokio::time::Instant;

use super::Network;
use super::support::network::Dice;
use super::support::{
    BEAT, Count, SILENCE, Start, TestNode, id, node_with, on_every_shape, pass, remote_counter, seeds, settle,
};

on_every_shape! {
    a_session_goes_over_to_another_transport_and_back
    a_way_that_swallows_everything_keeps_nobody_from_the_next
    what_was_dialled_is_the_best_unless_the_order_is_to_decide
    a_peer_of_a_peer_is_dialled_by_the_best_of_its_addresses
    a_dial_for_what_was_found_otherwise_keeps_no_later_one_waiting
    many_changes_under_load_lose_repeat_and_reorder_nothing
}

/// Both networks, the better one first.
struct Both([Network; 2]);

impl Both {
    fn beside(network: &Network) -> Self {
        Self([network.clone(), network.beside("other")])
    }

    async fn node(&self, number: u8, settings: impl FnOnce(NodeBuilder) -> NodeBuilder) -> TestNode {
        let other = self.0[1].transport(number);
        let lasting =
            |builder: NodeBuilder| settings(builder.resume_timeout(RESUME_TIMEOUT)).transport(other);
        node_with(&self.0[0], number, lasting).await
    }

    /// Two nodes that can meet on both, with a session by the better one.
    async fn two(&self) -> (TestNode, TestNode) {
        let (a, b) = (self.node(1, |builder| builder).await, self.node(2, |builder| builder).await);
        a.connect(&b).await;
        (a, b)
    }
}

/// Which of the networks carries the session: without it, a call takes longer than a moment.
async fn carrier(both: &Both, held: &ActorRef<Count>) -> usize {
    both.0[0].hold();
    let call = tokio::spawn({
        let held = held.clone();
        async move { held.call(Count::Get).await }
    });
    settle().await;
    let is_held_up = !call.is_finished();
    both.0[0].resume();
    call.await.unwrap().unwrap();
    usize::from(!is_held_up)
}

async fn a_session_goes_over_to_another_transport_and_back(network: Network) {
    let both = Both::beside(&network);
    let (a, b) = both.two().await;
    let start = Start::default();
    let (_, held) = remote_counter(&a, &b, start.clone()).await;
    assert_eq!(carrier(&both, &held).await, 0);
    for round in 0..3 {
        let number = 4 * round;
        both.0[0].close_doors();
        both.0[0].cut();
        // Before anybody can have noticed.
        held.cast(Count::Add(number)).unwrap();
        let since = Instant::now();
        held.call(|port| Count::AddAndGet(number + 1, port)).await.unwrap();
        assert!(since.elapsed() < WAY_DELAY, "{:?}", since.elapsed());
        assert_eq!(carrier(&both, &held).await, 1);
        if round == 1 {
            // The other fails as well, before the better one has been tried again.
            both.0[0].open_doors();
            both.0[1].cut();
        } else {
            pass(2 * BETTER_WAY_INTERVAL).await;
            assert_eq!(carrier(&both, &held).await, 1, "the better one does not work yet");
            both.0[0].open_doors();
            pass(BETTER_WAY_INTERVAL + 2 * BEAT).await;
        }
        held.cast(Count::Add(number + 2)).unwrap();
        held.call(|port| Count::AddAndGet(number + 3, port)).await.unwrap();
        assert_eq!(carrier(&both, &held).await, 0);
        // What it went by before is given up.
        both.0[1].cut();
        settle().await;
        assert!(!a.server.sessions()[0].is_interrupted());
    }
    assert_eq!(start.added(), (0..12).collect::<Vec<_>>());
}

async fn a_way_that_swallows_everything_keeps_nobody_from_the_next(network: Network) {
    let both = Both::beside(&network);
    let (a, b) = both.two().await;
    let (_, held) = remote_counter(&a, &b, Start::default()).await;
    both.0[0].swallow_dials();
    both.0[0].silence();
    let since = Instant::now();
    assert_eq!(held.call(|port| Count::AddAndGet(1, port)).await, Ok(1));
    let most = SILENCE + BEAT + REDIAL_PAUSE_MAX + WAY_DELAY;
    assert!((SILENCE..most).contains(&since.elapsed()), "{:?}", since.elapsed());
    assert_eq!((a.peers(), b.peers()), (vec![b.id()], vec![a.id()]), "the same session");
}

/// Dials to one address take turns, and one that hears nothing takes as long as a handshake may.
async fn a_dial_for_what_was_found_otherwise_keeps_no_later_one_waiting(network: Network) {
    let lasting = |builder: NodeBuilder| builder.resume_timeout(RESUME_TIMEOUT);
    let (a, b) = (node_with(&network, 1, lasting).await, node_with(&network, 2, lasting).await);
    a.connect(&b).await;
    let (_, held) = remote_counter(&a, &b, Start::default()).await;
    // Whoever was dialled dials in the end, and is heard.
    network.lose(2);
    assert_eq!(held.call(|port| Count::AddAndGet(1, port)).await, Ok(1));
    network.open_doors();
    network.close_door_of(1);
    pass(REDIAL_PAUSE_MAX).await;
    network.cut();
    let since = Instant::now();
    assert_eq!(held.call(|port| Count::AddAndGet(1, port)).await, Ok(2));
    assert!(since.elapsed() < REDIAL_PAUSE_MAX, "{:?}", since.elapsed());
}

async fn what_was_dialled_is_the_best_unless_the_order_is_to_decide(network: Network) {
    for (preference, expected) in [(Preference::Dialled, 1), (Preference::Order, 0)] {
        let both = Both::beside(&network.beside("pipe"));
        let prefer = |builder: NodeBuilder| builder.preference(preference);
        let (a, b) = (both.node(1, prefer).await, both.node(2, prefer).await);
        let [_, other] = b.server.addresses() else { panic!("it listens twice") };
        a.server.connect(other).await.unwrap();
        let (_, held) = remote_counter(&a, &b, Start::default()).await;
        assert_eq!(carrier(&both, &held).await, 1, "by which it was dialled");
        pass(BETTER_WAY_INTERVAL + 2 * BEAT).await;
        assert_eq!(carrier(&both, &held).await, expected, "{preference:?}");
        tokio::join!(a.shutdown(), b.shutdown());
    }
}

async fn a_peer_of_a_peer_is_dialled_by_the_best_of_its_addresses(network: Network) {
    let both = Both::beside(&network);
    let transitive = |number| both.node(number, |builder| builder.mode(Mode::Transitive));
    let (a, hub, c) = (transitive(1).await, transitive(2).await, transitive(3).await);
    let [_, other] = hub.server.addresses() else { panic!("it listens twice") };
    a.server.connect(other).await.unwrap();
    c.server.connect(other).await.unwrap();
    pass(2 * WAY_DELAY).await;
    assert_eq!(a.peers(), [id(2), id(3)]);
    let (_, held) = remote_counter(&a, &c, Start::default()).await;
    assert_eq!(carrier(&both, &held).await, 0);
}

/// Casts and calls of a sender on each side, while now one network is cut and now the other, and now one is closed for
/// a time.
async fn many_changes_under_load_lose_repeat_and_reorder_nothing(network: Network) {
    for seed in seeds(10) {
        let both = Both([network.beside("pipe").shuffled(seed), network.beside("other").shuffled(seed + 1)]);
        let (a, b) = both.two().await;
        let starts = [Start::default(), Start::default()];
        b.publish("there", starts[0].clone()).await;
        a.publish("here", starts[1].clone()).await;
        settle().await;
        let senders = [a.find("there"), b.find("here")].map(|target| {
            tokio::spawn(async move {
                for number in 0..300_u64 {
                    if number % 5 == 0 {
                        target.call(|port| Count::AddAndGet(number, port)).await.unwrap();
                    } else {
                        target.send(Count::Add(number)).await.unwrap();
                    }
                }
            })
        });
        let dice = Dice::new(seed);
        let one = |both: &Both| both.0[usize::from(dice.below(2) == 0)].clone();
        while !senders.iter().all(tokio::task::JoinHandle::is_finished) {
            match dice.below(16) {
                0 | 1 => one(&both).cut(),
                2 => {
                    let network = one(&both);
                    network.close_doors();
                    network.cut();
                    pass(Duration::from_millis(dice.below(300))).await;
                    network.open_doors();
                }
                3 => pass(BETTER_WAY_INTERVAL * u32::from(dice.below(20) == 0)).await,
                4 | 5 => pass(Duration::from_millis(dice.below(30))).await,
                _ => tokio::task::yield_now().await,
            }
        }
        for sender in senders {
            sender.await.unwrap();
        }
        for start in starts {
            assert_eq!(start.added(), (0..300).collect::<Vec<_>>(), "seed {seed}");
        }
        tokio::join!(a.shutdown(), b.shutdown());
    }
}
