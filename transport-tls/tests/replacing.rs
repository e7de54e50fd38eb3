//! What becomes of peers when credentials and authorities are replaced.

use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use actor_cluster::id::NodeId;
use rustls::time_provider::TimeProvider;
use transport_tls::dev_ca::{DevCertificate, DevKey};
use transport_tls::pki_types::UnixTime;
use transport_tls::{
    Authorities, DevCa, Disconnect, Fault, NodeCredentials, PeerRole, Registered, RevocationLists, TlsContext,
};

use crate::world::{assert_config, chain_of, context, shake_hands, this_hour};

#[test]
fn a_handshake_uses_what_there_is_when_it_begins() {
    let (old, new) = (DevCa::new().unwrap(), DevCa::new().unwrap());
    let (ours, theirs) = (named(&old, 1), named(&old, 2));
    let (near, far) = (context(&ours), context(&theirs));
    assert_gets_in(&near, &far);

    // An authority is replaced without anybody being lost, in three steps.
    let both = Authorities::from_pem(format!("{}{}", old.pem(), new.pem()).as_bytes()).unwrap();
    for tls in [&near, &far] {
        tls.replace_authorities(both.clone()).unwrap();
        assert_gets_in(&near, &far);
    }
    for (tls, id) in [(&near, 1), (&far, 2)] {
        tls.replace_credentials(named(&new, id).credentials().unwrap()).unwrap();
        assert_gets_in(&near, &far);
    }
    for tls in [&near, &far] {
        tls.replace_authorities(Authorities::from_pem(new.pem().as_bytes()).unwrap()).unwrap();
        assert_gets_in(&near, &far);
    }
    assert_eq!((near.counts().replaced, near.counts().failed), (3, 0));
    let left_behind = context(&theirs);
    assert!(shake_hands(&left_behind, &near).1.is_err());
    assert!(shake_hands(&near, &left_behind).0.is_err());
}

#[test]
fn a_node_keeps_its_identity() {
    let ca = DevCa::new().unwrap();
    let tls = context(&named(&ca, 1));
    let error = tls.replace_credentials(named(&ca, 2).credentials().unwrap()).unwrap_err();
    assert_config(&error, &format!("is for the node {}", NodeId::from_bytes([2; 32])));
    let mixed = NodeCredentials { key: named(&ca, 1).key, ..named(&ca, 1) };
    let error = tls.replace_credentials(mixed.credentials().unwrap()).unwrap_err();
    assert_config(&error, "the private key is not the one of the certificate");
    assert_eq!((tls.counts().replaced, tls.counts().failed), (0, 2));
    assert_gets_in(&tls, &context(&named(&ca, 3)));
}

/// The two sides need not have the same one.
#[cfg(feature = "aws-lc-rs")]
#[test]
fn another_provider_may_do_the_cryptography() {
    let ca = DevCa::new().unwrap();
    let node = named(&ca, 1);
    let (credentials, authorities) = (node.credentials().unwrap(), node.authorities().unwrap());
    let aws =
        TlsContext::with_provider(credentials, authorities, transport_tls::provider::aws_lc_rs()).unwrap();
    let (other, ring) = (aws.clone(), context(&named(&ca, 2)));
    assert_gets_in(&aws, &ring);
    assert_gets_in(&aws, &other);
    let group = |tls: &TlsContext| {
        let near = shake_hands(&aws, tls).0.unwrap();
        near.negotiated_key_exchange_group().map(|group| group.name())
    };
    assert_eq!(group(&other), Some(rustls::NamedGroup::X25519MLKEM768));
    assert_eq!(group(&ring), Some(rustls::NamedGroup::X25519));
}

