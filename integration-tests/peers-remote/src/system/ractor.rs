//! ractor_cluster over plaintext TCP, as its documentation starts with it.
//!
//! Its senders never wait: what is sent faster than it is written lies in memory. So that it is
//! measured at its best and not at what a growing queue costs, a sender here has at most 4 MiB
//! under way: it asks the receiver now and then, and does not wait for the answer before it has
//! sent as much again. Where a receiver stands still there is no such bound, as there is none.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef, BytesConvertable, RpcReplyPort, pg};
use ractor_cluster::{NodeServer, NodeServerMessage, RactorClusterMessage, client_connect};
use tokio::task::JoinHandle;

use super::{Client, Error, Serving};
use crate::flags::Task;
use crate::load::{self, Block, Receiver, Tally};
use crate::rows::Kind;

#[derive(RactorClusterMessage)]
enum Message {
    Owned(Vec<u8>),
    Fixed(Block),
    #[rpc]
    Ask(Block, RpcReplyPort<Block>),
    #[rpc]
    Tally(RpcReplyPort<Tally>),
}

/// What cannot be read becomes what the checks refuse.
impl BytesConvertable for Block {
    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Block::from_bytes(&bytes).unwrap_or(Block { words: [0; 8] })
    }
}

impl BytesConvertable for Tally {
    fn into_bytes(self) -> Vec<u8> {
        self.to_bytes().to_vec()
    }

    fn from_bytes(bytes: Vec<u8>) -> Self {
        Tally::from_bytes(&bytes).unwrap_or(Tally { count: 0, wrong: u64::MAX })
    }
}

/// Receives; of payloads that are so long.
struct Receiving {
    bytes: usize,
}

impl Actor for Receiving {
    type Msg = Message;
    type State = Receiver;
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Message>, (): ()) -> Result<Receiver, ActorProcessingErr> {
        Ok(Receiver::new(self.bytes))
    }

    async fn handle(
        &self,
        _: ActorRef<Message>,
        message: Message,
        state: &mut Receiver,
    ) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Owned(bytes) => {
                load::stand_still_if_held().await;
                state.take_bytes(&bytes);
            }
            Message::Fixed(block) => state.take_block(&block),
            Message::Ask(block, port) => _ = port.send(block.answer()),
            Message::Tally(port) => _ = port.send(state.tally()),
        }
        Ok(())
    }
}

const RECEIVER: &str = "receiver";
const BESIDE: &str = "beside";

pub(super) async fn serve(task: &Task) -> Result<Serving, Error> {
    let port = free_port()?;
    let node = start("far", port).await?;
    let bytes = task.form.kind.payload_bytes();
    for group in [RECEIVER, BESIDE] {
        let (actor, _) = Actor::spawn(None, Receiving { bytes }, ()).await?;
        pg::join(group.to_owned(), vec![actor.get_cell()]);
    }
    Ok(Serving::new(format!("127.0.0.1:{port}"), node))
}

pub(super) async fn dial(task: &Task, address: &str) -> Result<Ractor, Error> {
    let node = start("near", free_port()?).await?;
    client_connect(&node, address).await?;
    let (receiver, beside) = (member(RECEIVER).await, member(BESIDE).await);
    let is_bounded = task.form.kind != Kind::Stalled;
    Ok(Ractor { receiver, beside, is_bounded, under_way: 0, pending: None, _node: node })
}

async fn start(name: &str, port: u16) -> Result<ActorRef<NodeServerMessage>, Error> {
    let server =
        NodeServer::new(port, "cookie".to_owned(), name.to_owned(), "localhost".to_owned(), None, None);
    let (node, _) = Actor::spawn(None, server.with_listen_addr(Ipv4Addr::LOCALHOST.into()), ()).await?;
    Ok(node)
}

/// Nobody is told which port a node takes that may take any.
fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

async fn member(group: &str) -> ActorRef<Message> {
    loop {
        if let Some(cell) = pg::get_members(&group.to_owned()).into_iter().next() {
            return cell.into();
        }
        // Nobody is told either when the peer's actors are known.
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

pub(super) struct Ractor {
    receiver: ActorRef<Message>,
    beside: ActorRef<Message>,
    is_bounded: bool,
    /// Bytes since it was asked last.
    under_way: usize,
    pending: Option<JoinHandle<Tally>>,
    _node: ActorRef<NodeServerMessage>,
}

impl Clone for Ractor {
    fn clone(&self) -> Self {
        let (receiver, beside) = (self.receiver.clone(), self.beside.clone());
        Self { receiver, beside, pending: None, under_way: 0, _node: self._node.clone(), ..*self }
    }
}

/// Half of what may be under way; of small messages so much as these take in its frames.
const HALF_BYTES: usize = 2 << 20;
const MESSAGE_BYTES_LEAST: usize = 512;

impl Ractor {
    async fn send(&mut self, message: Message, bytes: usize) {
        self.receiver.cast(message).expect("the receiver lives");
        self.under_way += bytes.max(MESSAGE_BYTES_LEAST);
        if self.is_bounded && self.under_way >= HALF_BYTES {
            self.under_way = 0;
            let receiver = self.receiver.clone();
            let asked = tokio::spawn(async move { tally(&receiver).await });
            if let Some(before) = self.pending.replace(asked) {
                before.await.expect("the receiver answers");
            }
        } else if self.under_way.is_multiple_of(YIELD_BYTES) {
            tokio::task::yield_now().await;
        }
    }
}

/// A cast never waits, so its sender lets others run now and then.
const YIELD_BYTES: usize = 64 * MESSAGE_BYTES_LEAST;

async fn tally(receiver: &ActorRef<Message>) -> Tally {
    receiver.call(Message::Tally, None).await.expect("the receiver lives").expect("it answers")
}

impl Client for Ractor {
    async fn tell(&mut self, bytes: Vec<u8>) {
        let length = bytes.len();
        self.send(Message::Owned(bytes), length).await;
    }

    async fn tell_fixed(&mut self, block: Block) {
        self.send(Message::Fixed(block), Block::BYTES).await;
    }

    async fn ask(&self, block: Block) -> Block {
        self.receiver
            .call(|port| Message::Ask(block, port), None)
            .await
            .expect("it lives")
            .expect("it answers")
    }

    async fn ask_beside(&self, block: Block) -> Block {
        self.beside.call(|port| Message::Ask(block, port), None).await.expect("it lives").expect("it answers")
    }

    async fn tally(&self) -> Tally {
        tally(&self.receiver).await
    }
}
