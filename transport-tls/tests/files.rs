//! PEM files: what they may hold, how they are read again, and who may read the key.

use std::fs;
use std::path::Path;
use std::time::Duration;

use transport_tls::dev_ca::{DevCertificate, DevKey};
use transport_tls::limits::PEM_BYTES_MAX;
use transport_tls::{
    Authorities, Credentials, DevCa, NodeCredentials, PeerRole, RevocationLists, TlsContext, TlsFiles,
};

use crate::world::{assert_config, chain_of, context, shake_hands, this_hour};

#[test]
fn files_that_are_something_else_are_named() {
    let node = DevCa::new().unwrap().node("node").unwrap();
    let (cert, key) = (node.cert.as_bytes(), node.key.as_bytes());
    assert_config(&Credentials::from_pem(key, key).unwrap_err(), "no certificate in the PEM text");
    assert_config(&Credentials::from_pem(cert, cert).unwrap_err(), "no usable private key");
    assert_config(&Credentials::from_pem(b"", key).unwrap_err(), "no certificate in the PEM text");
    let broken = b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n";
    assert_config(&Credentials::from_pem(broken, key).unwrap_err(), "not written in PEM");
    let nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_config(&Credentials::from_pem(nonsense, key).unwrap_err(), "cannot be read");
    assert_config(&Authorities::from_pem(nonsense).unwrap_err(), "an authority's certificate is unusable");
    assert_config(&Authorities::from_der([]).unwrap_err(), "there is no authority");
    assert_config(&RevocationLists::from_pem(cert).unwrap_err(), "there is no revocation list");
    assert_config(&RevocationLists::from_der([vec![0x30, 0].into()]).unwrap_err(), "list is unusable");

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("missing.pem");
    assert_config(&Authorities::from_pem_file(&path).unwrap_err(), "missing.pem");
    fs::write(&path, vec![b' '; usize::try_from(PEM_BYTES_MAX).unwrap() + 1]).unwrap();
    assert_config(&Authorities::from_pem_file(&path).unwrap_err(), "is larger than");
    fs::write(&path, cert).unwrap();
    assert_config(&Credentials::from_pem_files(&path, &path).unwrap_err(), "missing.pem");
}

/// Nor by way of an error: a key whose line breaks were lost, as they are in an environment, is still one.
#[test]
fn a_broken_key_is_not_repeated() {
    let node = DevCa::new().unwrap().node("node").unwrap();
    let (cert, key) = (node.cert.as_bytes(), &node.key);
    for broken in
        [key.replace('\n', ""), key.replace('\n', "\\n"), key.replace("END", "DNE"), key.replace('M', "\n!")]
    {
        let chain = Credentials::from_pem(broken.as_bytes(), cert).unwrap_err();
        let own = Credentials::from_pem(cert, broken.as_bytes()).unwrap_err();
        let authority = Authorities::from_pem(broken.as_bytes()).unwrap_err();
        let list = RevocationLists::from_pem(broken.as_bytes()).unwrap_err();
        for error in [chain, own, authority, list].map(|error| error.to_string()) {
            // As a text or as numbers, a line of it would be longer.
            assert!(error.len() < 150, "{error}");
        }
    }
}

/// Keys must not end up in a log by way of `{:?}`.
#[test]
fn keys_stay_out_of_logs() {
    let node = DevCa::new().unwrap().node("node").unwrap();
    let secret = node.key.lines().nth(1).unwrap();
    let logged = format!("{node:?} {:?} {:?}", node.credentials().unwrap(), context(&node));
    assert!(!logged.contains(secret) && !logged.contains("PRIVATE KEY"), "{logged}");
}

#[test]
fn files_are_read_again_and_all_or_nothing_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let ca = DevCa::new().unwrap();
    let node = ca.node("node").unwrap();
    let files = write(dir.path(), &ca, &node);
    let tls = TlsContext::from_files(files).unwrap();
    assert_eq!(tls.node_id(), node.node_id);
    assert!(!tls.reload().unwrap(), "nothing has changed");

    // Half of what belongs together, then garbage, then nothing at all.
    let other = ca.node("other").unwrap();
    for (file, content, detail) in [
        ("node.key", other.key.as_str(), "the private key is not the one of the certificate"),
        ("node.key", "garbage", "no usable private key"),
        ("node.pem", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n", "not written in PEM"),
        ("ca.pem", "", "ca.pem: there is no certificate"),
        ("ca.crl", "", "ca.crl: there is no revocation list"),
        (
            "ca.crl",
            &DevCa::new().unwrap().revoke([], &this_hour()).unwrap(),
            "ca.crl: one of the authorities has no",
        ),
    ] {
        let path = dir.path().join(file);
        let before = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        assert_config(&tls.reload().unwrap_err(), detail);
        fs::write(&path, before).unwrap();
        assert_works(&tls, &ca);
    }
    fs::remove_file(dir.path().join("node.key")).unwrap();
    assert_config(&tls.reload().unwrap_err(), "node.key");
    assert_works(&tls, &ca);
    assert_eq!((tls.counts().replaced, tls.counts().failed), (0, 7));

    // Another authority: now the node proves itself to others and believes others.
    let next = DevCa::new().unwrap();
    let renewed = renewed(&next, &node);
    write(dir.path(), &next, &renewed);
    assert!(tls.reload().unwrap());
    assert_works(&tls, &next);
    assert!(tls.judge(&chain_of(&other), PeerRole::Host).is_err());
    assert_eq!((tls.counts().replaced, tls.counts().failed), (1, 7));
}

