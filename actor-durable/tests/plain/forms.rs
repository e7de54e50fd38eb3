//! What an older program has stored is read as what it was, or refused by its name.

use std::time::Duration;

use actor_durable::limits::ATTEMPTS_DEFAULT;
use actor_durable::{AskError, CodecError, Durable, MessageId};

use crate::stage::{World, pass};

/// The program as it was.
mod older {
    use actor_core::actor;
    use serde::{Deserialize, Serialize};

    #[derive(Default, Serialize, Deserialize)]
    pub(super) struct Counter {
        pub(super) n: u32,
    }

    #[actor(durable = "counter", pub(super))]
    impl Counter {
        pub(super) fn inc(&mut self, by: u32) -> u32 {
            self.n += by;
            self.n
        }

        pub(super) fn halve(&mut self, at: u32, from: u32) -> Result<u32, String> {
            Err(format!("{at} of {from}"))
        }

        pub(super) fn double(&mut self) {
            self.n *= 2;
        }
    }
}

/// The program as it is: methods are in another order, one is renamed, one takes other arguments, and the state is larger.
mod newer {
    use actor_core::actor;
    use actor_durable::{CodecError, decode};
    use serde::{Deserialize, Serialize};

    #[derive(Default, Serialize, Deserialize)]
    pub(super) struct Counter {
        pub(super) n: i64,
        pub(super) turns: u32,
    }

    #[actor(durable = "counter", pub(super), version = 2, upcast = older_state)]
    impl Counter {
        pub(super) fn get(&self) -> i64 {
            self.n
        }

        #[was("double()")]
        pub(super) fn twice(&mut self) {
            self.n *= 2;
        }

        pub(super) fn halve(&mut self, from: u32, at: u32) -> Result<u32, String> {
            Err(format!("{at} of {from}"))
        }

        pub(super) fn inc(&mut self, by: i64) -> i64 {
            self.turns += 1;
            self.n += by;
            self.n
        }

        /// As it was when counters were small.
        #[was("inc(by: u32)")]
        pub(super) fn inc_small(&mut self, by: u32) -> u32 {
            u32::try_from(self.inc(by.into())).unwrap_or(u32::MAX)
        }
    }

    fn older_state(version: u32, bytes: &[u8]) -> Result<Counter, CodecError> {
        match version {
            1 => Ok(Counter { n: decode::<u32>("a state", version, bytes)?.into(), turns: 0 }),
            found => Err(CodecError::UnknownVersion { what: "a state", found, known: 2 }),
        }
    }
}

#[test]
fn commands_of_an_older_program_are_read_by_their_names_and_its_state_by_its_version() {
    let mut world = World::new();
    let id = world.run_with(
        |builder| builder.register(older::Counter::durable()),
        async |system| {
            let counter = older::CounterRef::new(system, "c").expect("a good id");
            let id = counter.new_message_id();
            assert_eq!(counter.inc(3).id(id).await.ok(), Some(3));
            id
        },
    );
    // Nobody handles what this process puts into the inbox.
    world.run_with(
        |builder| builder,
        async |system| {
            let counter = older::CounterRef::new(system, "c").expect("a good id");
            counter.inc(4).send().await.expect("it is stored");
            counter.double().send().await.expect("it is stored");
        },
    );
    world.run_with(
        |builder| builder.register(newer::Counter::durable()),
        async |system| {
            let counter = newer::CounterRef::new(system, "c").expect("a good id");
            assert_eq!(counter.get().await.ok(), Some(14));
            // And so are replies.
            assert_eq!(counter.inc_small(3).id(id).await.ok(), Some(3));
        },
    );
}

