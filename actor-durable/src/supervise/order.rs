//! What a durable supervisor and its children tell each other, and what a child keeps of that. All of it goes by outboxes and
//! inboxes, so it is told once, whoever ends meanwhile.

use serde::{Deserialize, Serialize};

use super::actor::{DurableSupervisor, SupervisorCommand};
use super::spec::Failure;
use crate::actor::Durable;
use crate::codec::{CodecError, decode, encode, encode_body, unknown};
use crate::id::{DurableId, MessageId, Name, Target, WallTime};
use crate::store::{Body, Child, ChildChange, Destination, Head, Headers, Message, ORDER, Outgoing};
use crate::turn::{Draft, SUPERVISOR, is_reserved};

/// What a supervisor tells a child, in a message with the [header](ORDER) of orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Order {
    /// You are my child of this name, and begin this life.
    Adopt { child: Name, life: u64 },
    /// Child of this name, begin this life.
    Start { child: Name, life: u64, is_fresh: bool },
    /// Child of this name, do nothing until you are started.
    Halt { child: Name },
    /// End for good.
    End,
    /// You are not my child any more.
    Release,
}

/// A supervisor, and no other one that is called so before or after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Giver {
    pub(crate) id: DurableId,
    /// When the store first heard of it.
    pub(crate) since: WallTime,
}

/// The version of an order's encoding, which begins with since when its giver has been there.
const VERSION: u32 = 2;

/// How errors call an order.
const ORDER_TEXT: &str = "an order";

/// The version of [`Standing`]'s encoding.
const STANDING_VERSION: u32 = 2;

impl Order {
    /// The message with it. `since` is when the store first heard of the supervisor that gives it.
    pub(crate) fn draft(&self, to: Target, since: WallTime) -> Result<Draft, CodecError> {
        let body = encode_body(ORDER_TEXT, VERSION, &(since, self))?;
        let headers = Headers::from([(ORDER.to_owned(), String::new())]);
        Ok(Draft { to: Destination::Actor(to), id: None, reply_to: None, body, headers })
    }

    /// Whether the child begins a life with it.
    pub(crate) fn is_beginning(&self) -> bool {
        matches!(self, Self::Adopt { .. } | Self::Start { .. })
    }

    /// The report to a supervisor whose order to begin a life cannot be delivered: that the child cannot be activated. Nobody waits
    /// for other orders to arrive.
    pub(crate) fn undelivered(
        supervisor: &Target,
        order: &Outgoing,
        reason: &str,
        now: WallTime,
    ) -> Option<Message> {
        let Destination::Actor(to) = &order.to else { return None };
        if !order.headers.contains_key(ORDER) {
            return None;
        }
        let (child, life) = match read(&order.body).ok()?.1 {
            Self::Adopt { child, life } | Self::Start { child, life, .. } => (child, life),
            Self::Halt { .. } | Self::End | Self::Release => return None,
        };
        let what = What::OutOfReach(Failure::NotActivated(reason.to_owned()).short());
        let command = SupervisorCommand::Report(Report { child, life, what });
        let body = encode_body("a command", DurableSupervisor::COMMAND_VERSION, &command).ok()?;
        let id = MessageId::hashed(order.id.made(), &[b"undelivered", &order.id.to_bytes()]);
        let (to, from, headers) = (supervisor.clone(), Some(to.id.clone()), Headers::new());
        Some(Message { to, id, from, reply_to: None, sent_at: now, body, headers })
    }

    /// The order in a message, if it is one, and the supervisor that it is from.
    pub(crate) fn of(message: &Message) -> Option<Result<(Giver, Self), CodecError>> {
        let id = message.from.clone().filter(|_| message.is_order())?;
        Some(read(&message.body).map(|(since, order)| (Giver { id, since }, order)))
    }
}

fn read(Body { version, bytes }: &Body) -> Result<(WallTime, Order), CodecError> {
    match *version {
        VERSION => decode(ORDER_TEXT, VERSION, bytes),
        found => unknown(ORDER_TEXT, found, VERSION),
    }
}

/// What a child tells its supervisor when it has failed or ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub(crate) child: Name,
    pub(crate) life: u64,
    pub(crate) what: What,
}

impl Report {
    /// The supervisor's name for the child.
    pub fn child(&self) -> &Name {
        &self.child
    }

    /// How it failed; `None` if it has ended by itself.
    pub fn failure(&self) -> Option<&Failure> {
        match &self.what {
            What::Failed(failure) | What::FailedAgain(failure) | What::OutOfReach(failure) => Some(failure),
            What::Ended => None,
        }
    }

    /// Whether it failed at a message that it had tried before. That does not use up the intensity: the attempts at a message are
    /// counted, and come to an end.
    pub fn is_repeated(&self) -> bool {
        matches!(self.what, What::FailedAgain(_))
    }

