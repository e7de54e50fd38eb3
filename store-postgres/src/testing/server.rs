//! A server: where it lies, who uses it, and how it ends.
//!
//! ```text
//!  a directory: users   held shared by each process that uses the server
//!               start   held while somebody looks whether it runs, and starts it
//!               watch   held by the shell that ends it when nobody has held `users` for a while
//!               data    the cluster
//! ```

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use super::ServerError;
use super::program::Programs;
use crate::config::PostgresConfig;

/// A shared server that nobody has used for so long is ended and its directory emptied. It bridges the time between two tests.
const IDLE_SECONDS: u32 = 20;

/// A PostgreSQL server of the tests' own, on a Unix socket in a directory of its own. A private one waits for the disk as any other:
/// nothing about it is made fast and unsafe. The shared one does not wait for the disk, and loses nothing as long as the machine runs.
#[derive(Debug)]
pub struct Server {
    programs: Programs,
    directory: PathBuf,
    /// Nobody ends the server while this is locked.
    _users: File,
    /// The directory of a private server goes with it.
    private: Option<tempfile::TempDir>,
}

impl Server {
    /// The server that all tests of this user share, in all processes. It is started if it does not run, and ended when nobody has
    /// used it for a while.
    ///
    /// # Errors
    ///
    /// [`ServerError::NotHere`] where PostgreSQL is not installed.
    pub fn shared() -> Result<Self, ServerError> {
        let programs = Programs::find()?;
        let user = fs::metadata("/proc/self")?.uid();
        let directory = std::env::temp_dir().join(format!("actor-postgres-{user}"));
        match fs::DirBuilder::new().mode(0o711).create(&directory) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        Self::within(programs, directory, IDLE_SECONDS, None)
    }

    /// A server that nobody else uses; it ends with this value, and at the latest with this process.
    ///
    /// # Errors
    ///
    /// [`ServerError::NotHere`] where PostgreSQL is not installed.
    pub fn private() -> Result<Self, ServerError> {
        let programs = Programs::find()?;
        let directory = tempfile::Builder::new().prefix("actor-postgres-").tempdir()?;
        fs::set_permissions(directory.path(), Permissions::from_mode(0o711))?;
        Self::within(programs, directory.path().into(), 1, Some(directory))
    }

    fn within(
        programs: Programs,
        directory: PathBuf,
        idle_seconds: u32,
        private: Option<tempfile::TempDir>,
    ) -> Result<Self, ServerError> {
        programs.own(&directory)?;
        let users = open(&programs, &directory.join("users"))?;
        users.lock_shared()?;
        let start = open(&programs, &directory.join("start"))?;
        start.lock()?;
        open(&programs, &directory.join("watch"))?;
        let server = Self { programs, directory, _users: users, private };
        if !server.is_running() {
            server.make()?;
            server.start()?;
        }
        // One watches already, or this one does.
        let mut watch = server.programs.watch(idle_seconds, &server.directory);
        // It outlives us, and nobody waits for it.
        drop(watch.spawn()?);
        Ok(server)
    }

    /// The address of a database on it.
    pub fn address(&self) -> String {
        address(&self.directory)
    }

    /// The directory with its socket, `.s.PGSQL.5432`.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// A store on it that no other test has.
    ///
    /// # Panics
    ///
    /// Never: the names are good.
    pub fn config(&self) -> PostgresConfig {
        let config = PostgresConfig::new(&self.address()).expect("the address is good");
        config.with_schema(self.fresh_schema()).expect("the name is good")
    }

    /// The name of a schema that nobody has had: of this process, of now, and of a count.
    pub fn fresh_schema(&self) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        format!("t{}_{now}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
    }

    /// Ends it as a crash does: what is not on the disk is lost, and those who are connected hear nothing.
    ///
    /// # Errors
    ///
    /// [`ServerError::Failed`].
    pub fn stop_immediately(&self) -> Result<(), ServerError> {
        self.programs.run("pg_ctl", &["-D", "data", "-m", "immediate", "-w", "stop"], &self.directory)
    }

    /// Starts it again; it recovers what was on the disk.
    ///
    /// # Errors
    ///
    /// [`ServerError::Failed`].
    pub fn start(&self) -> Result<(), ServerError> {
        self.programs.run("pg_ctl", &["-D", "data", "-w", "-t", "60", "-l", "log", "start"], &self.directory)
    }

    /// Has a private server that was just made be reached by TLS as well, as `localhost`, and gives the port.
    ///
    /// # Errors
    ///
    /// [`ServerError::Failed`].
    pub fn with_tls(&self, certificate_pem: &str, key_pem: &str) -> Result<u16, ServerError> {
        let data = self.directory.join("data");
        for (file, text) in [("tls.crt", certificate_pem), ("tls.key", key_pem)] {
            fs::write(data.join(file), text)?;
            fs::set_permissions(data.join(file), Permissions::from_mode(0o600))?;
            self.programs.own(&data.join(file))?;
        }
        // Whoever takes it before the server does fails the test.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let settings = format!(
            "listen_addresses = '127.0.0.1'\nport = {port}\nssl = on\nssl_cert_file = 'tls.crt'\nssl_key_file = 'tls.key'\n"
        );
        self.configure(&settings)?;
        self.stop_immediately()?;
        self.start()?;
        Ok(port)
    }

    fn configure(&self, settings: &str) -> Result<(), ServerError> {
        let configuration = self.directory.join("data/postgresql.conf");
        OpenOptions::new().append(true).open(configuration)?.write_all(settings.as_bytes())?;
        Ok(())
    }

    fn make(&self) -> Result<(), ServerError> {
        let data = self.directory.join("data");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        let arguments =
            ["-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"];
        self.programs.run("initdb", &arguments, &self.directory)?;
        let settings = format!(
            "listen_addresses = ''\nunix_socket_directories = '{}'\nunix_socket_permissions = 0700\n\
             max_connections = 200\nshared_buffers = 64MB\nfsync = {}\n",
            self.directory.display(),
            if self.private.is_some() { "on" } else { "off" },
        );
        self.configure(&settings)
    }

    fn is_running(&self) -> bool {
        UnixStream::connect(self.directory.join(".s.PGSQL.5432")).is_ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.private.is_some() {
            // It may be stopped already.
            _ = self.stop_immediately();
        }
    }
}

/// The address of the database behind a socket in a directory.
fn address(directory: &Path) -> String {
    format!("postgres:///postgres?host={}&port=5432&user=postgres&sslmode=disable", directory.display())
}

fn open(programs: &Programs, path: &Path) -> Result<File, ServerError> {
    let file = OpenOptions::new().create(true).append(true).read(true).open(path)?;
    programs.own(path)?;
    Ok(file)
}
