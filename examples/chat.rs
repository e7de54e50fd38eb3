//! cargo run --example chat
//!
//! A chat room over TCP: `nc localhost 4000` is the client. The first line is one's name.
//! A guest who is too many lines behind is shown out, and delays nobody; one whose connection is
//! lost has left. Who comes when no more can be served is turned away.
//!
//! ```text
//!  nc ── lines ──► Guest ── say ──► Room ── port ──► every other Guest ── lines ──► nc
//!                    └────── watched ──┘
//! ```

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use actor_core::{ActorError, ActorId, Backlog, Context, OutputPort, SupervisionEvent, WhenFull, actor};
use actor_toolkit::streams::{Told, feed_results, lines};
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::net::{TcpListener, TcpStream};

const LINE_BYTES_MAX: usize = 1024;
/// How many lines wait for one guest to read them.
const LINES_MAX: usize = 4096;
/// How long nobody is let in after somebody could not be: as long as it takes others to leave.
const PAUSE: Duration = Duration::from_millis(100);

/// Who is here, and who hears what.
#[derive(Default)]
struct Room {
    guests: BTreeMap<ActorId, (Arc<str>, GuestRef)>,
    heard: OutputPort<Said>,
}

#[derive(Clone)]
struct Said {
    line: Arc<str>,
    /// Who does not hear it.
    by: Option<ActorId>,
}

#[actor]
impl Room {
    fn join(&mut self, ctx: &Context<'_, RoomRef>, name: Arc<str>, guest: GuestRef) -> Result<(), String> {
        if self.guests.values().any(|(taken, _)| *taken == name) {
            return Err(format!("{name} is here already"));
        }
        self.tell_all(&format!("* {name} has come"));
        // However it ends, the room hears of it.
        ctx.myself().cell().watch(&guest.cell());
        let id = guest.id();
        let shown = move |said: Said| (said.by != Some(id)).then_some(GuestMessage::Show(said.line));
        let behind = Backlog::new(LINES_MAX, WhenFull::Wait).map_err(|error| error.to_string())?;
        self.heard.subscribe_with(behind, &guest, shown);
        self.guests.insert(id, (name, guest));
        Ok(())
    }

    /// A call: the next line of a guest is heard when all have been sent this one, so that whoever
    /// types fast does not fill the room's mailbox.
    fn say(&mut self, from: ActorId, line: String) {
        let Some((name, _)) = self.guests.get(&from) else { return };
        let line = format!("{name}: {line}").into();
        self.tell(Said { line, by: Some(from) });
    }

    /// A call, and a message like those of the guest that came before it: it overtakes none.
    fn leave(&mut self, guest: ActorId) {
        self.remove(guest);
    }

    /// Comes before all messages that wait: for guests who did not take their leave.
    #[supervision]
    fn on_event(&mut self, event: SupervisionEvent) {
        if let SupervisionEvent::Down { actor, .. } = event {
            self.remove(actor.id());
        }
    }
}

impl Room {
    fn remove(&mut self, guest: ActorId) {
        if let Some((name, _)) = self.guests.remove(&guest) {
            self.tell_all(&format!("* {name} has gone"));
        }
    }

    fn tell_all(&mut self, line: &str) {
        self.tell(Said { line: line.into(), by: None });
    }

    fn tell(&mut self, mut said: Said) {
        while let Err(full) = self.heard.send(said) {
            // One so far behind does not read. Its end comes as an event.
            full.subscription.cancel();
            if let Some((_, guest)) = self.guests.get(&full.subscription.actor_id()) {
                guest.kill();
            }
            said = full.value;
        }
    }
}

/// One connection.
struct Guest {
    room: RoomRef,
    name: Option<Arc<str>>,
    socket: OwnedWriteHalf,
}