/// Those who are believed still stay, and so do those who left by themselves.
#[test]
fn who_is_not_believed_any_more_is_disconnected() {
    let (ca, other) = (DevCa::new().unwrap(), DevCa::new().unwrap());
    let tls = context(&named(&ca, 1));
    let both = format!("{}{}", ca.pem(), other.pem());
    tls.replace_authorities(Authorities::from_pem(both.as_bytes()).unwrap()).unwrap();
    let stays = Peer::connect(&tls, &named(&ca, 2));
    let goes = Peer::connect(&tls, &named(&other, 3));
    let gone = Peer::connect(&tls, &named(&other, 4));
    drop(gone);

    tls.replace_authorities(Authorities::from_pem(ca.pem().as_bytes()).unwrap()).unwrap();
    assert_eq!(stays.faults(), []);
    let why = Fault::Trust("its certificate comes from an authority we do not know".into());
    assert_eq!(goes.faults(), [why]);
    assert_eq!(tls.counts().disconnected, 1);
}

#[test]
fn who_is_revoked_is_disconnected() {
    let ca = DevCa::new().unwrap();
    let tls = context(&named(&ca, 1));
    let (stays, goes) = (named(&ca, 2), named(&ca, 3));
    let peers = [&stays, &goes].map(|node| Peer::connect(&tls, node));
    let list = RevocationLists::from_pem(ca.revoke([&goes], &this_hour()).unwrap().as_bytes()).unwrap();
    let authorities = Authorities::from_pem(ca.pem().as_bytes()).unwrap().with_revocations(list).unwrap();
    tls.replace_authorities(authorities).unwrap();
    assert_eq!(peers[0].faults(), []);
    assert_eq!(peers[1].faults(), [Fault::Trust("its certificate was revoked; it needs another one".into())]);
}

/// It has renewed its certificate since, for its next connection, and not for this one.
#[test]
fn a_certificate_that_expires_ends_no_connection() {
    let ca = DevCa::new().unwrap();
    let now = SystemTime::now();
    let second = Duration::from_secs(1);
    let uris = vec![DevCertificate::uri_of(NodeId::from_bytes([2; 32]))];
    let (key, valid) = (DevKey::EcdsaP256, now - second..now + 2 * second);
    let short = ca.node_with("short", &DevCertificate { valid, key, uris, ..Default::default() }).unwrap();
    let ours = named(&ca, 1);
    let clock = Arc::new(Clock(Mutex::new(UnixTime::now())));
    let (credentials, authorities) = (ours.credentials().unwrap(), ours.authorities().unwrap());
    let tls =
        TlsContext::with_details(credentials, authorities, transport_tls::provider::ring(), clock.clone())
            .unwrap();
    let peer = Peer::connect(&tls, &short);
    *clock.0.lock().unwrap() =
        UnixTime::since_unix_epoch((now + 4 * second).duration_since(UNIX_EPOCH).unwrap());
    assert!(tls.judge(&chain_of(&short), PeerRole::Dialler).is_err(), "a new connection would be refused");
    tls.replace_credentials(ours.credentials().unwrap()).unwrap();
    tls.replace_authorities(ours.authorities().unwrap()).unwrap();
    let list = RevocationLists::from_pem(ca.revoke([&ours], &this_hour()).unwrap().as_bytes()).unwrap();
    tls.replace_authorities(ours.authorities().unwrap().with_revocations(list).unwrap()).unwrap();
    assert_eq!(peer.faults(), []);
}

/// A clock that is set by hand.
#[derive(Debug)]
struct Clock(Mutex<UnixTime>);

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(*self.0.lock().unwrap())
    }
}

/// It asks for more of the context meanwhile, and panics.
#[test]
fn a_peer_may_do_as_it_likes_while_it_is_disconnected() {
    struct Busy(TlsContext, NodeCredentials);
    impl Disconnect for Busy {
        fn disconnect(&self, _: &Fault) {
            self.0.replace_credentials(self.1.credentials().unwrap()).unwrap();
            assert!(self.0.reload().is_err());
            panic!("and that is too much");
        }
    }

    let (ca, other) = (DevCa::new().unwrap(), DevCa::new().unwrap());
    let ours = named(&ca, 1);
    let tls = context(&ours);
    let busy: [Arc<dyn Disconnect>; 2] =
        [(); 2].map(|()| Arc::new(Busy(tls.clone(), ours.clone())) as Arc<dyn Disconnect>);
    let chain: Arc<[_]> = chain_of(&named(&ca, 2)).into();
    let _registered = busy
        .each_ref()
        .map(|busy| tls.register(chain.clone(), PeerRole::Host, Arc::downgrade(busy)).unwrap());
    let last = Peer::connect(&tls, &named(&ca, 3));
    tls.replace_authorities(Authorities::from_pem(other.pem().as_bytes()).unwrap()).unwrap();
    assert_eq!((tls.counts().disconnected, last.faults().len()), (3, 1));
}

