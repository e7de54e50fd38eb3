//! `#[actor(durable)]`: a plain struct is what a durable actor keeps, and its methods are its commands.

mod forms;

use std::time::Duration;

use actor_core::{ActorError, actor};
use actor_durable::{
    Answer, AskError, CodecError, Doubt, Durability, Durable, DurableBuilder, DurableId, MessageId,
    NotApplied, Turn, WallTime,
};
use serde::{Deserialize, Serialize};

use crate::stage::{World, pass};

/// Money, and how often which hook ran.
#[derive(Debug, Serialize, Deserialize)]
struct Purse {
    owner: String,
    money: i64,
    starts: u32,
    #[serde(skip)]
    recoveries: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[error("{missing} is missing")]
struct Poor {
    missing: i64,
}

#[actor(durable = "purse", idle = Duration::from_secs(60), remembered = 50, derive(Clone, Debug, PartialEq))]
impl Purse {
    #[init]
    fn of(id: &DurableId) -> Self {
        Self { owner: id.to_string(), money: 0, starts: 0, recoveries: 0 }
    }

    #[started]
    async fn start(&mut self, turn: &mut Turn<'_, PurseDurable>) -> Result<(), ActorError> {
        assert_eq!(turn.id().as_str(), self.owner);
        self.starts += 1;
        Ok(())
    }

    #[recovered]
    fn recover(&mut self, id: &DurableId) {
        assert_eq!(id.as_str(), self.owner);
        self.recoveries += 1;
    }

    fn add(&mut self, money: i64) -> i64 {
        self.money += money;
        self.money
    }

    /// Takes the money first, and then sees that there is not so much.
    async fn take(&mut self, money: i64) -> Result<i64, Poor> {
        self.money -= money;
        if self.money < 0 { Err(Poor { missing: -self.money }) } else { Ok(self.money) }
    }

    fn money(&self) -> i64 {
        self.money
    }

    fn hooks(&self) -> (u32, u32) {
        (self.starts, self.recoveries)
    }

    fn add_at(&mut self, turn: &mut Turn<'_, PurseDurable>, due: WallTime, money: i64) {
        turn.remind("later", due, &PurseCommand::Add(money)).expect("a good name");
    }

    #[cfg(any())]
    fn never(&self) -> Never {}
}

#[derive(Default, Serialize, Deserialize)]
struct Lamp {
    is_on: bool,
}

#[actor(durable, durability = WriteBack(Duration::from_secs(1)))]
impl Lamp {
    fn switch(&mut self) -> bool {
        self.is_on = !self.is_on;
        self.is_on
    }
}

#[derive(Default, Serialize, Deserialize)]
struct Whisper {
    words: Vec<String>,
}

#[actor(durable, durability = Volatile)]
impl Whisper {
    fn say(&mut self, first: String, second: String) -> usize {
        self.words.extend([first, second]);
        self.words.len()
    }
}

/// Wants to know how much is in a purse.
#[derive(Default, Serialize, Deserialize)]
struct Heir {
    heard: Vec<(String, i64)>,
}

#[actor(durable)]
impl Heir {
    fn ask(&mut self, turn: &mut Turn<'_, HeirDurable>, whose: String) {
        turn.ask::<PurseDurable>(&whose, &whose, &PurseCommand::Money()).expect("a good name");
    }

    #[answer]
    fn answer(answer: &Answer<'_>) -> Result<HeirCommand, CodecError> {
        let Ok(PurseReply::Money(money)) = answer.reply::<PurseDurable>() else { panic!("it says how much") };
        Ok(HeirCommand::Hear(answer.name().to_owned(), money))
    }

    fn hear(&mut self, whose: String, money: i64) {
        self.heard.push((whose, money));
    }

