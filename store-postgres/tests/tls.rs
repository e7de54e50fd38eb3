//! Connections that are encrypted: what the address asks for is held, or the store is not opened.

use actor_durable::store::{Refusal, Store, StoreError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use sqlx::{Connection, PgConnection, Row};
use store_postgres::testing::{Server, or_skip};
use store_postgres::{PostgresConfig, PostgresStore};

use crate::values::{actor, own};

/// An authority of one name.
fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// A server behind TLS, the authority that its certificate is of, and another one.
struct Scene {
    server: Server,
    port: u16,
    directory: tempfile::TempDir,
}

impl Scene {
    fn new() -> Option<Self> {
        let server = or_skip(Server::private())?;
        let (ours, other) = (authority("ours"), authority("other"));
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a good name");
        let certificate = params.signed_by(&key, &ours).expect("a certificate");
        let port = server.with_tls(&certificate.pem(), &key.serialize_pem()).expect("it starts");
        let directory = tempfile::tempdir().expect("a directory");
        for (file, authority) in [("ours", ours), ("other", other)] {
            std::fs::write(directory.path().join(file), authority.pem()).expect("there is room");
        }
        Some(Self { server, port, directory })
    }

    fn address(&self, host: &str, mode: &str) -> String {
        format!("postgres://postgres@{host}:{}/postgres?sslmode={mode}&application_name=tls", self.port)
    }

    fn verified_by(&self, host: &str, mode: &str, authority: &str) -> String {
        let path = self.directory.path().join(authority);
        format!("{}&sslrootcert={}", self.address(host, mode), path.display())
    }

    /// How many of the store's connections are encrypted, and how many are not.
    async fn encrypted(&self) -> (i64, i64) {
        let socket = format!(
            "postgres:///postgres?host={}&port={}&user=postgres",
            self.server.directory().display(),
            self.port
        );
        let mut eyes = PgConnection::connect(&socket).await.expect("the server runs");
        let count = "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl)
            FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'tls'";
        let row = sqlx::query(count).fetch_one(&mut eyes).await.expect("the server runs");
        (row.get(0), row.get(1))
    }
}

async fn open(address: &str) -> Result<PostgresStore, StoreError> {
    PostgresStore::open(PostgresConfig::new(address).expect("a good address")).await
}

#[tokio::test]
async fn a_store_whose_address_asks_for_it_speaks_tls_to_the_server_and_believes_only_its_authority() {
    let Some(scene) = Scene::new() else { return };
    for address in [
        scene.address("localhost", "require"),
        // The name is no matter.
        scene.verified_by("127.0.0.1", "verify-ca", "ours"),
        scene.verified_by("localhost", "verify-full", "ours"),
    ] {
        let store = open(&address).await.expect("it is opened");
        own(&store, "a", 1).await;
        assert!(store.head(&actor("a")).await.expect("a store").is_some());
        // One of the pool, the one of leases, and the one that listens.
        assert_eq!(scene.encrypted().await, (3, 0), "{address}");
        drop(store);
        while scene.encrypted().await != (0, 0) {
            tokio::task::yield_now().await;
        }
    }
    for (address, why) in [
        (scene.verified_by("localhost", "verify-full", "other"), "invalid peer certificate: UnknownIssuer"),
        (scene.verified_by("localhost", "verify-ca", "other"), "invalid peer certificate: UnknownIssuer"),
        (scene.verified_by("127.0.0.1", "verify-full", "ours"), "certificate not valid for name"),
    ] {
        assert_refused(&address, why).await;
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused_where_the_address_asks_for_it() {
    let Some(server) = or_skip(Server::shared()) else { return };
    let directory = server.directory().display().to_string();
    let address = format!("postgres:///postgres?host={directory}&port=5432&user=postgres&sslmode=require");
    assert_refused(&address, "server does not support TLS").await;
}

/// At once: it will not be otherwise in a moment.
async fn assert_refused(address: &str, why: &str) {
    let begun = std::time::Instant::now();
    match open(address).await {
        Err(StoreError::NotApplied(Refusal::Unavailable(cause))) => {
            assert!(cause.to_string().contains(why), "{address}: {cause}");
        }
        outcome => panic!("{address}: {outcome:?}"),
    }
    let limit = store_postgres::limits::CONNECT_TIMEOUT_DEFAULT;
    assert!(begun.elapsed() < limit / 2, "it was tried again");
}
