//! How connections come about, or do not.

use std::pin::pin;

use tokio::io::AsyncReadExt;

use super::holdings::Holdings;
use super::pair::{Pair, accept, assert_talk, both, poll_once, receive, send, while_refusing, yield_now};
use super::{Harness, Node};
use crate::transport::{Address, Listener, TransportError};

/// `Listener::accept` and `Connection::accept` may be dropped and called again
/// and miss nothing.
pub async fn waiting_can_be_cancelled<H: Harness>() {
    let mut world = H::new().await;
    let (dialler, host) = (world.node().await, world.node().await);
    let mut listener = host.transport.listen().await.expect("listen");
    let address = listener.addresses().remove(0);
    let impatient = async {
        loop {
            // Each poll is a wait that somebody gave up.
            if let Some(connection) = poll_once(pin!(listener.accept())) {
                break connection.expect("accept");
            }
            yield_now().await;
        }
    };
    let (near, far) = both(dialler.transport.dial(&address), impatient).await;
    let near = near.expect("dial");
    for lanes in dialler.transport.streams() {
        let opened = async {
            let mut stream = near.open(*lanes).await.expect("open");
            send(&mut stream, b"first").await;
            stream
        };
        let impatient = async {
            loop {
                if let Some(stream) = poll_once(pin!(far.accept())) {
                    break stream.expect("accept");
                }
                yield_now().await;
            }
        };
        let (_opened, mut accepted) = both(opened, impatient).await;
        assert_eq!(receive(&mut accepted, 5).await, b"first");
    }
}

/// Nobody there: the dial says so.
pub async fn dialling_nobody_is_unreachable<H: Harness>() {
    let mut world = H::new().await;
    let (node, nobody) = (world.node().await, world.nobody().await);
    let error = node.transport.dial(&nobody).await.err().expect("nobody is there");
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(nobody.as_str()), "{error} does not say who was dialled");
}

/// A dial may be dropped at any point; the next one gets through.
pub async fn abandoned_dials_leave_the_listener_well<H: Harness>() {
    let mut world = H::new().await;
    let (dialler, host) = (world.node().await, world.node().await);
    let mut listener = host.transport.listen().await.expect("listen");
    let address = listener.addresses().remove(0);
    for polls in 0..12 {
        let mut dial = pin!(dialler.transport.dial(&address));
        for _ in 0..polls {
            // A finished dial is dropped as a connection nobody uses.
            if poll_once(dial.as_mut()).is_some() {
                break;
            }
            // The listener makes progress too; whom it lets in is gone by then.
            drop(poll_once(pin!(listener.accept())));
            yield_now().await;
        }
    }
    assert_gets_through(&dialler, &mut listener).await;
}

/// Addresses of another scheme, and such as nobody can read, are refused by
/// name and before anything is sent.
pub async fn unusable_addresses_are_refused<H: Harness>() {
    let mut world = H::new().await;
    let node = world.node().await;
    let scheme = node.transport.scheme().to_owned();
    let foreign = Address::new(&format!("{scheme}+other"), "127.0.0.1:1").expect("an address");
    let malformed = H::MALFORMED.iter().map(|rest| Address::new(&scheme, rest).expect("an address"));
    for address in malformed.chain([foreign]) {
        let error = node.transport.dial(&address).await.err().expect("unusable");
        assert!(matches!(error, TransportError::Address { .. }), "{address}: {error}");
        assert!(error.to_string().contains(address.as_str()), "{error} does not name {address}");
    }
}

/// A listener says where it really listens: each address can be dialled.
pub async fn every_address_of_a_listener_can_be_dialled<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let addresses = pair.listener.addresses();
    assert!(!addresses.is_empty(), "a listener nobody can find");
    for address in addresses {
        assert_eq!(address.scheme(), pair.host.transport.scheme());
        let mut link = pair.connect_to(&address).await;
        assert_talk(&mut link.streams[0]).await;
    }
}

/// A dropped listener is gone: dials fail, and its address can be had again.
pub async fn dropping_a_listener_frees_its_address<H: Harness>() {
    let mut world = H::new().await;
    let (dialler, host) = (world.node().await, world.node().await);
    let listener = host.transport.listen().await.expect("listen");
    let address = listener.addresses().remove(0);
    drop(listener);
    let error = dialler.transport.dial(&address).await.err().expect("nobody listens any more");
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
    let host = world.again(host, &address).await;
    let listener = host.transport.listen().await.expect("the address is free");
    assert!(listener.addresses().contains(&address), "{:?}", listener.addresses());
    let mut pair = Pair::of(dialler, host, listener).await;
    assert_talk(&mut pair.streams[0]).await;
}