    fn heard(&self) -> Vec<(String, i64)> {
        self.heard.clone()
    }
}

fn register(builder: DurableBuilder) -> DurableBuilder {
    let builder = builder.register(Heir::durable());
    builder.register(Purse::durable()).register(Lamp::durable()).register(Whisper::durable())
}

#[test]
fn the_state_survives_and_each_hook_runs_when_it_should() {
    let mut world = World::new();
    for round in 1..=3 {
        world.run_with(register, async |system| {
            let purse = PurseRef::new(system, "anna").expect("a good id");
            assert_eq!(purse.add(5).await.ok(), Some(5 * round));
            assert_eq!(purse.hooks().await.ok(), Some((1, 1)));
        });
    }
}

#[test]
fn an_answer_comes_as_the_command_that_is_made_of_it() {
    let mut world = World::new();
    world.run_with(register, async |system| {
        PurseRef::new(system, "anna").expect("a good id").add(5).await.expect("it is stored");
        let heir = HeirRef::new(system, "ben").expect("a good id");
        heir.ask("anna".to_owned()).await.expect("it is stored");
        pass(system, Duration::from_millis(1)).await;
        assert_eq!(heir.heard().await.ok(), Some(vec![("anna".to_owned(), 5)]));
    });
}

#[test]
fn a_refusal_has_the_methods_own_type_and_leaves_the_state_as_it_was() {
    let mut world = World::new();
    world.run_with(register, async |system| {
        let purse = PurseRef::new(system, "anna").expect("a good id");
        purse.add(5).await.expect("it is stored");
        let id = purse.new_message_id();
        for _ in 0..2 {
            let refused = purse.take(8).id(id).await;
            assert!(matches!(refused, Err(AskError::Refused(Poor { missing: 3 }))), "{refused:?}");
            assert_eq!(purse.money().await.ok(), Some(5));
        }
        assert_eq!(purse.take(4).await.ok(), Some(1));
    });
    world.run_with(register, async |system| {
        assert_eq!(PurseRef::new(system, "anna").expect("a good id").money().await.ok(), Some(1));
    });
}

#[test]
fn the_same_id_has_one_effect_and_one_reply_of_its_own_method() {
    let mut world = World::new();
    let id = world.run_with(register, async |system| {
        let purse = PurseRef::new(system, "anna").expect("a good id");
        let id = purse.new_message_id();
        assert_eq!(purse.add(5).id(id).await.ok(), Some(5));
        id
    });
    world.run_with(register, async |system| {
        let purse = PurseRef::new(system, "anna").expect("a good id");
        assert_eq!(purse.add(5).id(id).await.ok(), Some(5));
        // The id is that of an addition, whatever is asked by it.
        let Err(error) = purse.take(1).id(id).await else { panic!("it was an addition") };
        assert_eq!(
            error.to_string(),
            "applied, but the reply is unreadable: a reply of version 1 cannot be read: it answers another \
             command, which had this id before"
        );
        assert_eq!(purse.money().await.ok(), Some(5));
    });
}

#[test]
fn a_method_that_only_looks_is_not_stored() {
    let mut world = World::new();
    world.run_with(register, async |system| {
        let purse = PurseRef::new(system, "anna").expect("a good id");
        let id = purse.new_message_id();
        assert_eq!(purse.money().id(id).await.ok(), Some(0));
        purse.add(5).await.expect("it is stored");
        // It is not remembered, so it looks again.
        assert_eq!(purse.money().id(id).await.ok(), Some(5));
        assert_eq!(system.store().reply((*purse).id(), id).await.ok(), Some(None));
    });
}

#[test]
fn what_is_sent_is_handled_once_and_answered_by_its_id() {
    let mut world = World::new();
    world.run_with(register, async |system| {
        let purse = PurseRef::new(system, "anna").expect("a good id");
        let id = purse.add(5).timeout(Duration::from_secs(1)).send().await.expect("it is stored");
        assert_eq!(purse.add(5).id(id).send().await.ok(), Some(id));
        pass(system, Duration::from_secs(1)).await;
        assert_eq!(purse.add(5).id(id).await.ok(), Some(5));
        let whisper = WhisperRef::new(system, "w").expect("a good id");
        let refused = whisper.say("a".to_owned(), "b".to_owned()).send().await;
        assert!(matches!(refused, Err(AskError::NotApplied(NotApplied::Volatile))), "{refused:?}");
    });
}

#[test]
fn what_is_sent_by_an_id_that_was_forgotten_is_unknown_and_what_has_none_is_accepted() {
    let mut world = World::new();
    world.run_with(register, async |system| {
        let purse = PurseRef::new(system, "anna").expect("a good id");
        let id = purse.new_message_id();
        assert_eq!(purse.add(5).id(id).await.ok(), Some(5));
        // It remembers 50; these are of a clock that is ahead.
        let ahead = id.made().after(Duration::from_secs(100));
        for n in 0..51 {
            purse.add(0).id(MessageId::new(ahead, n)).await.expect("it is stored");
        }
        let again = purse.add(5).id(id).send().await;
        assert!(matches!(again, Err(AskError::Unknown { why: Doubt::Forgotten(_), .. })), "{again:?}");
        let new = purse.add(7).send().await.expect("it is nowhere else");
        pass(system, Duration::from_secs(1)).await;
        assert_eq!(purse.money().await.ok(), Some(12));
        assert_eq!(purse.add(7).id(new).await.ok(), Some(12), "it was sent by this");
    });
}

#[test]
fn a_turn_reminds_by_a_command() {
    let mut world = World::new();
    world.run_with(register, async |system| {
        let purse = PurseRef::new(system, "anna").expect("a good id");
        let due = WallTime::from_unix(system.executor().unix_time()).after(Duration::from_secs(30));
        purse.add_at(due, 7).await.expect("it is stored");
        assert_eq!(purse.money().await.ok(), Some(0));
        pass(system, Duration::from_secs(40)).await;
        assert_eq!(purse.money().await.ok(), Some(7));
    });
}

#[test]
fn options_are_what_the_actor_says_of_itself() {
    assert_eq!(PurseDurable::TYPE, "purse");
    assert_eq!(PurseDurable::DURABILITY, Durability::WriteThrough);
    assert_eq!(PurseDurable::IDLE_MAX, Some(Duration::from_secs(60)));
    assert_eq!(PurseDurable::REMEMBERED, 50);
    assert_eq!(LampDurable::TYPE, "Lamp");
    assert_eq!(LampDurable::DURABILITY, Durability::WriteBack(Duration::from_secs(1)));
    assert_eq!(WhisperDurable::DURABILITY, Durability::Volatile);
    let mut world = World::new();
    world.run_with(register, async |system| {
        let lamp = LampRef::new(system, "l").expect("a good id");
        assert_eq!(lamp.switch().await.ok(), Some(true));
        let whisper = WhisperRef::new(system, "w").expect("a good id");
        assert_eq!(whisper.say("a".to_owned(), "b".to_owned()).await.ok(), Some(2));
    });
}

#[test]
fn the_methods_are_called_directly_where_no_actor_is_wanted() {
    let mut purse = Purse { owner: "anna".to_owned(), money: 0, starts: 0, recoveries: 0 };
    assert_eq!(purse.add(3), 3);
    assert_eq!(purse.money(), 3);
}
