//! The actor of the tests: it answers what it is asked, or does not, as told.

use std::collections::BTreeMap;

use actor_cluster::RemoteMessage;
use actor_core::{Actor, ActorError, ActorRef, ReplyPort};

/// The group that every node's echo is a member of.
pub const ECHOES: &str = "echoes";

/// The group of those that others are called beside, while an echo is sent something long.
pub const BYSTANDERS: &str = "bystanders";

/// Told to a node that is to take messages as long as there are, and to have a bystander.
pub const TAKES_BULK: &str = "takes-bulk";

/// What the nodes know that talk over a child's standard input and output: the pipes prove nothing.
pub const STDIO_SECRET: &str = "between a parent and its child";

/// What an echo understands.
#[derive(Debug, RemoteMessage)]
pub enum Say {
    /// Answers the text.
    #[rpc]
    This(String, ReplyPort<String>),
    /// Keeps the port and never answers.
    #[rpc]
    Nothing(ReplyPort<()>),
    /// Answers how many ports it keeps.
    #[rpc]
    HowMany(ReplyPort<u64>),
    /// The next number of a sender's, who counts from 0.
    Next(u32, u64),
    /// The same, and answered with the number.
    #[rpc]
    AskNext(u32, u64, ReplyPort<u64>),
    /// Bytes, and nothing else.
    Load(Vec<u8>),
    /// Answers how many numbers came, and how many of them were not their sender's next.
    #[rpc]
    Tally(ReplyPort<(u64, u64)>),
}

/// Answers with what it is told.
#[derive(Debug)]
pub struct Echo;

/// What an echo remembers.
#[derive(Debug, Default)]
pub struct Memory {
    kept: Vec<ReplyPort<()>>,
    /// What each sender's next number is.
    next: BTreeMap<u32, u64>,
    numbers: u64,
    out_of_order: u64,
}

impl Memory {
    fn note(&mut self, sender: u32, number: u64) {
        let next = self.next.entry(sender).or_default();
        self.numbers += 1;
        self.out_of_order += u64::from(*next != number);
        *next = number + 1;
    }
}

impl Actor for Echo {
    type Msg = Say;
    type State = Memory;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Say>, (): ()) -> Result<Self::State, ActorError> {
        Ok(Memory::default())
    }

    async fn handle(&self, _: &ActorRef<Say>, say: Say, memory: &mut Memory) -> Result<(), ActorError> {
        // A caller that has gone away does not hear the answer, which harms nobody.
        match say {
            Say::This(text, port) => drop(port.send(text)),
            Say::Nothing(port) => memory.kept.push(port),
            Say::HowMany(port) => drop(port.send(memory.kept.len() as u64)),
            Say::Next(sender, number) => memory.note(sender, number),
            Say::AskNext(sender, number, port) => {
                memory.note(sender, number);
                _ = port.send(number);
            }
            Say::Load(_) => {}
            Say::Tally(port) => drop(port.send((memory.numbers, memory.out_of_order))),
        }
        Ok(())
    }
}
