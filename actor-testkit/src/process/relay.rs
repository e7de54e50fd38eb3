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

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, sleep_until};

use crate::limits::{RELAY_CHUNK_BYTES, RELAY_CHUNKS_MAX, RELAY_DATAGRAMS_MAX};
use crate::simulation::Random;

/// How badly a direction passes on what comes; at once and all of it, unless said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// How long everything takes.
    pub delay: Duration,
    /// How much longer it takes at most, by the relay's seed: datagrams overtake each other, the bytes of a connection
    /// do not.
    pub jitter: Duration,
    /// How many of a thousand datagrams are lost, by the relay's seed. Those of a connection are not.
    pub lost_per_mille: u16,
    /// How many of a thousand datagrams arrive twice, by the relay's seed.
    pub doubled_per_mille: u16,
    /// How many bytes a second get through a connection: its reader is slow. 0 is all that come.
    pub bytes_per_second: u32,
    /// Nothing gets through. The bytes of a connection wait, and it stays open; datagrams are lost.
    pub is_stalled: bool,
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From those who dial to the target.
    There,
    /// From the target to those who dial.
    Back,
}

/// What each direction is like, now and later.
#[derive(Debug)]
struct Weather {
    there: watch::Sender<Conditions>,
    back: watch::Sender<Conditions>,
}

impl Weather {
    fn fair() -> Arc<Self> {
        let [there, back] = [(); 2].map(|()| watch::Sender::new(Conditions::default()));
        Arc::new(Self { there, back })
    }

    fn of(&self, direction: Direction) -> &watch::Sender<Conditions> {
        match direction {
            Direction::There => &self.there,
            Direction::Back => &self.back,
        }
    }
}

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

/// Passes datagrams on between whoever sends any and a port, over UDP. Dropping it swallows all that comes.
#[derive(Debug)]
pub struct Datagrams {
    address: SocketAddr,
    weather: Arc<Weather>,
    passing: AbortHandle,
}

impl Datagrams {
    /// One that listens on a free port of this machine's loopback. What is lost, doubled and late follows from the seed, and
    /// from what comes.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn to(target: SocketAddr, seed: u64) -> io::Result<Self> {
        let near = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        let address = near.local_addr()?;
        let weather = Weather::fair();
        let passing = tokio::spawn(pass_there(near, target, weather.clone(), seed)).abort_handle();
        Ok(Self { address, weather, passing })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From here on this direction is like that.
    pub fn set(&self, direction: Direction, conditions: Conditions) {
        self.weather.of(direction).send_replace(conditions);
    }

    /// Swallows everything from here on, in both directions.
    pub fn silence(&self) {
        self.stall(true);
    }

    /// Passes on what comes from here on.
    pub fn speak(&self) {
        self.stall(false);
    }

    fn stall(&self, is_stalled: bool) {
        for direction in [Direction::There, Direction::Back] {
            self.weather.of(direction).send_modify(|conditions| conditions.is_stalled = is_stalled);
        }
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.silence();
        self.passing.abort();
    }
}

/// Each who sends has a socket of its own towards the target, so that answers find back.
async fn pass_there(near: Arc<UdpSocket>, target: SocketAddr, weather: Arc<Weather>, seed: u64) {
    let mut sockets: BTreeMap<SocketAddr, Arc<UdpSocket>> = BTreeMap::new();
    let mut post = Post::new(weather.there.subscribe(), seed);
    let mut datagram = vec![0; 1 << 16];
    loop {
        // Linux tells of ports that are gone by an error of the next receive.
        let Ok((bytes, from)) = near.recv_from(&mut datagram).await else { continue };
        let far = match sockets.get(&from) {
            Some(far) => far.clone(),
            None => {
                let Ok(far) = socket_to(target).await else { continue };
                let post = Post::new(weather.back.subscribe(), seed ^ u64::from(from.port()));
                tokio::spawn(pass_back(far.clone(), near.clone(), from, post));
                sockets.insert(from, far.clone());
                far
            }
        };
        post.take(&datagram[..bytes], &far, target).await;
    }
}

