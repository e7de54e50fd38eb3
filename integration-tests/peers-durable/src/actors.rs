//! Who is measured: a counter as a plain actor, as a volatile one, as one whose state is kept, and one whose events are kept.
//! All of them do the same with a command: add to a number and answer with it.

use std::collections::HashMap;

use actor_core::{Actor, ActorError, ActorRef, ReplyPort};
use actor_durable::{Decision, Durability, Durable, DurableActor, DurableId, EventSourced, NoError, Turn};
use serde::{Deserialize, Serialize};

/// What all counters are told.
#[derive(Serialize, Deserialize)]
pub(crate) enum Command {
    Add(u64),
    /// Only looks.
    Get,
}

/// What the plain ones are told.
pub(crate) enum Plain {
    Add(u64, ReplyPort<u64>),
}

/// A plain actor.
pub(crate) struct PlainCounter;

impl Actor for PlainCounter {
    type Msg = Plain;
    type State = u64;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Plain>, (): ()) -> Result<u64, ActorError> {
        Ok(0)
    }

    async fn handle(
        &self,
        _: &ActorRef<Plain>,
        Plain::Add(by, port): Plain,
        n: &mut u64,
    ) -> Result<(), ActorError> {
        *n += by;
        let _ = port.send(*n);
        Ok(())
    }
}

/// A plain actor that keeps what it counts in a hash map, by one of a thousand keys.
pub(crate) struct MapCounter;

/// As many as an actor remembers messages.
const KEYS: u64 = 1_000;

impl Actor for MapCounter {
    type Msg = Plain;
    type State = (u64, HashMap<u64, u64>);
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Plain>, (): ()) -> Result<Self::State, ActorError> {
        Ok((0, HashMap::new()))
    }

    async fn handle(
        &self,
        _: &ActorRef<Plain>,
        Plain::Add(by, port): Plain,
        (n, map): &mut Self::State,
    ) -> Result<(), ActorError> {
        *n += by;
        map.insert(*n % KEYS, *n);
        let _ = port.send(*n);
        Ok(())
    }
}

/// A durable actor that counts, and how it is called and kept.
macro_rules! counter {
    ($(#[$docs:meta])* $name:ident, $type:literal $(, $what:ident: $of:ty = $value:expr)*) => {
        $(#[$docs])*
        pub(crate) struct $name;

        impl Durable for $name {
            const TYPE: &'static str = $type;
            $(const $what: $of = $value;)*
            type State = u64;
            type Command = Command;
            type Reply = u64;
            type Error = NoError;

            fn create(&self, _: &DurableId) -> u64 {
                0
            }

            fn is_query(command: &Command) -> bool {
                matches!(command, Command::Get)
            }
        }
    };
}

counter! {
    /// Its state is kept, as by default.
    Counter, "counter"
}

counter! {
    /// Nothing of it is kept.
    VolatileCounter, "volatile", DURABILITY: Durability = Durability::Volatile
}

macro_rules! adds {
    ($($name:ident),*) => {
        $(impl DurableActor for $name {
            async fn handle(&self, command: Command, n: &mut u64, _: &mut Turn<'_, Self>) -> Result<u64, NoError> {
                if let Command::Add(by) = command {
                    *n += by;
                }
                Ok(*n)
            }
        })*
    };
}

adds!(Counter, VolatileCounter);

counter! {
    /// Its events are kept, all of them, and its state after each 500.
    Snapshotted, "snapshotted", JOURNAL_KEPT: u64 = u64::MAX / 4
}

counter! {
    /// Its events are kept, and never its state.
    Remembering, "remembering"
}

/// Something was added.
#[derive(Serialize, Deserialize)]
pub(crate) struct Added(u64);

macro_rules! happens {
    ($($name:ident, $every:expr;)*) => {
        $(impl EventSourced for $name {
            type Event = Added;

            const SNAPSHOT_EVERY: u64 = $every;

            async fn decide(
                &self,
                command: Command,
                n: &u64,
                _: &mut Turn<'_, Self>,
            ) -> Result<Decision<Added, u64>, NoError> {
                Ok(match command {
                    Command::Add(by) => Decision::reply(*n + by).event(Added(by)),
                    Command::Get => Decision::reply(*n),
                })
            }

            fn apply(&self, n: &mut u64, Added(by): &Added) {
                *n += by;
            }
        })*
    };
}

happens! {
    Snapshotted, 500;
    Remembering, u64::MAX;
}
