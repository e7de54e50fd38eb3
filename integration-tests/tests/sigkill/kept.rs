//! Where the processes keep their actors: in a file, or on a server that may end, too.

use std::path::Path;
use std::sync::Arc;

use actor_durable::RedbStore;
use actor_durable::store::Store;
use store_postgres::testing::Server;
use store_postgres::{PostgresConfig, PostgresStore};
use tempfile::TempDir;

/// With a server, who had the actors before is dead for so many milliseconds before another one may have them.
const LEASE: &str = "150";

/// See the module.
pub(super) struct Kept {
    file: &'static str,
    directory: TempDir,
    /// And the schema.
    server: Option<(Server, String)>,
}

impl Kept {
    /// In a file of this name.
    pub(super) fn in_file(file: &'static str) -> Self {
        Self { file, directory: tempfile::tempdir().unwrap(), server: None }
    }

    pub(super) fn on(server: Server) -> Self {
        let schema = server.fresh_schema();
        Self { server: Some((server, schema)), ..Self::in_file("") }
    }

    /// What the processes have beside their store, and the file if there is one.
    pub(super) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(super) fn is_on_server(&self) -> bool {
        self.server.is_some()
    }

    /// What a process is told.
    pub(super) fn words(&self) -> Vec<String> {
        let Some((server, schema)) = &self.server else {
            return vec![self.directory().join(self.file).to_str().unwrap().to_owned()];
        };
        let words = ["--postgres", &server.address(), "--schema", schema, "--lease", LEASE];
        words.map(str::to_owned).into()
    }

    pub(super) async fn open(&self) -> Arc<dyn Store> {
        let Some((server, schema)) = &self.server else {
            return Arc::new(RedbStore::open(self.directory().join(self.file)).await.unwrap());
        };
        let config = PostgresConfig::new(&server.address()).unwrap().with_schema(schema).unwrap();
        Arc::new(PostgresStore::open(config).await.unwrap())
    }

    /// Ends the server, if there is one, as a crash does, and has it recover.
    pub(super) fn crash(&self) {
        if let Some((server, _)) = &self.server {
            tokio::task::block_in_place(|| {
                server.stop_immediately().unwrap();
                server.start().unwrap();
            });
        }
    }
}