#[test]
fn a_certificate_of_another_node_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let ca = DevCa::new().unwrap();
    let tls = TlsContext::from_files(write(dir.path(), &ca, &ca.node("node").unwrap())).unwrap();
    write(dir.path(), &ca, &ca.node("other").unwrap());
    assert_config(&tls.reload().unwrap_err(), "the certificate is for the node");
    assert_works(&tls, &ca);
}

#[test]
fn what_was_not_read_from_files_cannot_be_read_again() {
    let tls = context(&DevCa::new().unwrap().node("node").unwrap());
    assert_config(&tls.reload().unwrap_err(), "not made from files");
}

/// Found within the time given, and a failure in between stops nothing.
#[tokio::test(start_paused = true)]
async fn files_are_followed() {
    const EVERY: Duration = Duration::from_secs(60);
    let dir = tempfile::tempdir().unwrap();
    let ca = DevCa::new().unwrap();
    let node = ca.node("node").unwrap();
    let tls = TlsContext::from_files(write(dir.path(), &ca, &node)).unwrap();
    let following = tokio::spawn(tls.clone().follow_files(EVERY));

    fs::write(dir.path().join("node.pem"), "garbage").unwrap();
    until(&tls, |tls| tls.counts().failed == 2).await;
    let renewed = renewed(&ca, &node);
    write(dir.path(), &ca, &renewed);
    until(&tls, |tls| tls.counts().replaced == 1).await;
    assert_works(&tls, &ca);
    following.abort();
}

#[cfg(unix)]
#[test]
fn a_key_that_others_may_read_is_warned_of() {
    use std::os::unix::fs::PermissionsExt;

    let dir = tempfile::tempdir().unwrap();
    let ca = DevCa::new().unwrap();
    let node = ca.node("node").unwrap();
    let files = write(dir.path(), &ca, &node);
    let key = dir.path().join("node.key");
    for (mode, is_warned) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let warnings = warnings_of(|| drop(TlsContext::from_files(files.clone()).unwrap()));
        let again = TlsContext::from_files(files.clone()).unwrap();
        assert_eq!(warnings_of(|| assert!(!again.reload().unwrap())), "", "it is said once");
        fs::write(dir.path().join("ca.crl"), "garbage").unwrap();
        let of_garbage = warnings_of(|| assert!(again.reload().is_err()));
        assert_eq!(of_garbage, "", "nor at each look at what is not used");
        write(dir.path(), &ca, &node);
        let direct = warnings_of(|| drop(Credentials::from_pem_files(dir.path().join("node.pem"), &key)));
        for warnings in [warnings, direct] {
            assert_eq!(
                warnings.contains("others may read this private key"),
                is_warned,
                "{mode:o}: {warnings}"
            );
            assert_eq!(warnings.contains("node.key"), is_warned, "{mode:o}: {warnings}");
        }
    }
}

/// What is logged meanwhile on this thread.
fn warnings_of(act: impl FnOnce()) -> String {
    let log = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_ansi(false).with_writer(move || Log(writer.clone())).finish();
    tracing::subscriber::with_default(subscriber, act);
    String::from_utf8(log.lock().unwrap().clone()).unwrap()
}

struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The node, of this authority and with another key.
fn renewed(ca: &DevCa, node: &NodeCredentials) -> NodeCredentials {
    let uris = vec![DevCertificate::uri_of(node.node_id)];
    ca.node_with("node", &DevCertificate { key: DevKey::EcdsaP256, uris, ..Default::default() }).unwrap()
}

/// Puts the node's files into the directory, with an authority that has taken nothing back.
fn write(dir: &Path, ca: &DevCa, node: &NodeCredentials) -> TlsFiles {
    let [chain, key, authorities, lists] =
        ["node.pem", "node.key", "ca.pem", "ca.crl"].map(|name| dir.join(name));
    let list = ca.revoke([], &this_hour()).unwrap();
    let texts = [(&chain, &node.cert), (&key, &node.key), (&authorities, &node.ca), (&lists, &list)];
    for (path, text) in texts {
        fs::write(path, text).unwrap();
    }
    TlsFiles::new(chain, key, authorities).revocations(lists)
}

/// The context is of the authority: it knows its nodes, and they know it.
fn assert_works(tls: &TlsContext, ca: &DevCa) {
    let peer = context(&ca.node("peer").unwrap());
    for (dialler, host) in [(tls, &peer), (&peer, tls)] {
        let (near, far) = shake_hands(dialler, host);
        assert_eq!((near.err(), far.err()), (None, None));
    }
}

async fn until(tls: &TlsContext, what: impl Fn(&TlsContext) -> bool) {
    let waited = async {
        while !what(tls) {
            // sleep: of virtual time, which passes when there is nothing else to do.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60 * 60), waited).await.expect("it never happens");
}
