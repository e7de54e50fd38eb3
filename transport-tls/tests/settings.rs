//! What a transport is told of TLS before it starts.

use actor_cluster::id::NodeId;
use transport_tls::dev_ca::DevCertificate;
use transport_tls::pki_types::PrivateKeyDer;
use transport_tls::{Credentials, DevCa, NodeCredentials, TlsSettings};

use crate::world::{assert_config, context};

#[test]
fn an_ed25519_key_is_the_identity() {
    let ca = DevCa::new().unwrap();
    let (cert, key) = ca.sign("node", &DevCertificate::default()).unwrap();
    let public = NodeId::try_from(rcgen::PublicKeyData::der_bytes(&key)).unwrap();
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let credentials = Credentials::from_der(vec![cert.der().clone()], key).unwrap();
    assert_eq!(credentials.node_id(), public);
}

#[test]
fn a_context_or_what_makes_one_is_taken_and_nothing_else() {
    let ca = DevCa::new().unwrap();
    let (node, other) = (ca.node("node").unwrap(), ca.node("other").unwrap());
    let mixed = NodeCredentials { key: other.key, ..node.clone() };
    let (credentials, mixed) = (Some(node.credentials().unwrap()), Some(mixed.credentials().unwrap()));
    let authorities = Some(node.authorities().unwrap());
    let context = Some(context(&node));
    let nothing = TlsSettings::default;
    assert!(nothing().is_empty());
    let parts =
        || TlsSettings { credentials: credentials.clone(), authorities: authorities.clone(), ..nothing() };
    for (settings, detail) in [
        (nothing(), "credentials are missing"),
        (TlsSettings { credentials: None, ..parts() }, "credentials are missing"),
        (TlsSettings { authorities: None, ..parts() }, "authorities are missing"),
        (TlsSettings { context: context.clone(), ..parts() }, "are given beside it, too"),
        (TlsSettings { context: context.clone(), credentials: None, ..parts() }, "are given beside it, too"),
        (TlsSettings { credentials: mixed, ..parts() }, "the private key is not the one of the certificate"),
    ] {
        assert_config(&settings.into_context().unwrap_err(), detail);
    }
    for settings in [parts(), TlsSettings { context, ..nothing() }] {
        assert!(!settings.is_empty());
        assert_eq!(settings.into_context().unwrap().node_id(), node.node_id);
    }
}