#[test]
fn a_command_of_a_form_that_is_gone_is_given_up_by_its_name() {
    let mut world = World::new();
    let id = world.run_with(
        |builder| builder,
        async |system| {
            let counter = older::CounterRef::new(system, "c").expect("a good id");
            // Its two numbers have changed places since.
            counter.halve(1, 2).send().await.expect("it is stored")
        },
    );
    world.run_with(
        |builder| builder.register(newer::Counter::durable()),
        async |system| {
            let counter = newer::CounterRef::new(system, "c").expect("a good id");
            assert_eq!(counter.get().await.ok(), Some(0));
            pass(system, Duration::from_secs(60)).await;
            let dead = system.store().dead_letters((*counter).id(), None, 10).await.expect("it is there");
            let [dead] = &dead[..] else { panic!("{dead:?}") };
            assert_eq!(dead.letter.message.id, id);
            assert_eq!(dead.letter.attempts, ATTEMPTS_DEFAULT);
            assert_eq!(
                dead.reason,
                "a command called `halve(at: u32, from: u32)` is unknown to this program"
            );
            // Whoever sends something by its id is not told that it will be handled.
            let again = counter.inc_small(3).id(id).send().await;
            let said = again.expect_err("it is dead").to_string();
            assert_eq!(said, format!("not applied: {id} was handled already"));
        },
    );
}

#[test]
fn a_reply_of_a_form_that_is_gone_is_refused_by_its_name() {
    let mut world = World::new();
    let id: MessageId = world.run_with(
        |builder| builder.register(older::Counter::durable()),
        async |system| {
            let counter = older::CounterRef::new(system, "c").expect("a good id");
            let id = counter.new_message_id();
            counter.inc(3).id(id).await.expect("it is stored");
            id
        },
    );

    world.run_with(
        |builder| builder.register(other::Counter::durable()),
        async |system| {
            let answer = other::CounterRef::new(system, "c").expect("a good id").inc(3).id(id).await;
            let Err(AskError::BadReply(form)) = answer else { panic!("{answer:?}") };
            assert_eq!(form, CodecError::UnknownName { what: "a reply", found: "inc -> u32".to_owned() });
        },
    );
}

/// A program whose reply is of as many bytes.
mod other {
    use actor_core::actor;
    use serde::{Deserialize, Serialize};

    #[derive(Default, Serialize, Deserialize)]
    pub(super) struct Counter {
        n: u32,
    }

    #[actor(durable = "counter", pub(super))]
    impl Counter {
        pub(super) fn inc(&mut self, by: u32) -> i32 {
            self.n += by;
            0
        }
    }
}

#[test]
fn the_forms_are_these_bytes() {
    let bytes = postcard::to_stdvec(&older::CounterCommand::Halve(1, 300)).expect("it has a form");
    assert_eq!(bytes, [&[25], &b"halve(at: u32, from: u32)"[..], &[1, 0xac, 2]].concat());
    let bytes = postcard::to_stdvec(&Ok::<_, older::CounterError>(older::CounterReply::Inc(7)))
        .expect("it has a form");
    assert_eq!(bytes, [&[0, 10], &b"inc -> u32"[..], &[7]].concat());
    // By serde, where one is part of something else.
    let read: older::CounterReply = postcard::from_bytes(&bytes[1..]).expect("it was written here");
    assert!(matches!(read, older::CounterReply::Inc(7)));
    assert!(postcard::from_bytes::<newer::CounterReply>(b"\x06halve!\x01").is_err());
}

#[test]
fn bytes_that_are_no_command_are_refused() {
    type Actor = older::CounterDurable;
    let refused = |version, bytes: &[u8]| {
        let Err(form) = Actor::read_command(version, bytes) else { panic!("it is none") };
        form.to_string()
    };
    assert_eq!(
        refused(1, b""),
        "a command of version 1 cannot be read: Hit the end of buffer, expected more data"
    );
    assert_eq!(refused(1, b"\x04inc!\x01"), "a command called `inc!` is unknown to this program");
    assert_eq!(
        refused(1, b"\x0cinc(by: u32)"),
        "a command of version 1 cannot be read: Hit the end of buffer, expected more data"
    );
    assert_eq!(
        refused(1, b"\x0cinc(by: u32)\x01\x02"),
        "a command of version 1 cannot be read: 1 bytes are left over"
    );
    assert_eq!(
        refused(2, b"\x0cinc(by: u32)\x01"),
        "a command of version 2; this program knows version 1 and those it can convert into it"
    );
    assert!(matches!(Actor::read_reply(b"\x02"), Err(CodecError::Undecodable { .. })));
    assert!(matches!(Actor::read_reply(b""), Err(CodecError::Undecodable { .. })));
}