/// The authorities were replaced between its handshake and its registration.
#[test]
fn who_comes_too_late_is_not_registered() {
    let (ca, other) = (DevCa::new().unwrap(), DevCa::new().unwrap());
    let tls = context(&named(&ca, 1));
    tls.replace_authorities(Authorities::from_pem(other.pem().as_bytes()).unwrap()).unwrap();
    let late = Arc::new(Told::default());
    let connection: Arc<dyn Disconnect> = late.clone();
    let chain = chain_of(&named(&ca, 2)).into();
    let fault = tls.register(chain, PeerRole::Host, Arc::downgrade(&connection)).unwrap_err();
    assert_eq!(fault, Fault::Trust("its certificate comes from an authority we do not know".into()));
    assert_eq!(
        tls.register([].into(), PeerRole::Host, Arc::downgrade(&connection)).unwrap_err(),
        Fault::Trust("it presented no certificate".into())
    );
    tls.replace_authorities(Authorities::from_pem(other.pem().as_bytes()).unwrap()).unwrap();
    assert_eq!(*late.0.lock().unwrap(), []);
}

/// A peer that leaves while it is disconnected, by the hand of whoever does it.
#[test]
fn a_peer_may_leave_while_it_is_disconnected() {
    struct Leaves(Mutex<Option<Registered>>);
    impl Disconnect for Leaves {
        fn disconnect(&self, _: &Fault) {
            self.0.lock().unwrap().take();
        }
    }

    let (ca, other) = (DevCa::new().unwrap(), DevCa::new().unwrap());
    let tls = context(&named(&ca, 1));
    let leaves = Arc::new(Leaves(Mutex::new(None)));
    let connection: Arc<dyn Disconnect> = leaves.clone();
    let chain = chain_of(&named(&ca, 2)).into();
    let registered = tls.register(chain, PeerRole::Host, Arc::downgrade(&connection)).unwrap();
    *leaves.0.lock().unwrap() = Some(registered);
    for _ in 0..2 {
        tls.replace_authorities(Authorities::from_pem(other.pem().as_bytes()).unwrap()).unwrap();
    }
    assert_eq!(tls.counts().disconnected, 1);
}

/// A peer there is a connection with, and why it was disconnected.
struct Peer {
    told: Arc<Told>,
    _registered: Registered,
}

#[derive(Default)]
struct Told(Mutex<Vec<Fault>>);

impl Disconnect for Told {
    fn disconnect(&self, fault: &Fault) {
        self.0.lock().unwrap().push(fault.clone());
    }
}

impl Peer {
    fn connect(tls: &TlsContext, node: &NodeCredentials) -> Self {
        let told = Arc::new(Told::default());
        let connection: Arc<dyn Disconnect> = told.clone();
        let registered = tls.register(chain_of(node).into(), PeerRole::Dialler, Arc::downgrade(&connection));
        Self { told, _registered: registered.unwrap() }
    }

    fn faults(&self) -> Vec<Fault> {
        self.told.0.lock().unwrap().clone()
    }
}

/// A node that the authority names, with a key of its own each time.
fn named(ca: &DevCa, id: u8) -> NodeCredentials {
    let uris = vec![DevCertificate::uri_of(NodeId::from_bytes([id; 32]))];
    let certificate = DevCertificate { key: DevKey::EcdsaP256, uris, ..Default::default() };
    ca.node_with(&format!("node-{id}"), &certificate).unwrap()
}

fn assert_gets_in(one: &TlsContext, other: &TlsContext) {
    for (dialler, host) in [(one, other), (other, one)] {
        let (near, far) = shake_hands(dialler, host);
        assert_eq!((near.err(), far.err()), (None, None));
    }
}
