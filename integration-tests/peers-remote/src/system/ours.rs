//! Ours, through its public interface and with its defaults. The senders wait for room.

use std::sync::Arc;
use std::time::Duration;

use actor_cluster::transport::Address;
use actor_cluster::{Mode, NodeBuilder, NodeId, NodeServer, NodeSession, RemoteMessage};
use actor_core::{Actor, ActorError, ActorRef, ReplyPort, Spawn, SpawnOptions};
use integration_tests::{NodeKeys, RunningNode};
use transport_tcp::TcpTransport;

use super::{Client, Error, PLAIN, Papers, Serving};
use crate::flags::Task;
use crate::load::{self, Block, Receiver, Tally};
use crate::rows::Kind;

#[derive(RemoteMessage)]
enum Message {
    Owned(Vec<u8>),
    Fixed(Block),
    #[rpc]
    Ask(Block, ReplyPort<Block>),
    #[rpc]
    Tally(ReplyPort<Tally>),
}

/// Receives; of payloads that are so long.
struct Receiving {
    bytes: usize,
}

impl Actor for Receiving {
    type Msg = Message;
    type State = Receiver;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Message>, (): ()) -> Result<Receiver, ActorError> {
        Ok(Receiver::new(self.bytes))
    }

    async fn handle(
        &self,
        _: &ActorRef<Message>,
        message: Message,
        state: &mut Receiver,
    ) -> Result<(), ActorError> {
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

pub(super) async fn serve(task: &Task, papers: Papers) -> Result<Serving, Error> {
    let node = start(task, &papers.keys, papers.near).await?;
    let bytes = task.form.kind.payload_bytes();
    for name in [RECEIVER, BESIDE] {
        let receiving = Receiving { bytes };
        let actor = match task.form.kind {
            // By default 64 Ki messages have room, whatever they carry.
            Kind::Stalled => {
                let options = SpawnOptions::new().mailbox(STALLED_MAILBOX.try_into()?);
                node.server.system().spawn(receiving, (), options).await?
            }
            _ => receiving.spawn(()).await?,
        };
        node.server.publish(name, &actor)?;
    }
    let address = node.server.addresses().first().ok_or("the node does not listen")?.clone();
    Ok(Serving::new(address, node))
}

/// The mailbox of a receiver that is to stand still.
const STALLED_MAILBOX: usize = 256;

const RECEIVER: &str = "receiver";
const BESIDE: &str = "beside";

async fn start(task: &Task, keys: &NodeKeys, peer: NodeId) -> Result<RunningNode, Error> {
    let settings = |builder: NodeBuilder| match task.form.kind {
        // So that there are enough of them.
        Kind::Control => {
            builder.mode(Mode::Isolated).heartbeat(Duration::from_millis(5), Duration::from_secs(30))
        }
        _ => builder.mode(Mode::Isolated),
    };
    if task.system != PLAIN {
        return Ok(keys.start(&[peer], settings).await?);
    }
    let transport = TcpTransport::builder().listen(([127, 0, 0, 1], 0).into()).danger_plaintext().build()?;
    let builder = settings(NodeServer::builder(keys.node)).secret("a secret of this measurement's");
    Ok(builder.transport(transport).start().await?.into())
}

pub(super) async fn dial(task: &Task, keys: &NodeKeys, host: NodeId, address: &str) -> Result<Ours, Error> {
    let node = start(task, keys, host).await?;
    let address: Address = address.parse()?;
    let session = node.server.connect_to(host, &address).await?;
    let (receiver, beside) = (node.server.find(RECEIVER)?, node.server.find(BESIDE)?);
    Ok(Ours { receiver, beside, session, _node: Arc::new(node) })
}

#[derive(Clone)]
pub(super) struct Ours {
    receiver: ActorRef<Message>,
    beside: ActorRef<Message>,
    session: NodeSession,
    _node: Arc<RunningNode>,
}

impl Client for Ours {
    async fn tell(&mut self, bytes: Vec<u8>) {
        if self.receiver.send(Message::Owned(bytes)).await.is_err() {
            panic!("a message was refused");
        }
    }

    async fn tell_fixed(&mut self, block: Block) {
        if self.receiver.send(Message::Fixed(block)).await.is_err() {
            panic!("a message was refused");
        }
    }

    async fn ask(&self, block: Block) -> Block {
        self.receiver.call(|port| Message::Ask(block, port)).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn ask_beside(&self, block: Block) -> Block {
        self.beside.call(|port| Message::Ask(block, port)).await.unwrap_or_else(|error| panic!("{error}"))
    }

    async fn tally(&self) -> Tally {
        self.receiver.call(Message::Tally).await.unwrap_or_else(|error| panic!("{error}"))
    }

    fn ping(&self) -> Option<Duration> {
        self.session.round_trip()
    }
}
