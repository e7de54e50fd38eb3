//! Plain structs on other nodes: the same reference, the same methods.

use std::time::Duration;

use actor_cluster::RemoteMessage;
use actor_core::{CallError, Recipient, ReplyPort, SendError, actor};

use super::Network;
use super::support::{on_every_shape, settle, two};

#[derive(Default)]
struct Tally {
    n: i64,
    failed: u32,
}

#[actor(remote, message(wire(name = "test/tally")))]
impl Tally {
    /// Adds and says the sum.
    async fn inc(&mut self, by: i64) -> i64 {
        self.n += by;
        self.n
    }

    #[cast]
    fn reset(&mut self) {
        self.n = 0;
    }

    #[wire(name = "split")]
    #[expires]
    fn divide(&mut self, by: i64) -> Result<i64, String> {
        self.n.checked_div(by).ok_or_else(|| {
            self.failed += 1;
            "by zero".to_owned()
        })
    }

    #[priority(low)]
    fn failed(&self) -> u32 {
        self.failed
    }

    /// Whether a caller waits, and how its arguments were encoded.
    fn nobody(&mut self, #[wire(serde)] note: String, port: ReplyPort<String>) {
        if port.is_nobody() {
            self.failed += 100;
        }
        let _ = port.send(note);
    }
}

/// The long form of `remote`.
struct Long;

#[actor(derive(Debug, RemoteMessage))]
impl Long {
    fn get(&self) -> u8 {
        7
    }
}

on_every_shape! {
    b22_a_plain_struct_is_called_from_another_node
    a_call_whose_answer_nobody_wants_travels_as_a_cast
    an_answer_is_forwarded_across_nodes
    the_long_form_of_remote_is_the_same
}

async fn b22_a_plain_struct_is_called_from_another_node(network: Network) {
    let (a, b) = two(&network).await;
    let tally = Tally::default().spawn().on(&b.system).await.unwrap();
    b.server.publish("tally", &tally).unwrap();
    settle().await;
    let remote = TallyRef::from(a.server.find("tally").unwrap());
    assert!(!remote.is_local() && tally.is_local());
    for tally in [&remote, &tally] {
        tally.reset().cast().unwrap();
        assert_eq!(tally.inc(3).await.unwrap(), 3);
        assert_eq!(tally.inc(2).timeout(Duration::from_secs(9)).await.unwrap(), 5);
        tally.inc(1).send().await.unwrap();
        assert_eq!(tally.divide(2).await.unwrap(), Ok(3));
        assert_eq!(tally.divide(0).await.unwrap(), Err("by zero".to_owned()));
        tally.reset().await.unwrap();
        assert_eq!(tally.inc(0).await.unwrap(), 0);
    }
    let reset: Recipient<TallyReset> = remote.recipient();
    tally.inc(5).await.unwrap();
    reset.cast(TallyReset {}).unwrap();
    assert_eq!(remote.inc(0).await.unwrap(), 0);
    assert_eq!(remote, tally);
    b.shutdown().await;
    settle().await;
    match remote.inc(4).await {
        Err(CallError::NotSent(SendError::NotConnected(TallyInc { by: 4 }))) => {}
        other => panic!("it should have come back, not {:?}", other.map_err(|error| error.to_string())),
    }
}

async fn a_call_whose_answer_nobody_wants_travels_as_a_cast(network: Network) {
    let (a, b) = two(&network).await;
    let tally = Tally::default().spawn().on(&b.system).await.unwrap();
    b.server.publish("tally", &tally).unwrap();
    settle().await;
    let remote = TallyRef::from(a.server.find("tally").unwrap());
    remote.divide(0).cast().unwrap();
    assert_eq!(remote.nobody("heard".to_owned()).await.unwrap(), "heard");
    assert_eq!(remote.failed().await.unwrap(), 1, "there was a caller");
    remote.nobody("unheard".to_owned()).cast().unwrap();
    assert_eq!(remote.failed().await.unwrap(), 101, "there was none");
}

async fn an_answer_is_forwarded_across_nodes(network: Network) {
    let (a, b) = two(&network).await;
    let tally = Tally::default().spawn().on(&b.system).await.unwrap();
    b.server.publish("tally", &tally).unwrap();
    settle().await;
    let remote = TallyRef::from(a.server.find("tally").unwrap());
    let (port, reply) = ReplyPort::new(None);
    remote.inc(8).forward_to(port).map_err(|error| error.to_string()).unwrap();
    assert_eq!(reply.await, Ok(8));
}

async fn the_long_form_of_remote_is_the_same(network: Network) {
    let (a, b) = two(&network).await;
    let long = Long.spawn().on(&b.system).await.unwrap();
    b.server.publish("long", &long).unwrap();
    settle().await;
    assert_eq!(LongRef::from(a.server.find("long").unwrap()).get().await.unwrap(), 7);
    assert!(format!("{:?}", LongMessage::Get(ReplyPort::nobody())).starts_with("Get("));
}
