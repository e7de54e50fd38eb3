//! What stands between two nodes and passes on what they say, for as long as the test likes, and as badly.
//!
//! ```text
//!  who dials ◄──── near ─── Relay, Datagrams ─── far ────► the target
//!              ─ there, as one Conditions say ─►
//!             ◄─ back, as others say ─
//! ```
//!
//! A node is told to advertise the relay's address in place of its own, so that nobody goes another way. This is how delay and
//! disorder are made here: it takes no rights, and works on every machine; and in a [`Space`] of a [`Lab`](super::Lab), between
//! nodes that have networks of their own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::limits::{RELAY_CHUNK_BYTES, RELAY_CHUNKS_MAX};
use crate::simulation::Random;

use super::conditions::{Carried, Conditions, Direction, Weather};
use super::space::Space;

/// Passes bytes on between whoever connects and a port, over TCP. Dropping it cuts every connection, and refuses others.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    way: Way,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
    listening: AbortHandle,
}

/// Where everything goes, and how.
#[derive(Clone, Debug)]
struct Way {
    space: Space,
    target: SocketAddr,
    seed: u64,
    weather: Arc<Weather>,
}

impl Relay {
    /// One that listens on a free port of this machine's loopback. How late things are follows from the seed, and from what comes.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime whose drivers are enabled.
    pub fn to(target: SocketAddr, seed: u64) -> io::Result<Self> {
        Self::at((Ipv4Addr::LOCALHOST, 0).into(), &Space::here(), target, seed)
    }

    /// One that listens there, and whose sockets are of this network.
    ///
    /// # Errors
    ///
    /// What the system says.
    ///
    /// # Panics
    ///
    /// As [`to`](Self::to).
    pub fn at(at: SocketAddr, space: &Space, target: SocketAddr, seed: u64) -> io::Result<Self> {
        Self::begin(at, Way { space: space.clone(), target, seed, weather: Weather::fair() })
    }