async fn socket_to(target: SocketAddr) -> io::Result<Arc<UdpSocket>> {
    let any: SocketAddr = match target {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (std::net::Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    Ok(Arc::new(UdpSocket::bind(any).await?))
}

/// For as long as the test's runtime lives.
async fn pass_back(far: Arc<UdpSocket>, near: Arc<UdpSocket>, to: SocketAddr, mut post: Post) {
    let mut datagram = vec![0; 1 << 16];
    loop {
        let Ok((bytes, _)) = far.recv_from(&mut datagram).await else { continue };
        post.take(&datagram[..bytes], &near, to).await;
    }
}

/// Carries the datagrams of one direction.
struct Post {
    conditions: watch::Receiver<Conditions>,
    random: Random,
    /// What is on its way, at most; a router loses what comes on top.
    room: Arc<Semaphore>,
}

impl Post {
    fn new(conditions: watch::Receiver<Conditions>, seed: u64) -> Self {
        Self { conditions, random: Random::seeded(seed), room: Arc::new(Semaphore::new(RELAY_DATAGRAMS_MAX)) }
    }

    async fn take(&mut self, datagram: &[u8], by: &Arc<UdpSocket>, to: SocketAddr) {
        let now = *self.conditions.borrow();
        if now.is_stalled || self.random.below(1000) < now.lost_per_mille.into() {
            return;
        }
        let copies = if self.random.below(1000) < now.doubled_per_mille.into() { 2 } else { 1 };
        for _ in 0..copies {
            let late = now.delay + now.jitter.mul_f64(self.random.unit());
            if late.is_zero() {
                // What the system does not take is lost as any other.
                _ = by.send_to(datagram, to).await;
                continue;
            }
            let Ok(place) = self.room.clone().try_acquire_owned() else { return };
            let (by, datagram) = (by.clone(), datagram.to_vec());
            tokio::spawn(async move {
                sleep(late).await;
                _ = by.send_to(&datagram, to).await;
                drop(place);
            });
        }
    }
}

/// A listener that cannot accept for now, because there are too many open files, is asked again after so long.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn echo() -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut datagram = [0; 64];
            while let Ok((bytes, from)) = socket.recv_from(&mut datagram).await {
                socket.send_to(&datagram[..bytes], from).await.unwrap();
            }
        });
        address
    }

    /// What comes back of a hundred numbers, in its order.
    async fn numbers(conditions: Conditions) -> Vec<u8> {
        let relay = Datagrams::to(echo().await, 7).await.unwrap();
        relay.set(Direction::There, conditions);
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        socket.connect(relay.address()).await.unwrap();
        for number in 0..100 {
            socket.send(&[number]).await.unwrap();
            // As many as fit a small socket.
            tokio::task::yield_now().await;
        }
        let (mut heard, mut datagram) = (Vec::new(), [0; 64]);
        while let Ok(received) =
            tokio::time::timeout(Duration::from_millis(200), socket.recv(&mut datagram)).await
        {
            heard.extend_from_slice(&datagram[..received.unwrap()]);
        }
        heard
    }

    #[tokio::test]
    async fn datagrams_are_lost_doubled_and_in_disorder_as_told() {
        let in_order: Vec<u8> = (0..100).collect();
        assert_eq!(numbers(Conditions::default()).await, in_order);
        let lost = numbers(Conditions { lost_per_mille: 200, ..Conditions::default() }).await;
        assert!((60..95).contains(&lost.len()) && lost.is_sorted(), "{lost:?}");
        let doubled = numbers(Conditions { doubled_per_mille: 200, ..Conditions::default() }).await;
        assert!((105..140).contains(&doubled.len()), "{doubled:?}");
        let jitter = Duration::from_millis(50);
        let mut late = numbers(Conditions { jitter, ..Conditions::default() }).await;
        assert!(!late.is_sorted(), "{late:?}");
        late.sort_unstable();
        assert_eq!(late, in_order);
        assert!(numbers(Conditions { is_stalled: true, ..Conditions::default() }).await.is_empty());
    }

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
