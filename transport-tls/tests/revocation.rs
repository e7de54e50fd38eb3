//! Certificates that were taken back, at the handshake.

use std::time::{Duration, SystemTime};

use rustls::{AlertDescription, Error};
use transport_tls::pki_types::CertificateRevocationListDer;
use transport_tls::pki_types::pem::PemObject;
use transport_tls::{Authorities, DevCa, Fault, NodeCredentials, RevocationLists, TlsContext};

use crate::world::{assert_config, context, shake_hands, this_hour};

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
    let both = Authorities::from_pem(format!("{}{}", ca.pem(), silent.pem()).as_bytes()).unwrap();
    let error = both.with_revocations(lists(&ca, &[])).unwrap_err();
    assert_config(&error, "one of the authorities has no revocation list");
}

/// Only one of them would be looked at, and who stands in the other would get in.
#[test]
fn an_authority_has_one_list() {
    let (ca, other) = (DevCa::new().unwrap(), DevCa::new().unwrap());
    let none = ca.revoke([], &this_hour()).unwrap();
    let one = ca.revoke([&ca.node("bad").unwrap()], &this_hour()).unwrap();
    let of_other = other.revoke([], &this_hour()).unwrap();
    let error = RevocationLists::from_pem(format!("{none}{of_other}{one}").as_bytes()).unwrap_err();
    assert_config(&error, "two revocation lists are of the same authority");
    RevocationLists::from_pem(format!("{one}{of_other}").as_bytes()).unwrap();
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
    let ca = DevCa::new().unwrap();
    let (node, peer) = (ca.node("node").unwrap(), ca.node("peer").unwrap());
    let pem = ca.revoke([], &this_hour()).unwrap();
    let mut list = CertificateRevocationListDer::from_pem_slice(pem.as_bytes()).unwrap().as_ref().to_vec();
    *list.last_mut().unwrap() ^= 1;
    let judge = believing(&node, &RevocationLists::from_der([list.into()]).unwrap());
    let (near, _) = shake_hands(&judge, &context(&peer));
    assert_trust(near.err(), "the revocation list of its authority cannot be used");
}

fn lists(ca: &DevCa, revoked: &[&NodeCredentials]) -> RevocationLists {
    let list = ca.revoke(revoked.iter().copied(), &this_hour()).unwrap();
    RevocationLists::from_pem(list.as_bytes()).unwrap()
}

/// The node's side, where certificates in the lists are not believed.
fn believing(node: &NodeCredentials, lists: &RevocationLists) -> TlsContext {
    let authorities = node.authorities().unwrap().with_revocations(lists.clone()).unwrap();
    TlsContext::new(node.credentials().unwrap(), authorities).unwrap()
}

#[track_caller]
fn assert_trust(error: Option<Error>, detail: &str) {
    match error.as_ref().map(Fault::of) {
        Some(Fault::Trust(said)) => assert!(said.contains(detail), "{said}"),
        other => panic!("{other:?}: {error:?}"),
    }
}
