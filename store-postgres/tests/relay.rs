//! What stands between a store and its server: it cuts a connection after so many bytes, and swallows what is said.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;

const SOCKET: &str = ".s.PGSQL.5432";

/// What only a connection of the pool says, and first.
const POOLS: &[u8] = b"SET search_path";

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    ToServer,
    ToClient,
}

/// What becomes of the latest connection of the pool: by what it says first it is known from the one that listens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Fate {
    /// All goes through and is counted.
    Through,
    /// After so many bytes more on one way the connection is cut, on both.
    Cut(Way, usize),
    /// After so many bytes more on one way, of all connections of a store but the one that listens, that which has the last is cut.
    CutAnyOne(Way, usize),
    /// After so many bytes more on one way nothing goes through any more that way.
    Silence(Way, usize),
}

/// It ends with the runtime.
pub(crate) struct Relay {
    directory: tempfile::TempDir,
    state: Arc<Mutex<State>>,
    ended: watch::Sender<u64>,
}

struct State {
    fate: Fate,
    /// The number of the latest connection of the pool.
    latest: u64,
    /// What has gone through of it since it was last asked.
    counts: [usize; 2],
    /// All connections of the pools.
    pools: BTreeSet<u64>,
    /// How many connections there were.
    last: u64,
    /// Of these nothing goes through any more, on either way, and none of them ends by that.
    swallowed: Option<RangeInclusive<u64>>,
}

impl Relay {
    /// Before a server whose socket is in a directory.
    pub(crate) fn before(server: &Path) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let listener = UnixListener::bind(directory.path().join(SOCKET)).expect("a socket");
        let state = State {
            fate: Fate::Through,
            latest: 0,
            counts: [0; 2],
            pools: BTreeSet::new(),
            last: 0,
            swallowed: None,
        };
        let state = Arc::new(Mutex::new(state));
        let (ended, end) = watch::channel(0);
        tokio::spawn(relay(listener, server.join(SOCKET), Arc::clone(&state), end));
        Self { directory, state, ended }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// From now on, for the latest connection; a later one is not touched.
    pub(crate) fn set(&self, fate: Fate) {
        self.state.lock().expect("no test panics with it").fate = fate;
    }

    /// Swallows what is said on these connections from now on; the first is 1. Those that were swallowed before are heard again,
    /// but for what they have said.
    pub(crate) fn swallow(&self, connections: RangeInclusive<u64>) {
        self.state.lock().expect("no test panics with it").swallowed = Some(connections);
    }

    /// Is not there any more, for whoever connects; the latest connection of the pool is cut.
    pub(crate) fn disappear(&self) {
        std::fs::remove_file(self.directory.path().join(SOCKET)).expect("it is there");
        self.cut();
    }

    /// How many connections there have been.
    pub(crate) fn last(&self) -> u64 {
        self.state.lock().expect("no test panics with it").last
    }

    /// What is still to come.
    pub(crate) fn fate(&self) -> Fate {
        self.state.lock().expect("no test panics with it").fate
    }

    /// Cuts the latest connection now.
    pub(crate) fn cut(&self) {
        self.ended.send_replace(self.state.lock().expect("no test panics with it").latest);
    }

    /// How many bytes have gone through since this was last asked: to the server, and to the client.
    pub(crate) fn counts(&self) -> [usize; 2] {
        std::mem::take(&mut self.state.lock().expect("no test panics with it").counts)
    }
}

async fn relay(listener: UnixListener, server: PathBuf, state: Arc<Mutex<State>>, end: watch::Receiver<u64>) {
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = UnixStream::connect(&server).await else { continue };
        let number = {
            let mut state = state.lock().expect("no test panics with it");
            state.last += 1;
            state.last
        };
        let (state, mut end) = (Arc::clone(&state), end.clone());
        tokio::spawn(async move {
            let ((from_client, to_client), (from_server, to_server)) =
                (client.into_split(), server.into_split());
            let up = pump(Way::ToServer, number, &state, from_client, to_server);
            let down = pump(Way::ToClient, number, &state, from_server, to_client);
            // Whichever ends first ends both: all four halves are dropped.
            tokio::select! { () = up => {} () = down => {} _ = end.wait_for(|end| *end == number) => {} }
        });
    }
}

async fn pump(way: Way, number: u64, state: &Mutex<State>, mut from: OwnedReadHalf, mut to: OwnedWriteHalf) {
    let mut buffer = vec![0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let is_of_the_pool = buffer[..read].windows(POOLS.len()).any(|words| words == POOLS);
        let (passes, is_cut) = {
            let mut state = state.lock().expect("no test panics with it");
            if is_of_the_pool {
                state.pools.insert(number);
            }
            if is_of_the_pool && state.latest < number {
                (state.latest, state.counts) = (number, [0; 2]);
                if !matches!(state.fate, Fate::CutAnyOne(..)) {
                    state.fate = Fate::Through;
                }
            }
            state.judge(way, number, read)
        };
        if to.write_all(&buffer[..passes]).await.is_err() || is_cut {
            return;
        }
    }
}

impl State {
    /// How much of what was read passes, and whether the connection is cut behind it.
    fn judge(&mut self, way: Way, number: u64, read: usize) -> (usize, bool) {
        if self.swallowed.as_ref().is_some_and(|swallowed| swallowed.contains(&number)) {
            return (0, false);
        }
        let is_meant = match self.fate {
            Fate::CutAnyOne(..) => self.pools.contains(&number),
            _ => number == self.latest,
        };
        if !is_meant {
            return (read, false);
        }
        let (passes, is_cut) = match &mut self.fate {
            Fate::Cut(cut, left) if *cut == way => {
                let passes = read.min(*left);
                *left -= passes;
                (passes, *left == 0)
            }
            Fate::CutAnyOne(cut, left) if *cut == way => {
                let passes = read.min(*left);
                *left -= passes;
                let is_cut = *left == 0;
                if is_cut {
                    self.fate = Fate::Through;
                }
                (passes, is_cut)
            }
            Fate::Silence(silent, left) if *silent == way => {
                let passes = read.min(*left);
                *left -= passes;
                (passes, false)
            }
            _ => (read, false),
        };
        self.counts[way as usize] += passes;
        (passes, is_cut)
    }
}
