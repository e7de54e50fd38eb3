//! Nobody is contacted who was not named: what leaves a machine is counted on its only wire.
//!
//! ```text
//!  inside: two nodes, on all addresses ── wire: counted ── outside: gateway, name server, nobody there
//! ```

use std::fs;
use std::time::Duration;

use actor_cluster::transport::{Address, Transport};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use transport_iroh::iroh::RelayMap;
use transport_iroh::iroh::address_lookup::MemoryLookup;
use transport_iroh::{IrohTransport, Reach, SCHEME, generate_secret_key};

use crate::lab::{self, Lab, Player};

const TEST: &str = "quiet::b14_nothing_leaves_the_machine_unless_it_is_asked_for";

/// Longer than Iroh takes to look for other paths, to keep alive those that it has, and to begin whatever it
/// begins by itself.
const WHILE: Duration = Duration::from_secs(7);

/// Long enough that only a hang reaches it.
const HANG: Duration = Duration::from_secs(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b14_nothing_leaves_the_machine_unless_it_is_asked_for() {
    if let Some(part) = lab::part() {
        return play(&part).await;
    }
    // Each part has a wire of its own, so that they can be played at once.
    let parts = ["direct", "discovery in memory", "relays"];
    let Some(lab) = lab::or_skip(Lab::new(&["in-0", "out-0", "in-1", "out-1", "in-2", "out-2"])) else {
        return;
    };
    let mut players: Vec<_> = (0..).zip(parts).map(|(number, part)| on_a_wire(&lab, number, part)).collect();
    timeout(HANG, async {
        assert_eq!(players[0].says_sometime("packets").await, "0");
        assert_eq!(players[1].says_sometime("packets").await, "0");
        // What is counted would have been seen: a relay is named, and looked for.
        assert_ne!(players[2].says_sometime("packets").await, "0");
    })
    .await
    .expect("the test hangs");
}

/// Starts a part where all that leaves goes to somebody who is not there.
fn on_a_wire(lab: &Lab, number: u8, part: &str) -> Player {
    let (inside, outside) = (&*format!("in-{number}"), &*format!("out-{number}"));
    lab.wire((inside, "wire"), (outside, "wire")).unwrap();
    lab.switch_on(inside, "wire", "10.78.1.1/24").unwrap();
    lab.switch_on(outside, "wire", "10.78.1.2/24").unwrap();
    lab.default_route(inside, "10.78.1.2").unwrap();
    lab.name_server(inside, "10.78.1.2").unwrap();
    Player::start(lab, inside, TEST, part, &[])
}

/// Has two nodes meet and talk for a while, and tells how many packets went over the wire meanwhile.
async fn play(part: &str) {
    let reach = || match part {
        "direct" => Reach::direct(),
        "discovery in memory" => Reach::direct().with_discovery(MemoryLookup::new()),
        "relays" => {
            Reach::direct().with_relays(RelayMap::try_from_iter(["https://relay.example"]).expect("a URL"))
        }
        other => panic!("there is no part {other}"),
    };
    let began = packets();
    let (a, b) = (node(reach()).await, node(reach()).await);
    let mut listener = b.listen().await.expect("listen");
    let port = b.endpoint().expect("open").bound_sockets()[0].port();
    let address = Address::new(SCHEME, &format!("{}@127.0.0.1:{port}", b.node_id())).expect("an address");
    let (near, far) = tokio::join!(a.dial(&address), listener.accept());
    let (near, far) = (near.expect("dial"), far.expect("accept"));
    let mut opened = near.open(a.streams()[0]).await.expect("open");
    opened.write_all(b"hello").await.expect("write");
    let mut accepted = far.accept().await.expect("accept");
    let mut hello = [0; 5];
    accepted.read_exact(&mut hello).await.expect("read");
    sleep(WHILE).await; // sleep: it is about what does not happen meanwhile
    drop((opened, accepted, near, far, listener));
    tokio::try_join!(a.close(), b.close()).expect("close");
    lab::tell(&format!("packets {}", packets() - began));
}

/// On all addresses, that of the wire among them, which it tells its peers of.
async fn node(reach: Reach) -> IrohTransport {
    let builder = IrohTransport::builder().secret_key(generate_secret_key());
    let anywhere = "0.0.0.0:0".parse().expect("a socket");
    builder.bind_addr(anywhere).reach(reach).allow_any().bind().await.expect("bind")
}

/// How many packets went over the wire so far, in and out.
fn packets() -> u64 {
    let counters = fs::read_to_string("/proc/net/dev").expect("the system's counters");
    let wire = counters.lines().find_map(|line| line.trim().strip_prefix("wire:")).expect("the wire");
    let counters: Vec<u64> = wire.split_whitespace().map(|count| count.parse().expect("a number")).collect();
    // Bytes and packets first, of what came; and again, after six more, of what went.
    counters[1] + counters[9]
}