    fn begin(at: SocketAddr, way: Way) -> io::Result<Self> {
        let listener = way.space.listen(at)?;
        let address = listener.local_addr()?;
        let connections: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let listening = tokio::spawn(take_in(listener, connections.clone(), way.clone()));
        Ok(Self { address, way, connections, listening: listening.abort_handle() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From here on this direction is like that, for the connections that there are, too.
    pub fn set(&self, direction: Direction, conditions: Conditions) {
        self.way.weather.of(direction).send_replace(conditions);
    }

    /// What has passed so far.
    pub fn carried(&self) -> Carried {
        self.way.weather.carried()
    }

    /// Cuts every connection, and refuses others from here on.
    pub async fn shut(&mut self) {
        self.listening.abort();
        self.cut();
        // The listener is gone when nobody can connect any more.
        while self.way.space.connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Lets others through again, on the same port.
    ///
    /// # Errors
    ///
    /// What the system says, if somebody else has the port by now.
    pub fn open(&mut self) -> io::Result<()> {
        *self = Self::begin(self.address, self.way.clone())?;
        Ok(())
    }

    /// Cuts every connection in the middle of whatever it carries; how many there were.
    pub fn cut(&self) -> usize {
        let connections = std::mem::take(&mut *locked(&self.connections));
        connections.iter().filter(|connection| !connection.is_finished()).map(AbortHandle::abort).count()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.listening.abort();
        self.cut();
    }
}

async fn take_in(listener: TcpListener, known: Arc<Mutex<Vec<AbortHandle>>>, way: Way) {
    for number in 0.. {
        let near = loop {
            match listener.accept().await {
                Ok((near, _)) => break near,
                Err(_) => sleep(ACCEPT_PAUSE).await,
            }
        };
        let way = way.clone();
        let passing = tokio::spawn(async move {
            let Ok(far) = way.space.connect(way.target).await else { return };
            // However it ends, both ends are closed.
            _ = pass_both(near, far, way.seed.wrapping_add(2 * number), &way.weather).await;
        });
        let mut known = locked(&known);
        known.retain(|connection| !connection.is_finished());
        known.push(passing.abort_handle());
    }
}

async fn pass_both(near: TcpStream, far: TcpStream, seed: u64, weather: &Weather) -> io::Result<()> {
    _ = near.set_nodelay(true).and(far.set_nodelay(true));
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let [there, back] = [seed, seed.wrapping_add(1)].map(Random::seeded);
    let there = pass(near_read, far_write, weather, Direction::There, there);
    let back = pass(far_read, near_write, weather, Direction::Back, back);
    tokio::try_join!(there, back).map(drop)
}

/// Reads on while what was read before is on its way.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    weather: &Weather,
    direction: Direction,
    mut random: Random,
) -> io::Result<()> {
    let (sender, mut way) = mpsc::channel::<(Instant, Vec<u8>)>(RELAY_CHUNKS_MAX);
    let mut conditions = weather.of(direction).subscribe();
    let now = conditions.clone();
    let reading = async move {
        let mut latest = Instant::now();
        loop {
            let mut chunk = vec![0; RELAY_CHUNK_BYTES];
            let bytes = from.read(&mut chunk).await?;
            chunk.truncate(bytes);
            // Nothing overtakes what was there before.
            latest = latest.max(Instant::now() + now.borrow().late_by(random.unit()));
            if bytes == 0 || sender.send((latest, chunk)).await.is_err() {
                return Ok(());
            }
        }
    };
    let writing = async {
        while let Some((due, chunk)) = way.recv().await {
            sleep_until(due).await;
            // Whoever sets the conditions is gone with the relay, which ends this.
            _ = conditions.wait_for(|conditions| !conditions.is_stalled).await;
            to.write_all(&chunk).await?;
            weather.counts.passed.add_one();
            let pause = conditions.borrow().pause_after(chunk.len());
            sleep(pause).await;
        }
        to.shutdown().await
    };
    tokio::try_join!(reading, writing).map(drop)
}

/// A listener that cannot accept for now, because there are too many open files, is asked again after so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_connection_is_late_stalls_and_goes_on() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Relay::to(listener.local_addr().unwrap(), 7).unwrap();
        let mut near = TcpStream::connect(relay.address()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let delay = Duration::from_millis(60);
        relay.set(Direction::There, Conditions::default().with_delay(delay, Duration::ZERO));
        let (began, mut word) = (std::time::Instant::now(), [0; 5]);
        near.write_all(b"hello").await.unwrap();
        far.read_exact(&mut word).await.unwrap();
        assert!(began.elapsed() >= delay);

        relay.set(Direction::There, Conditions::stalled());
        near.write_all(b"later").await.unwrap();
        far.write_all(b"other").await.unwrap();
        near.read_exact(&mut word).await.unwrap();
        assert_eq!(&word, b"other", "the other direction goes on");
        assert!(tokio::time::timeout(delay, far.read_exact(&mut word)).await.is_err());
        relay.set(Direction::There, Conditions::default());
        far.read_exact(&mut word).await.unwrap();
        assert_eq!((&word, relay.cut()), (b"later", 1));
        assert_eq!(near.read(&mut word).await.unwrap(), 0, "both ends are closed");
    }
    /// Each word is written by itself, and late by itself.
    #[tokio::test]
    async fn a_connection_whose_words_are_late_by_chance_has_them_in_order() {
        const WORDS: u8 = 20;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let relay = Relay::to(listener.local_addr().unwrap(), 7).unwrap();
        let jitter = Duration::from_millis(40);
        relay.set(Direction::There, Conditions::default().with_delay(Duration::ZERO, jitter));
        let mut near = TcpStream::connect(relay.address()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let mut took = Vec::new();
        for word in 0..WORDS {
            let began = std::time::Instant::now();
            near.write_all(&[word]).await.unwrap();
            assert_eq!(far.read_u8().await.unwrap(), word);
            took.push(began.elapsed());
        }
        let (least, most) = (took.iter().min().unwrap(), took.iter().max().unwrap());
        assert!(*least < jitter / 2 && *most > jitter / 2, "{took:?}");
        // All at once: those behind a late one wait for it.
        let sending = async {
            for word in 0..WORDS {
                near.write_all(&[word]).await.unwrap();
                sleep(Duration::from_millis(1)).await; // sleep: so that the relay reads each by itself
            }
        };
        let mut all = [0; WORDS as usize];
        let (_, read) = tokio::join!(sending, far.read_exact(&mut all));
        read.unwrap();
        assert!(all.is_sorted(), "{all:?}");
        assert!(relay.carried().passed > u64::from(WORDS), "{:?}", relay.carried());
    }
}
