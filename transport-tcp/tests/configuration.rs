//! Settings that make sense, and such as do not.

use std::net::SocketAddr;

use actor_cluster::transport::{Transport, TransportError};
use transport_tcp::{DevCa, TcpTransport, TlsContext};

use crate::world::{ANY_PORT, Host, assert_config, config, node_of, settings};

#[tokio::test]
async fn addresses_tell_the_real_port_and_the_advertised_host() {
    let node = DevCa::new().unwrap().node("host").unwrap();
    let host = Host::start(&config(&node).build().unwrap()).await;
    assert_eq!(host.address.scheme(), "tcp+tls");
    let real: SocketAddr = host.address.rest().parse().unwrap();
    assert_ne!(real.port(), 0);

    let everywhere = settings(&node).listen(([0, 0, 0, 0], 0).into());
    let host = Host::start(&everywhere.clone().advertise("localhost").build().unwrap()).await;
    let (name, port) = host.address.rest().split_once(':').unwrap();
    assert_eq!(name, "localhost");
    assert_ne!(port.parse::<u16>().unwrap(), 0);

    let host = Host::start(&everywhere.advertise("[2001:db8::1]:7400").build().unwrap()).await;
    assert_eq!(host.address.as_str(), "tcp+tls://[2001:db8::1]:7400");
}

#[tokio::test]
async fn several_sockets_are_listened_on_and_several_hosts_advertised() {
    let ca = DevCa::new().unwrap();
    let dialler = node_of(&ca, "dialler");
    let second = "127.0.0.2:0".parse().unwrap();
    let two = || config(&ca.node("host").unwrap()).listen(second);
    let mut host = Host::start(&two().build().unwrap()).await;
    let addresses = host.listener.addresses();
    let [first, second] = &addresses[..] else { panic!("{addresses:?}") };
    assert!(
        first.rest().starts_with("127.0.0.1:") && second.rest().starts_with("127.0.0.2:"),
        "{addresses:?}"
    );
    for address in [second, first, second] {
        host.address = address.clone();
        host.connect(&dialler).await;
    }

    let advertised = two().advertise("localhost").advertise("other.example:7400").build().unwrap();
    let addresses = advertised.listen().await.unwrap().addresses();
    let port = addresses[0].rest().rsplit_once(':').unwrap().1;
    assert_ne!(port.parse::<u16>().unwrap(), 0);
    assert_eq!(addresses[0].rest(), format!("localhost:{port}"));
    assert_eq!(addresses[1].rest(), "other.example:7400");
}

/// A second socket that is taken leaves nothing of the first.
#[tokio::test]
async fn all_sockets_are_listened_on_or_none() {
    let ca = DevCa::new().unwrap();
    let taken = Host::start(&node_of(&ca, "taken")).await;
    let free = Host::start(&node_of(&ca, "free")).await;
    let [taken_at, free_at] = [&taken, &free].map(|host| host.address.rest().parse().unwrap());
    drop(free);
    let node = ca.node("host").unwrap();
    let error = settings(&node).listen(free_at).listen(taken_at).build().unwrap().listen().await;
    assert!(matches!(error.err(), Some(TransportError::Bind { .. })));
    settings(&node).listen(free_at).build().unwrap().listen().await.unwrap();
}

#[tokio::test]
async fn a_host_name_is_resolved() {
    let ca = DevCa::new().unwrap();
    let host = config(&ca.node("host").unwrap()).advertise("localhost").build().unwrap();
    Host::start(&host).await.connect(&node_of(&ca, "dialler")).await;
}

#[tokio::test]
async fn ipv6_addresses_stand_in_brackets() {
    let ca = DevCa::new().unwrap();
    let host = settings(&ca.node("host").unwrap()).listen("[::1]:0".parse().unwrap()).build().unwrap();
    // Some machines that build this have no IPv6.
    if let Err(TransportError::Bind { .. }) = host.listen().await {
        return;
    }
    let mut host = Host::start(&host).await;
    assert!(host.address.rest().starts_with("[::1]:"), "{}", host.address);
    host.connect(&node_of(&ca, "dialler")).await;
}

