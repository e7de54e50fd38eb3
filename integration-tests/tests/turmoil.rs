//! Nodes as hosts of one simulation: the real sessions, TLS and tokio, over a network that is cut, held up and crashed,
//! in virtual time.

use std::future::Future;
use std::time::Duration;

use actor_cluster::limits::REDIAL_PAUSE_MAX;
use actor_cluster::testing::is_full;
use actor_cluster::transport::Address;
use actor_cluster::{Events, Mode, NodeEvent, NodeServer};
use actor_core::{ActorRef, ActorSystem, SpawnOptions};
use integration_tests::echo::{ECHOES, Echo, Say};
use tokio::time::{sleep, timeout};
use transport_tcp::{DevCa, NodeCredentials, TcpTransport};
use turmoil::{Builder, Sim};

const PORT: u16 = 7400;
/// How much time passes at a time.
const TICK: Duration = Duration::from_millis(5);
const HOST: &str = "host";
const CLIENT: &str = "client";
/// Turmoil sends nothing twice: that a stream is over may be lost too, so that the two see it a heartbeat's timeout apart.
const RESUME_TIMEOUT: Duration = Duration::from_secs(20);

/// A simulation of at most so long, in which bytes take a few milliseconds.
fn simulation(seed: u64, at_most: Duration) -> Sim<'static> {
    let mut builder = Builder::new();
    builder.rng_seed(seed).simulation_duration(at_most).tcp_capacity(1024);
    builder
        .tick_duration(TICK)
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(10));
    builder.build()
}

/// A node on the host of its name.
async fn node(keys: &NodeCredentials) -> NodeServer {
    let config = TcpTransport::builder().listen(([0, 0, 0, 0], PORT).into()).advertise(&keys.name);
    let config = config.credentials(keys.credentials().unwrap()).authorities(keys.authorities().unwrap());
    let builder = NodeServer::builder(keys.node_id).name(&keys.name).system(ActorSystem::new());
    let builder = builder.mode(Mode::Isolated).transport(config.build_on_turmoil().unwrap());
    builder.resume_timeout(RESUME_TIMEOUT).start().await.unwrap()
}

/// One that has an echo, too.
async fn node_with_echo(keys: &NodeCredentials) -> NodeServer {
    let node = node(keys).await;
    let echo = node.system().spawn(Echo, (), SpawnOptions::new()).await.unwrap();
    node.join_group(ECHOES, &echo).unwrap();
    node
}

/// A host that has an echo, each time it begins.
fn add_host(sim: &mut Sim<'_>, keys: NodeCredentials) {
    sim.host(HOST, move || {
        let keys = keys.clone();
        async move {
            let _node = node_with_echo(&keys).await;
            std::future::pending().await
        }
    });
}

/// A world of two, and what the one does who dials the other.
fn two<F>(sim: &mut Sim<'_>, client: impl FnOnce(Caller) -> F + 'static)
where
    F: Future<Output = ()> + 'static,
{
    let ca = DevCa::new().unwrap();
    let [host, keys] = [HOST, CLIENT].map(|name| ca.node(name).unwrap());
    add_host(sim, host);
    sim.client(CLIENT, async move {
        client(Caller::connect(&keys).await).await;
        Ok(())
    });
}

/// Who counts at the other's echo, from 0.
struct Caller {
    node: NodeServer,
    events: Events,
    said: u64,
}

impl Caller {
    async fn connect(keys: &NodeCredentials) -> Self {
        let node = node(keys).await;
        let mut caller = Self { events: node.subscribe(), node, said: 0 };
        caller.dial().await;
        caller
    }

    /// Dials until there is a session that is ready at both ends: one that opens ends with its streams, and what was answered
    /// was ready there.
    async fn dial(&mut self) {
        while self.node.connect(&address()).await.is_err() {}
        self.until("ready", |event| matches!(event, NodeEvent::Ready(_))).await;
        self.assert_all_arrived().await;
    }

    /// Waits for an event.
    async fn until(&mut self, what: &str, is_it: impl Fn(&NodeEvent) -> bool) -> NodeEvent {
        loop {
            let event =
                self.events.next().await.unwrap_or_else(|| panic!("the node ends before it is {what}"));
            if is_it(&event) {
                return event;
            }
        }
    }

    fn echo(&self) -> ActorRef<Say> {
        self.node.group::<Say>(ECHOES).pop().expect("the host has an echo")
    }

    fn count(&mut self, times: u64) {
        for _ in 0..times {
            self.echo().cast(Say::Next(0, self.said)).unwrap();
            self.said += 1;
        }
    }

    /// Nothing was lost, repeated or reordered.
    async fn assert_all_arrived(&self) {
        assert_eq!(self.echo().call(Say::Tally).await.unwrap(), (self.said, 0));
    }
}

fn address() -> Address {
    format!("tcp+tls://{HOST}:{PORT}").parse().unwrap()
}

#[test]
fn what_a_partition_holds_up_arrives_once_it_heals() {
    let mut sim = simulation(1, Duration::from_secs(60));
    two(&mut sim, async |mut caller| {
        caller.count(100);
        caller.assert_all_arrived().await;
        turmoil::partition(CLIENT, HOST);
        caller.count(100);
        caller.until("interrupted", |event| matches!(event, NodeEvent::Interrupted { .. })).await;
        caller.count(100);
        turmoil::repair(CLIENT, HOST);
        caller.until("resumed", |event| matches!(event, NodeEvent::Resumed(_))).await;
        caller.count(100);
        caller.assert_all_arrived().await;
    });
    sim.run().unwrap();
}

