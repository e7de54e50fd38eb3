//! Users and files. This process has one user, so strangers are played by a transport that takes another for its own.

use actor_cluster::transport::{LaneSet, PeerIdentity};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;

const ANOTHER: u32 = 0x7fff_0001;

fn directory() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn at(directory: &tempfile::TempDir) -> UnixConfig {
    UnixTransport::builder().listen(directory.path().join("node.sock"))
}

/// As if another user had started it.
fn anothers(config: UnixConfig) -> UnixTransport {
    let transport = config.build().unwrap();
    let mut known = transport.users.known.clone();
    known.remove(&transport.users.own);
    known.insert(ANOTHER, None);
    let users = Users { own: ANOTHER, any: transport.users.any, known };
    UnixTransport { users: Arc::new(users), ..transport }
}

fn own_user() -> u32 {
    UnixTransport::builder().build().unwrap().users.own
}

fn error_of(outcome: Result<Box<dyn Connection>, TransportError>) -> TransportError {
    outcome.err().expect("nobody gets in")
}

#[tokio::test]
async fn a_stranger_is_refused_by_whoever_does_not_know_the_user() {
    let directory = directory();
    let host = anothers(at(&directory));
    let mut listener = host.listen().await.unwrap();
    let address = listener.addresses().remove(0);
    let dialler = UnixTransport::builder().build().unwrap();
    let (near, far) = tokio::join!(dialler.dial(&address), listener.accept());
    let error = error_of(far);
    assert!(matches!(error, TransportError::Untrusted { .. }), "{error}");
    assert!(error.to_string().contains(&format!("its user is {}", own_user())), "{error}");
    assert!(matches!(error_of(near), TransportError::Handshake { .. }));

    drop(listener);
    let mut listener = at(&directory).build().unwrap().listen().await.unwrap();
    let stranger = anothers(UnixTransport::builder());
    let (near, far) = tokio::join!(stranger.dial(&address), listener.accept());
    assert!(matches!(error_of(near), TransportError::Untrusted { .. }), "whoever listens is judged, too");
    assert!(matches!(error_of(far), TransportError::Handshake { .. }));
}

#[tokio::test]
async fn users_may_be_let_in_and_may_be_nodes() {
    let node = NodeId::from_bytes([7; 32]);
    let dialler = UnixTransport::builder().build().unwrap();
    for (config, identity) in [
        (UnixTransport::builder(), None),
        (UnixTransport::builder().allow_user(own_user()), Some(PeerIdentity::Anonymous)),
        (UnixTransport::builder().allow_any_user(), Some(PeerIdentity::Anonymous)),
        (UnixTransport::builder().node(own_user(), node), Some(PeerIdentity::Node(node))),
        (
            UnixTransport::builder().node(own_user(), node).allow_user(own_user()),
            Some(PeerIdentity::Node(node)),
        ),
    ] {
        let directory = directory();
        let said = UnixConfig { listen: at(&directory).listen, ..config };
        let mut host = anothers(said.clone());
        // What was said of this user stays.
        if let Some(said) = said.users.get(&own_user()) {
            Arc::get_mut(&mut host.users).unwrap().known.insert(own_user(), *said);
        }
        let mut listener = host.listen().await.unwrap();
        let address = listener.addresses().remove(0);
        let (_near, far) = tokio::join!(dialler.dial(&address), listener.accept());
        assert_eq!(far.ok().map(|connection| connection.peer_identity()), identity, "{said:?}");
    }
}

#[tokio::test]
async fn only_those_who_may_knock_can() {
    let mode = |directory: &tempfile::TempDir| {
        let path = directory.path().join("node.sock");
        path.metadata().unwrap().permissions().mode() & 0o777
    };
    for (allow, expected) in [(None, 0o600), (Some(own_user()), 0o600), (Some(ANOTHER), 0o666)] {
        let directory = directory();
        let config = allow.into_iter().fold(at(&directory), UnixConfig::allow_user);
        let _listener = config.build().unwrap().listen().await.unwrap();
        assert_eq!(mode(&directory), expected, "{allow:?}");
    }
}

#[tokio::test]
async fn a_socket_that_nobody_listens_at_is_replaced_and_no_other_file() {
    let directory = directory();
    let path = directory.path().join("node.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "as of a process that was killed");
    let host = at(&directory).build().unwrap();
    let first = host.listen().await.unwrap();
    let error = host.listen().await.err().expect("somebody listens there");
    assert!(matches!(error, TransportError::Bind { .. }), "{error}");
    assert!(error.to_string().contains("node.sock"), "{error}");
    drop(first);
    assert!(!path.exists(), "it is removed with its listener");

    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(host.listen().await.err(), Some(TransportError::Bind { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
}

#[tokio::test]
async fn a_file_that_took_the_sockets_place_is_left_alone() {
    let directory = directory();
    let path = directory.path().join("node.sock");
    let listener = at(&directory).build().unwrap().listen().await.unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "another").unwrap();
    drop(listener);
    assert_eq!(std::fs::read(&path).unwrap(), b"another");
}

#[tokio::test]
async fn paths_that_others_could_not_dial_are_refused() {
    let long = format!("/{}", "a".repeat(UNIX_PATH_BYTES_MAX));
    for path in ["node.sock", "./node.sock", "/run/node a.sock", &long] {
        let error = UnixTransport::builder().listen(path).build().expect_err(path);
        assert!(matches!(error, TransportError::Config(_)), "{error}");
    }
    let dialler = UnixTransport::builder().build().unwrap();
    assert!(matches!(dialler.listen().await.err(), Some(TransportError::Config(_))));
}

#[tokio::test]
async fn bytes_go_both_ways() {
    let directory = directory();
    let host = at(&directory).build().unwrap();
    let mut listener = host.listen().await.unwrap();
    let address = listener.addresses().remove(0);
    let (near, far) = tokio::join!(host.dial(&address), listener.accept());
    let (near, far) = (near.unwrap(), far.unwrap());
    let (mut near, mut far) = (near.open(LaneSet::ALL).await.unwrap(), far.accept().await.unwrap());
    near.write_all(b"there").await.unwrap();
    far.write_all(b"back!").await.unwrap();
    let (mut back, mut there) = ([0; 5], [0; 5]);
    near.read_exact(&mut back).await.unwrap();
    far.read_exact(&mut there).await.unwrap();
    assert_eq!((&back, &there), (b"back!", b"there"));
    assert!(far.label().starts_with("unix user "), "{}", far.label());
    assert_eq!((near.channel_binding(), near.peer_identity()), (None, PeerIdentity::Anonymous));
}