#[tokio::test]
async fn a_name_that_is_nobodys_is_unreachable() {
    let dialler = node_of(&DevCa::new().unwrap(), "dialler");
    // Reserved so that it never resolves (RFC 6761).
    let address = "tcp+tls://nobody.invalid:7400".parse().unwrap();
    let error = dialler.dial(&address).await.err().expect("there is no such name");
    assert!(matches!(error, TransportError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_transport_may_only_dial() {
    let ca = DevCa::new().unwrap();
    let node = ca.node("dialler").unwrap();
    let dialler = TcpTransport::builder()
        .credentials(node.credentials().unwrap())
        .authorities(node.authorities().unwrap())
        .build()
        .unwrap();
    let error = dialler.listen().await.err().expect("there is no address");
    assert_config(&error, "no address to listen on");
    Host::start(&node_of(&ca, "host")).await.connect(&dialler).await;
}

#[test]
fn what_makes_no_sense_is_refused_in_words() {
    let node = DevCa::new().unwrap().node("node").unwrap();
    let (credentials, authorities) = (node.credentials().unwrap(), node.authorities().unwrap());
    let context = TlsContext::new(credentials.clone(), authorities.clone()).unwrap();
    let bare = TcpTransport::builder;
    for (config, detail) in [
        (bare(), "credentials are missing"),
        (bare().authorities(authorities.clone()), "credentials are missing"),
        (bare().credentials(credentials.clone()), "authorities are missing"),
        (config(&node).danger_plaintext(), "but plaintext was asked for"),
        (bare().authorities(authorities).danger_plaintext(), "but plaintext was asked for"),
        (bare().tls(context.clone()).danger_plaintext(), "but plaintext was asked for"),
        (config(&node).tls(context), "are given beside it, too"),
        (settings(&node).listen(([0, 0, 0, 0], 0).into()), "no address that others can dial"),
        (settings(&node).listen("[::]:0".parse().unwrap()), "no address that others can dial"),
        (config(&node).advertise("a b"), "cannot advertise"),
        (bare().danger_plaintext().advertise("host"), "needs an address to listen on"),
    ] {
        let error = config.build().err().unwrap_or_else(|| panic!("{detail}"));
        assert_config(&error, detail);
    }
    assert!(bare().danger_plaintext().listen(ANY_PORT).build().is_ok());
}

/// Keys must not end up in a log by way of `{:?}`.
#[test]
fn keys_stay_out_of_logs() {
    let node = DevCa::new().unwrap().node("node").unwrap();
    let secret = node.key.lines().nth(1).unwrap();
    let logged = format!("{node:?} {:?} {:?}", node.credentials().unwrap(), config(&node));
    assert!(!logged.contains(secret) && !logged.contains("PRIVATE KEY"), "{logged}");
}

/// The transport's part of the target `names`: texts that a fuzzer kept.
#[test]
fn whatever_is_advertised_is_taken_or_refused() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/names.hex");
    let kept = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut asked = 0;
    for line in kept.lines() {
        let bytes: Vec<u8> =
            (0..line.len()).step_by(2).map(|at| u8::from_str_radix(&line[at..at + 2], 16).unwrap()).collect();
        // As a fuzzer hands bytes to who wants a text: as far as they are one.
        let text = bytes.utf8_chunks().next().map_or("", |chunk| chunk.valid());
        let transport = TcpTransport::builder().listen(ANY_PORT).advertise(text).danger_plaintext().build();
        if let Err(error) = transport {
            assert!(matches!(error, TransportError::Config(_)), "{text:?}: {error}");
        }
        asked += 1;
    }
    assert_eq!(asked, kept.matches('\n').count());
    assert!(asked > 0, "nothing is kept");
}