#[actor]
impl Guest {
    /// What is read comes as messages, no faster than they are handled.
    #[init]
    async fn enter(
        ctx: &Context<'_, GuestRef>,
        stream: TcpStream,
        room: RoomRef,
    ) -> Result<Self, ActorError> {
        let (read, mut socket) = stream.into_split();
        socket.write_all(b"who are you?\n").await?;
        feed_results(&ctx.myself(), lines(read, LINE_BYTES_MAX)?, |told| match told {
            Told::Item(line) => GuestMessage::Heard(line),
            // A line too long, or a lost connection: gone, one way or the other.
            Told::Ended | Told::Failed(_) => GuestMessage::Leave(),
        });
        Ok(Self { room, name: None, socket })
    }

    #[cast]
    async fn heard(&mut self, ctx: &Context<'_, GuestRef>, line: String) -> Result<(), ActorError> {
        // A terminal would obey some of them.
        let line = line.replace(char::is_control, "");
        if self.name.is_some() {
            self.room.say(ctx.myself().id(), line).await?;
            return Ok(());
        }
        let name: Arc<str> = line.trim().into();
        if name.is_empty() {
            return self.write("who are you?").await;
        }
        match self.room.join(name.clone(), ctx.myself()).await? {
            Ok(()) => {
                self.write(&format!("* you are {name}")).await?;
                self.name = Some(name);
            }
            Err(why) => self.write(&format!("{why}; who are you?")).await?,
        }
        Ok(())
    }

    #[cast]
    async fn show(&mut self, line: Arc<str>) -> Result<(), ActorError> {
        self.write(&line).await
    }

    #[cast]
    async fn leave(&self, ctx: &Context<'_, GuestRef>) -> Result<(), ActorError> {
        self.room.leave(ctx.myself().id()).await?;
        ctx.myself().stop(None);
        Ok(())
    }
}

impl Guest {
    async fn write(&mut self, line: &str) -> Result<(), ActorError> {
        self.socket.write_all(format!("{line}\n").as_bytes()).await?;
        Ok(())
    }
}

/// Lets guests in. If one cannot be, as when there are no more sockets, the others stay.
async fn serve(listener: TcpListener) -> Result<(), Box<dyn Error + Send + Sync>> {
    let room = Room::default().spawn().await?;
    loop {
        if let Err(error) = let_in(&listener, &room).await {
            writeln!(io::stderr(), "nobody was let in: {error}")?;
            tokio::time::sleep(PAUSE).await;
        }
    }
}