#[test]
fn a_partition_that_lasts_is_one_lost_session_and_the_next_one_is_new() {
    let mut sim = simulation(2, Duration::from_secs(120));
    two(&mut sim, async |mut caller| {
        turmoil::partition(CLIENT, HOST);
        let echo = caller.echo();
        let asked = tokio::spawn(async move { echo.call(|port| Say::This("anybody?".into(), port)).await });
        let lost = caller.until("lost", |event| event.session_end().is_some()).await;
        assert!(matches!(lost, NodeEvent::SessionLost { unacked: 1.., .. }), "{lost:?}");
        let unheard = asked.await.unwrap().unwrap_err();
        assert!(unheard.failure().is_some(), "{unheard:?}");
        assert!(caller.node.group::<Say>(ECHOES).is_empty());
        turmoil::repair(CLIENT, HOST);
        caller.dial().await;
        caller.count(10);
        caller.assert_all_arrived().await;
    });
    sim.run().unwrap();
}

#[test]
fn what_is_held_up_for_a_while_is_only_late() {
    let mut sim = simulation(3, Duration::from_secs(60));
    two(&mut sim, async |mut caller| {
        caller.count(100);
        turmoil::hold(CLIENT, HOST);
        caller.count(100);
        let begun = tokio::time::Instant::now();
        let late = Duration::from_secs(3);
        let release = async {
            sleep(late).await; // sleep: virtual time, less than what makes a stream count as lost
            turmoil::release(CLIENT, HOST);
        };
        tokio::join!(release, caller.assert_all_arrived());
        assert!(begun.elapsed() >= late, "{:?}", begun.elapsed());
        // All that has happened is told before any time passes.
        while let Ok(event) = timeout(Duration::ZERO, caller.events.next()).await {
            assert!(!matches!(event, Some(NodeEvent::Interrupted { .. })), "{event:?}");
        }
    });
    sim.run().unwrap();
}

#[test]
fn who_is_not_heard_in_one_direction_is_lost_in_both() {
    let ca = DevCa::new().unwrap();
    let [one, other] = ["one", HOST].map(|name| ca.node(name).unwrap());
    let mut sim = simulation(4, Duration::from_secs(60));
    sim.client(HOST, async move {
        let node = node_with_echo(&other).await;
        let mut events = node.subscribe();
        loop {
            if events.next().await.expect("the node lives").session_end().is_some() {
                return Ok(());
            }
        }
    });
    sim.client("one", async move {
        let mut caller = Caller::connect(&one).await;
        turmoil::partition_oneway(HOST, "one");
        caller.until("lost", |event| event.session_end().is_some()).await;
        Ok(())
    });
    sim.run().unwrap();
}

#[test]
fn a_host_that_crashes_is_lost_and_its_next_life_is_another() {
    let mut sim = simulation(5, Duration::from_secs(60));
    two(&mut sim, async |mut caller| {
        let first = caller.node.sessions().remove(0).peer().clone();
        caller.count(10);
        let lost = caller.until("lost", |event| event.session_end().is_some()).await;
        assert!(matches!(&lost, NodeEvent::SessionLost { peer, .. } if *peer == first), "{lost:?}");
        caller.said = 0;
        caller.dial().await;
        let second = caller.node.sessions().remove(0).peer().clone();
        assert_eq!(second.node, first.node);
        assert_ne!(second.incarnation, first.incarnation);
        caller.count(10);
        caller.assert_all_arrived().await;
    });
    let (mut has_crashed, mut is_back) = (false, false);
    while !sim.step().unwrap() {
        if !has_crashed && sim.elapsed() >= Duration::from_secs(3) {
            sim.crash(HOST);
            has_crashed = true;
        }
        if !is_back && sim.elapsed() >= Duration::from_secs(6) {
            sim.bounce(HOST);
            is_back = true;
        }
    }
    assert!(has_crashed && is_back);
}

#[test]
fn cuts_again_and_again_lose_repeat_and_reorder_nothing() {
    let seeds = if is_full() { 20 } else { 2 };
    for seed in 1..=seeds {
        let mut sim = simulation(seed, Duration::from_secs(300));
        two(&mut sim, async move |mut caller| {
            for round in 0..20 {
                turmoil::partition(CLIENT, HOST);
                caller.count(20);
                let cut = Duration::from_millis((seed * 379 + round * 613) % 3000);
                sleep(cut).await; // sleep: virtual time that it is cut for
                turmoil::repair(CLIENT, HOST);
                caller.count(20);
                let whole = REDIAL_PAUSE_MAX + Duration::from_millis(round * 100);
                sleep(whole).await; // sleep: virtual time in which it may find streams
            }
            caller.assert_all_arrived().await;
            while let Ok(event) = timeout(Duration::ZERO, caller.events.next()).await {
                assert!(event.unwrap().session_end().is_none(), "one session lasts");
            }
        });
        sim.run().unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    }
}
