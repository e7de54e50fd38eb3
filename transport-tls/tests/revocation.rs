//! Certificates that were taken back, at the handshake.

use std::time::{Duration, SystemTime};

use rustls::{AlertDescription, Error};
use transport_tls::{Authorities, DevCa, Fault, NodeCredentials, RevocationLists, TlsContext};

use crate::world::{context, shake_hands, this_hour};

#[test]
fn a_revoked_certificate_is_refused_by_both_sides() {
    let ca = DevCa::new().unwrap();
    let (good, bad) = (ca.node("good").unwrap(), ca.node("bad").unwrap());
    let judge = believing(&good, &lists(&ca, &[&bad]));
    let (revoked, fine) = (context(&bad), context(&ca.node("fine").unwrap()));

    let (near, far) = shake_hands(&judge, &revoked);
    assert_trust(near.err(), "its certificate was revoked");
    assert_trust(far.err(), "it says that our certificate was revoked");
    let (near, far) = shake_hands(&revoked, &judge);
    assert_trust(far.err(), "its certificate was revoked");
    // A dialler of TLS 1.3 is done before the host has looked at its certificate.
    assert_eq!(near.err(), Some(Error::AlertReceived(AlertDescription::CertificateRevoked)));

    for (dialler, host) in [(&judge, &fine), (&fine, &judge)] {
        let (near, far) = shake_hands(dialler, host);
        assert_eq!((near.err(), far.err()), (None, None));
    }
}

/// Nobody says that its certificate was not taken back.
#[test]
fn an_authority_without_a_list_is_not_believed_where_there_are_lists() {
    let (ca, silent) = (DevCa::new().unwrap(), DevCa::new().unwrap());
    let node = ca.node("node").unwrap();
    let both = NodeCredentials { ca: format!("{}{}", ca.pem(), silent.pem()), ..node };
    let judge = believing(&both, &lists(&ca, &[]));
    let (near, _) = shake_hands(&judge, &context(&silent.node("peer").unwrap()));
    assert_trust(near.err(), "from an authority without a revocation list");
}

#[test]
fn an_outdated_list_is_used_unless_that_is_refused() {
    let ca = DevCa::new().unwrap();
    let (node, good, bad) = (ca.node("node").unwrap(), ca.node("good").unwrap(), ca.node("bad").unwrap());
    let hour = Duration::from_secs(60 * 60);
    let last_hour = SystemTime::now() - 2 * hour..SystemTime::now() - hour;
    let list = ca.revoke([&bad], &last_hour).unwrap();
    let list = RevocationLists::from_pem(list.as_bytes()).unwrap();

    let judge = believing(&node, &list);
    assert_eq!(shake_hands(&judge, &context(&good)).0.err(), None);
    assert_trust(shake_hands(&judge, &context(&bad)).0.err(), "its certificate was revoked");

    let strict = believing(&node, &list.refuse_outdated());
    assert_trust(shake_hands(&strict, &context(&good)).0.err(), "is out of date");
}

/// A list that somebody else has signed in the authority's name.
#[test]
fn a_forged_list_is_not_believed() {
    let (ca, forger) = (DevCa::new().unwrap(), DevCa::new().unwrap());
    let node = ca.node("node").unwrap();
    let judge = believing(&node, &lists(&forger, &[]));
    let (near, _) = shake_hands(&judge, &context(&ca.node("peer").unwrap()));
    assert_trust(near.err(), "from an authority without a revocation list");
}

fn lists(ca: &DevCa, revoked: &[&NodeCredentials]) -> RevocationLists {
    let list = ca.revoke(revoked.iter().copied(), &this_hour()).unwrap();
    RevocationLists::from_pem(list.as_bytes()).unwrap()
}

/// The node's side, where certificates in the lists are not believed.
fn believing(node: &NodeCredentials, lists: &RevocationLists) -> TlsContext {
    let authorities = Authorities::from_pem(node.ca.as_bytes()).unwrap().with_revocations(lists.clone());
    TlsContext::new(node.credentials().unwrap(), authorities).unwrap()
}

#[track_caller]
fn assert_trust(error: Option<Error>, detail: &str) {
    match error.as_ref().map(Fault::of) {
        Some(Fault::Trust(said)) => assert!(said.contains(detail), "{said}"),
        other => panic!("{other:?}: {error:?}"),
    }
}
