//! The actors that the tests send to.

use std::sync::{Arc, Mutex};

use actor_cluster::wire::{DecodeError, DecodeErrorKind, Decoder, EncodeError, Encoder, TypeTag};
use actor_cluster::{RemoteMessage, Wire};
use actor_core::{Actor, ActorError, ActorRef, Overflow, ReplyPort};
use tokio::sync::Semaphore;

#[derive(Debug, RemoteMessage)]
pub(crate) enum Count {
    Add(u64),
    #[rpc]
    Get(ReplyPort<u64>),
    /// Adds, and answers the sum.
    #[rpc]
    AddAndGet(u64, ReplyPort<u64>),
    /// Keeps the port and never answers it.
    #[rpc]
    Keep(ReplyPort<u64>),
    /// Answers the ports that were kept.
    AnswerAll,
    /// Drops the port.
    #[rpc]
    Refuse(ReplyPort<u64>),
    /// Bytes to be counted, and their number answered.
    #[rpc]
    Weigh(Vec<u8>, ReplyPort<u64>),
    /// Bytes, and nothing else.
    Load(Vec<u8>),
    /// Answers so many bytes.
    #[rpc]
    Fetch(u64, ReplyPort<Vec<u8>>),
    Panic,
    Fail,
}

/// Lets so many messages through; all, if there is none.
#[derive(Clone, Default)]
pub(crate) struct Gate(Option<Arc<Semaphore>>);

impl Gate {
    pub(crate) fn shut() -> Self {
        Self(Some(Arc::new(Semaphore::new(0))))
    }

    pub(crate) fn let_through(&self, messages: usize) {
        self.0.as_ref().unwrap().add_permits(messages);
    }

    pub(crate) fn open(&self) {
        self.let_through(Semaphore::MAX_PERMITS / 2);
    }

    pub(crate) async fn pass(&self) {
        if let Some(gate) = &self.0 {
            gate.acquire().await.unwrap().forget();
        }
    }
}

/// How a counter starts.
#[derive(Clone, Default)]
pub(crate) struct Start {
    pub(crate) count: u64,
    /// Passed before each message is handled.
    pub(crate) gate: Gate,
    /// Every number that was added, in order.
    pub(crate) added: Arc<Mutex<Vec<u64>>>,
    pub(crate) mailbox: Option<usize>,
    pub(crate) overflow: Overflow,
}

impl Start {
    /// Handles nothing until its gate lets it.
    pub(crate) fn shut() -> Self {
        Self { gate: Gate::shut(), ..Self::default() }
    }

    /// The same, with room for so many messages.
    pub(crate) fn narrow(mailbox: usize) -> Self {
        Self { mailbox: Some(mailbox), ..Self::shut() }
    }

    pub(crate) fn added(&self) -> Vec<u64> {
        self.added.lock().unwrap().clone()
    }
}

pub(crate) struct Counter;

impl Actor for Counter {
    type Msg = Count;
    type State = (Start, Vec<ReplyPort<u64>>);
    type Arguments = Start;

    async fn pre_start(&self, _: &ActorRef<Count>, start: Start) -> Result<Self::State, ActorError> {
        Ok((start, Vec::new()))
    }

    async fn handle(
        &self,
        _: &ActorRef<Count>,
        message: Count,
        (state, kept): &mut Self::State,
    ) -> Result<(), ActorError> {
        state.gate.pass().await;
        // Whether the caller still waits is not this actor's business.
        let answer = |port: ReplyPort<u64>, number| _ = port.send(number);
        match message {
            Count::Add(by) => state.add(by),
            Count::Get(port) => answer(port, state.count),
            Count::AddAndGet(by, port) => {
                state.add(by);
                answer(port, state.count);
            }
            Count::Keep(port) => kept.push(port),
            Count::AnswerAll => kept.drain(..).for_each(|port| answer(port, state.count)),
            Count::Refuse(port) => drop(port),
            Count::Weigh(bytes, port) => answer(port, bytes.len() as u64),
            Count::Load(bytes) => state.count += bytes.len() as u64,
            Count::Fetch(bytes, port) => _ = port.send(vec![7; usize::try_from(bytes)?]),
            Count::Panic => panic!("as asked"),
            Count::Fail => return Err("as asked".into()),
        }
        Ok(())
    }
}

impl Start {
    fn add(&mut self, by: u64) {
        self.count += by;
        self.added.lock().unwrap().push(by);
    }
}

/// A value whose form goes wrong as its number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Trap(pub(crate) u8);

impl Trap {
    pub(crate) const FINE: Trap = Trap(0);
    pub(crate) const UNREADABLE: Trap = Trap(1);
    pub(crate) const PANICS_WHEN_READ: Trap = Trap(2);
    pub(crate) const PANICS_WHEN_WRITTEN: Trap = Trap(3);
}

impl Wire for Trap {
    const TYPE: TypeTag = TypeTag::named("tests::Trap");
    const ENCODED_BYTES_MIN: usize = 1;

    fn encode(&self, enc: &mut Encoder<'_>) -> Result<(), EncodeError> {
        enc.put(&[self.0])?;
        assert_ne!(*self, Self::PANICS_WHEN_WRITTEN, "an encoder that panics halfway");
        Ok(())
    }

    fn decode(dec: &mut Decoder<'_>) -> Result<Self, DecodeError> {
        match Self(u8::decode(dec)?) {
            Self::UNREADABLE => Err(dec.error(DecodeErrorKind::custom("a trap"))),
            Self::PANICS_WHEN_READ => panic!("a decoder that panics"),
            trap => Ok(trap),
        }
    }
}

#[derive(Debug, RemoteMessage)]
pub(crate) enum Trapped {
    Set(Trap),
    /// Answers the same.
    #[rpc]
    Echo(Trap, ReplyPort<Trap>),
    /// Answers a trap of this number.
    #[rpc]
    Make(u8, ReplyPort<Trap>),
}

pub(crate) struct Trapper;

impl Actor for Trapper {
    type Msg = Trapped;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Trapped>, (): ()) -> Result<(), ActorError> {
        Ok(())
    }

    async fn handle(&self, _: &ActorRef<Trapped>, message: Trapped, (): &mut ()) -> Result<(), ActorError> {
        match message {
            Trapped::Set(_) => {}
            Trapped::Echo(trap, port) => _ = port.send(trap),
            Trapped::Make(number, port) => _ = port.send(Trap(number)),
        }
        Ok(())
    }
}

/// For outcomes that may hold a message that came back: equal if they read the same.
macro_rules! equal_if_they_read_the_same {
    ($($message:ty)*) => {$(
        impl PartialEq for $message {
            fn eq(&self, other: &Self) -> bool {
                format!("{self:?}") == format!("{other:?}")
            }
        }
    )*};
}

equal_if_they_read_the_same! { Count Trapped }