    /// Whether no order of this supervisor starts it: it has ended for good, is of another type, has another supervisor,
    /// or has no room for an order. So it is stopped where it would be started again.
    pub fn is_out_of_reach(&self) -> bool {
        matches!(self.what, What::OutOfReach(_))
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// It failed, and does nothing more in this life.
    Failed(Failure),
    /// It wants to end.
    Ended,
    /// It failed at a message that it had tried before, and does nothing more in this life.
    FailedAgain(Failure),
    /// It does not begin this life, and no other one for as long as things are as they are.
    OutOfReach(Failure),
}

/// A child's relation to its supervisor. It is kept as a row among the child's own children, so that stores need not know of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) supervisor: Target,
    pub(crate) kept: KeptStanding,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptStanding {
    pub(crate) child: Name,
    pub(crate) life: u64,
    pub(crate) stage: Stage,
    /// Whether its first turn was.
    pub(crate) has_started: bool,
    /// When the store first heard of the supervisor, as another one may be called so later. Earlier versions did not keep it.
    pub(crate) supervised_since: Option<WallTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Stage {
    Up,
    /// It has failed, or wants to end, and said so.
    Reported,
    Halted,
    /// It was released before its first turn, which it is still to have. Nobody supervises it.
    Released,
}

impl Standing {
    /// Finds it among the rows of an actor's children.
    pub(crate) fn of(children: &[Child]) -> Result<Option<Self>, CodecError> {
        let Some(row) = children.iter().find(|child| is_reserved(child.name.as_str())) else {
            return Ok(None);
        };
        let (what, Body { version, bytes }) = ("a child's standing", &row.body);
        let kept = match *version {
            1 => {
                let (child, life, stage, has_started) = decode(what, 1, bytes)?;
                KeptStanding { child, life, stage, has_started, supervised_since: None }
            }
            STANDING_VERSION => decode(what, STANDING_VERSION, bytes)?,
            found => return unknown(what, found, STANDING_VERSION),
        };
        Ok(Some(Self { supervisor: row.target.clone(), kept }))
    }

    /// Of a child that was adopted.
    pub(crate) fn adopted(by: Giver, child: Name, life: u64, has_started: bool) -> Option<Self> {
        let actor_type = crate::ActorType::new(DurableSupervisor::TYPE).ok()?;
        let supervised_since = Some(by.since);
        let kept = KeptStanding { child, life, stage: Stage::Up, has_started, supervised_since };
        Some(Self { supervisor: Target { id: by.id, actor_type }, kept })
    }

    /// Who may say what is to become of the child.
    pub(crate) fn supervisor(&self) -> Option<&DurableId> {
        (!self.is_released()).then_some(&self.supervisor.id)
    }

    /// Whether a supervisor is its own.
    pub(crate) fn is_of(&self, giver: &Giver) -> bool {
        let is_same = self.kept.supervised_since.is_none_or(|since| since == giver.since);
        is_same && self.supervisor.id == giver.id
    }

    /// Whether its supervisor may yet say something. `head` is that of whoever is called so, if there is one.
    pub(crate) fn is_supervised_by(&self, head: Option<&Head>) -> bool {
        head.is_some_and(|head| {
            let is_same = self.kept.supervised_since.is_none_or(|since| since == head.created_at);
            is_same && !head.has_ended && head.target == self.supervisor
        })
    }

    pub(crate) fn is_up(&self) -> bool {
        matches!(self.kept.stage, Stage::Up | Stage::Released)
    }

    /// What is left of it when the supervisor lets go of the child: that it has not had its first turn, if it has not.
    pub(crate) fn released(mut self) -> Option<Self> {
        self.kept.stage = Stage::Released;
        (!self.kept.has_started).then_some(self)
    }

    pub(crate) fn is_released(&self) -> bool {
        self.kept.stage == Stage::Released
    }

    /// The change that stores it.
    pub(crate) fn change(&self) -> Result<ChildChange, CodecError> {
        let body = Body { version: STANDING_VERSION, bytes: encode("a child's standing", &self.kept)? };
        let name = reserved()?;
        Ok(ChildChange::Add(Child { name, target: self.supervisor.clone(), body }))
    }

    /// The change that removes it.
    pub(crate) fn removal() -> Result<ChildChange, CodecError> {
        Ok(ChildChange::Remove(reserved()?))
    }

    /// The report to the supervisor. Its id is made of the child and its life, so there is one decision upon it.
    pub(crate) fn report(&self, actor: &DurableId, what: What, clock: WallTime) -> Result<Draft, CodecError> {
        let KeptStanding { child, life, .. } = self.kept.clone();
        let id = MessageId::hashed(clock, &[b"report", actor.as_str().as_bytes(), &life.to_le_bytes()]);
        let command = SupervisorCommand::Report(Report { child, life, what });
        let body = encode_body("a command", DurableSupervisor::COMMAND_VERSION, &command)?;
        let to = Destination::Actor(self.supervisor.clone());
        Ok(Draft { to, id: Some(id), reply_to: None, body, headers: Headers::new() })
    }
}

fn reserved() -> Result<Name, CodecError> {
    let unencodable = |error: crate::BadName| CodecError::Unencodable {
        what: "a child's standing",
        why: error.to_string(),
    };
    Name::new(SUPERVISOR).map_err(unencodable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Epoch, Sequence};
    use crate::store::OutboxPosition;

    fn target(id: &str) -> Target {
        let actor_type = crate::ActorType::new(DurableSupervisor::TYPE).expect("a good name");
        Target { id: DurableId::new(id).expect("a good id"), actor_type }
    }

    fn outgoing(order: &Order) -> Outgoing {
        let Draft { to, body, headers, .. } =
            order.draft(target("child"), WallTime::ZERO).expect("it can be written");
        let position = OutboxPosition { sequence: Sequence(1), index: 0 };
        let (id, sent_at) = (MessageId::new(WallTime::ZERO, 7), WallTime::ZERO);
        Outgoing { position, to, id, reply_to: None, sent_at, body, headers }
    }

    #[test]
    fn a_standing_of_an_earlier_version_is_read_and_its_supervisor_is_whoever_is_called_so() {
        let name = || Name::new("c").expect("a good name");
        let earlier =
            encode("a child's standing", &(name(), 7_u64, Stage::Halted, true)).expect("it can be written");
        let row = |version, bytes| Child {
            name: reserved().expect("a good name"),
            target: target("s"),
            body: Body { version, bytes },
        };
        let standing = Standing::of(&[row(1, earlier.clone())]).expect("it is known").expect("it is there");
        let (stage, supervised_since) = (Stage::Halted, None);
        let kept = KeptStanding { child: name(), life: 7, stage, has_started: true, supervised_since };
        assert_eq!(standing, Standing { supervisor: target("s"), kept });
        assert!(Standing::of(&[row(3, earlier)]).is_err(), "it is of a later one");
        let head = |created_at| Head::new(target("s"), Epoch::ZERO, WallTime::from_millis(created_at));
        assert!(standing.is_supervised_by(Some(&head(1))) && !standing.is_supervised_by(None));
        let giver = |id: &str, since| Giver { id: target(id).id, since: WallTime::from_millis(since) };
        let is_of = |standing: &Standing, id, since| standing.is_of(&giver(id, since));
        assert!(is_of(&standing, "s", 1) && is_of(&standing, "s", 2) && !is_of(&standing, "t", 1));
        let known = Standing::adopted(giver("s", 1), name(), 7, true).expect("a good name");
        assert!(is_of(&known, "s", 1) && !is_of(&known, "s", 2) && !is_of(&known, "t", 1));
        assert!(known.is_supervised_by(Some(&head(1))) && !known.is_supervised_by(Some(&head(2))));
        assert!(!known.is_supervised_by(Some(&Head { has_ended: true, ..head(1) })));
    }

    #[test]
    fn an_order_of_another_version_is_refused_by_it() {
        let sent = outgoing(&Order::End);
        let (to, from, headers) = (target("child"), Some(target("s").id), sent.headers);
        let message = |version| Message {
            to: to.clone(),
            id: sent.id,
            from: from.clone(),
            reply_to: None,
            sent_at: WallTime::ZERO,
            body: Body { version, ..sent.body.clone() },
            headers: headers.clone(),
        };
        let giver = Giver { id: target("s").id, since: WallTime::ZERO };
        assert_eq!(Order::of(&message(VERSION)), Some(Ok((giver, Order::End))));
        for found in [1, 3] {
            let unknown = CodecError::UnknownVersion { what: "an order", found, known: VERSION };
            assert_eq!(Order::of(&message(found)), Some(Err(unknown)));
        }
    }

    #[test]
    fn a_supervisor_is_told_of_a_life_that_does_not_begin_and_of_no_other_order() {
        let child = Name::new("c").expect("a good name");
        let told = |order: &Outgoing| Order::undelivered(&target("s"), order, "no", WallTime::ZERO).is_some();
        let begins = [
            Order::Adopt { child: child.clone(), life: 1 },
            Order::Start { child: child.clone(), life: 2, is_fresh: true },
        ];
        for order in &begins {
            assert!(order.is_beginning() && told(&outgoing(order)));
            // Whatever has the same bytes by chance is no order.
            assert!(!told(&Outgoing { headers: Headers::new(), ..outgoing(order) }));
        }
        for order in [Order::Halt { child }, Order::End, Order::Release] {
            assert!(!order.is_beginning() && !told(&outgoing(&order)));
        }
    }
}