async fn let_in(listener: &TcpListener, room: &RoomRef) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (stream, _) = listener.accept().await?;
    // Started beside this loop: a guest who does not take our question delays nobody.
    drop(Guest::spawn(stream, room.clone()).instant()?);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:4000").await?;
    writeln!(io::stdout(), "nc localhost {}", listener.local_addr()?.port())?;
    serve(listener).await.map_err(|error| error as Box<dyn Error>)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use actor_core::ActorSystem;
    use tokio::io::{AsyncBufReadExt, BufReader};

    use super::*;

    /// What `nc` is to a person.
    struct Client(BufReader<TcpStream>);

    impl Client {
        async fn connect(address: SocketAddr) -> Self {
            let mut client = Self(BufReader::new(TcpStream::connect(address).await.unwrap()));
            assert_eq!(client.read().await, "who are you?");
            client
        }

        /// A client who is in the room.
        async fn join(address: SocketAddr, name: &str) -> Self {
            let mut client = Self::connect(address).await;
            client.type_in(name).await;
            assert_eq!(client.read().await, format!("* you are {name}"));
            client
        }

        async fn type_in(&mut self, line: &str) {
            self.0.get_mut().write_all(format!("{line}\n").as_bytes()).await.unwrap();
        }

        async fn read(&mut self) -> String {
            let mut line = String::new();
            self.0.read_line(&mut line).await.unwrap();
            line.trim_end().to_owned()
        }
    }

    #[tokio::test]
    async fn everybody_hears_the_others() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener));

        let mut ada = Client::join(address, "Ada").await;
        let mut bob = Client::connect(address).await;
        bob.type_in("Ada").await;
        assert_eq!(bob.read().await, "Ada is here already; who are you?");
        bob.type_in("Bob").await;
        assert_eq!(bob.read().await, "* you are Bob");
        assert_eq!(ada.read().await, "* Bob has come");

        ada.type_in("good evening").await;
        assert_eq!(bob.read().await, "Ada: good evening");
        bob.type_in("evening").await;
        bob.type_in("I have to go").await;
        drop(bob);
        for heard in ["Bob: evening", "Bob: I have to go", "* Bob has gone"] {
            assert_eq!(ada.read().await, heard);
        }

        // A line that is too long ends the connection, and nothing of it is said.
        let mut eve = Client::join(address, "Eve").await;
        assert_eq!(ada.read().await, "* Eve has come");
        eve.type_in(&"x".repeat(LINE_BYTES_MAX + 1)).await;
        assert_eq!(ada.read().await, "* Eve has gone");
        assert!(!server.is_finished());
        server.abort();
    }

    #[tokio::test]
    async fn a_name_is_text_that_a_terminal_only_shows() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener));
        let mut ada = Client::join(address, "Ada").await;
        let mut eve = Client::connect(address).await;
        for nothing in ["", " \t ", "\x1b\x07"] {
            eve.type_in(nothing).await;
            assert_eq!(eve.read().await, "who are you?");
        }
        eve.type_in("\x1b[2JEve").await;
        assert_eq!(eve.read().await, "* you are [2JEve");
        assert_eq!(ada.read().await, "* [2JEve has come");
        eve.type_in("\x07ring").await;
        assert_eq!(ada.read().await, "[2JEve: ring");
        server.abort();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_flood_of_lines_shows_nobody_out_who_reads() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener));
        let mut ada = Client::join(address, "Ada").await;
        let mut eve = Client::join(address, "Eve").await;
        assert_eq!(ada.read().await, "* Eve has come");
        let lines = LINES_MAX;
        let typing = tokio::spawn(async move {
            let text: Vec<String> = (0..lines).map(|number| number.to_string()).collect();
            eve.type_in(&text.join("\n")).await;
            eve
        });
        for number in 0..lines {
            assert_eq!(ada.read().await, format!("Eve: {number}"));
        }
        drop(typing.await.unwrap());
        server.abort();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_who_does_not_read_is_shown_out_and_delays_nobody() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(serve(listener));
        let mut ada = Client::join(address, "Ada").await;
        let _deaf = Client::join(address, "Deaf").await;
        assert_eq!(ada.read().await, "* Deaf has come");
        let mut eve = Client::join(address, "Eve").await;
        assert_eq!(ada.read().await, "* Eve has come");
        // Ada reads, and so is never far behind.
        let lines = vec!["x".repeat(LINE_BYTES_MAX); LINES_MAX / 2].join("\n");
        let mut has_gone = false;
        while !has_gone {
            eve.type_in(&lines).await;
            for _ in 0..LINES_MAX / 2 {
                let line = ada.read().await;
                assert_ne!(line, "", "she has not been shown out");
                has_gone |= line == "* Deaf has gone";
            }
        }
        server.abort();
    }

    #[tokio::test]
    async fn when_one_cannot_be_let_in_the_others_stay() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        // The room and two guests.
        let small = ActorSystem::builder().actors_max(3).build();
        let server = tokio::spawn(async move { small.scope(serve(listener)).await });
        let mut ada = Client::join(address, "Ada").await;
        let mut bob = Client::join(address, "Bob").await;
        assert_eq!(ada.read().await, "* Bob has come");
        let mut turned_away = Client(BufReader::new(TcpStream::connect(address).await.unwrap()));
        assert_eq!(turned_away.read().await, "");
        bob.type_in("still here").await;
        assert_eq!(ada.read().await, "Bob: still here");
        drop(bob);
        assert_eq!(ada.read().await, "* Bob has gone");
        assert!(!server.is_finished());
        server.abort();
    }
}