/// Somebody who connects and says nothing does not keep others out.
pub async fn w13_a_silent_peer_delays_nobody<H: Harness>() {
    let mut world = H::new().await;
    let (dialler, host) = (world.node().await, world.node().await);
    let listener = host.transport.listen().await.expect("listen");
    let address = listener.addresses().remove(0);
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(world.silent_peer(&address).await);
    }
    let mut pair = Pair::of(dialler, host, listener).await;
    assert_talk(&mut pair.streams[0]).await;
    drop(silent);
}

/// Somebody who must not get in is reported, or not even heard, and the next
/// one gets in.
pub async fn a_bad_peer_does_not_end_the_listener<H: Harness>() {
    let mut world = H::new().await;
    let (dialler, host) = (world.node().await, world.node().await);
    let mut listener = host.transport.listen().await.expect("listen");
    let address = listener.addresses().remove(0);
    for _ in 0..3 {
        if !while_refusing(&mut listener, world.bad_peer(&address)).await {
            break;
        }
    }
    let mut pair = Pair::of(dialler, host, listener).await;
    assert_talk(&mut pair.streams[0]).await;
}

/// Of dials that were given up halfway nothing is left, on either side.
pub async fn abandoned_dials_leave_nothing_behind<H: Harness>() {
    let mut pair = Pair::connected::<H>().await;
    let address = pair.listener.addresses().remove(0);
    let before = Holdings::now();
    for polls in (0..12).cycle().take(48) {
        let mut dial = pin!(pair.dialler.transport.dial(&address));
        for _ in 0..polls {
            if poll_once(dial.as_mut()).is_some() {
                break;
            }
            drop(poll_once(pin!(pair.listener.accept())));
            yield_now().await;
        }
    }
    before.wait_until_restored(&mut pair.listener).await;
    assert_gets_through(&pair.dialler, &mut pair.listener).await;
}

/// Somebody takes the connection and never says a word: the dial waits, as its deadline is the caller's, and
/// leaves nothing behind when it is given up. What is remembered of the address is remembered once, however
/// many dials there were.
pub async fn a_dial_to_somebody_silent_can_be_given_up<H: Harness>() {
    let mut world = H::new().await;
    let (dialler, host) = (world.node().await, world.node().await);
    let Some((address, silent)) = world.silent_host(&dialler).await else { return };
    let listener = host.transport.listen().await.expect("listen");
    let mut pair = Pair::of(dialler, host, listener).await;
    give_up(&pair.dialler, &address).await;
    let before = Holdings::now();
    for _ in 0..SILENT_DIALS {
        give_up(&pair.dialler, &address).await;
    }
    before.wait_until_restored(&mut pair.listener).await;
    assert_gets_through(&pair.dialler, &mut pair.listener).await;
    drop(silent);
}

/// Another dial gets through, whoever was given up before it.
async fn assert_gets_through(dialler: &Node, listener: &mut Box<dyn Listener>) {
    let address = listener.addresses().remove(0);
    let dialling = async {
        let connection = dialler.transport.dial(&address).await.expect("dial");
        let mut stream = connection.open(dialler.transport.streams()[0]).await.expect("open");
        send(&mut stream, b"here").await;
        (connection, stream)
    };
    let accepting = async {
        loop {
            // The abandoned may still turn up; none of them says anything.
            let connection = accept(listener).await;
            let Ok(mut stream) = connection.accept().await else { continue };
            let mut greeting = [0; 4];
            if stream.read_exact(&mut greeting).await.is_ok() {
                break (connection, stream, greeting);
            }
        }
    };
    let (_dialled, (_connection, _stream, greeting)) = both(dialling, accepting).await;
    assert_eq!(&greeting, b"here");
}

/// Dials somebody silent, and loses patience.
async fn give_up(dialler: &Node, address: &Address) {
    let mut dial = pin!(dialler.transport.dial(address));
    for _ in 0..SILENT_TURNS {
        assert!(poll_once(dial.as_mut()).is_none(), "nobody has answered, and the dial is done");
        yield_now().await;
    }
}

/// So many that what each leaves behind would show.
const SILENT_DIALS: usize = 8;

/// Polls after which a dial has said all that it says before an answer.
const SILENT_TURNS: usize = 200;
