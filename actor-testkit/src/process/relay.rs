//! What stands between two nodes and passes on what they say, for as long as the test likes, and as badly.
//!
//! ```text
//!  who dials ◄──── near ─── Relay, Datagrams ─── far ────► the target
//!              ─ there, as one Conditions say ─►
//!             ◄─ back, as others say ─
//! ```
//!
//! A node is told to advertise the relay's address in place of its own, so that nobody goes another way. This is how delay and
//! disorder are made here: it takes no rights, and works on every machine.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::limits::{RELAY_CHUNK_BYTES, RELAY_CHUNKS_MAX};

use super::conditions::{Conditions, Direction, Weather};

/// Passes bytes on between whoever connects and a port, over TCP. Dropping it cuts every connection, and refuses others.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    target: SocketAddr,
    connections: Arc<Mutex<Vec<AbortHandle>>>,
    weather: Arc<Weather>,
    listening: AbortHandle,
}

impl Relay {
    /// One that listens on a free port of this machine's loopback.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn to(target: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Self::on(listener, target, Weather::fair())
    }

    fn on(listener: TcpListener, target: SocketAddr, weather: Arc<Weather>) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let connections: Arc<Mutex<Vec<AbortHandle>>> = Arc::default();
        let (known, now) = (connections.clone(), weather.clone());
        let listening = tokio::spawn(async move {
            loop {
                let Ok((near, _)) = listener.accept().await else {
                    sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                let weather = now.clone();
                let passing = tokio::spawn(async move {
                    let Ok(far) = TcpStream::connect(target).await else { return };
                    // However it ends, both ends are closed.
                    _ = pass_both(near, far, &weather).await;
                });
                let mut known = locked(&known);
                known.retain(|connection| !connection.is_finished());
                known.push(passing.abort_handle());
            }
        });
        Ok(Self { address, target, connections, weather, listening: listening.abort_handle() })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From here on this direction is like that, for the connections that there are, too.
    pub fn set(&self, direction: Direction, conditions: Conditions) {
        self.weather.of(direction).send_replace(conditions);
    }

    /// Cuts every connection, and refuses others from here on.
    pub async fn shut(&mut self) {
        self.listening.abort();
        self.cut();
        // The listener is gone when nobody can connect any more.
        while TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    }

    /// Lets others through again, on the same port.
    ///
    /// # Errors
    ///
    /// What the system says, if somebody else has the port by now.
    pub async fn open(&mut self) -> io::Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        *self = Self::on(listener, self.target, self.weather.clone())?;
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

async fn pass_both(near: TcpStream, far: TcpStream, weather: &Weather) -> io::Result<()> {
    _ = near.set_nodelay(true).and(far.set_nodelay(true));
    let (near_read, near_write) = near.into_split();
    let (far_read, far_write) = far.into_split();
    let there = pass(near_read, far_write, weather.there.subscribe());
    let back = pass(far_read, near_write, weather.back.subscribe());
    tokio::try_join!(there, back).map(drop)
}

/// Reads on while what was read before is on its way.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut conditions: watch::Receiver<Conditions>,
) -> io::Result<()> {
    let (sender, mut way) = mpsc::channel::<(Instant, Vec<u8>)>(RELAY_CHUNKS_MAX);
    let now = conditions.clone();
    let reading = async move {
        loop {
            let mut chunk = vec![0; RELAY_CHUNK_BYTES];
            let bytes = from.read(&mut chunk).await?;
            chunk.truncate(bytes);
            let due = Instant::now() + now.borrow().delay;
            if bytes == 0 || sender.send((due, chunk)).await.is_err() {
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
            let pace = conditions.borrow().bytes_per_second;
            if pace > 0 {
                sleep(Duration::from_secs(1) * u32::try_from(chunk.len()).unwrap_or(u32::MAX) / pace).await;
            }
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
        let relay = Relay::to(listener.local_addr().unwrap()).await.unwrap();
        let mut near = TcpStream::connect(relay.address()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        let delay = Duration::from_millis(60);
        relay.set(Direction::There, Conditions { delay, ..Conditions::default() });
        let (began, mut word) = (std::time::Instant::now(), [0; 5]);
        near.write_all(b"hello").await.unwrap();
        far.read_exact(&mut word).await.unwrap();
        assert!(began.elapsed() >= delay);

        relay.set(Direction::There, Conditions { is_stalled: true, ..Conditions::default() });
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
}
