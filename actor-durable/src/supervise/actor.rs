//! The supervisor as a durable actor: what is asked and reported goes through the [tree](super::tree), and what that says is
//! stored together with the orders that follow.

use serde::{Deserialize, Serialize};

use super::order::{Order, Report};
use super::spec::{ChildSpec, Failure, SupervisorSpec};
use super::tree::{Input, SupervisorDecision, SupervisorEvent, SupervisorRefusal, SupervisorTree};
use crate::actor::{Decision, Durable, EventSourced};
use crate::codec::encode_body;
use crate::id::{DurableId, Name, Target};
use crate::limits::SUPERVISION_DEPTH_MAX;
use crate::store::{Body, Child, ChildChange, Destination, Headers};
use crate::turn::{Draft, Turn};

/// A supervisor of durable actors, which is a durable actor itself. See [`supervise`](crate::supervise).
#[derive(Clone, Copy, Debug, Default)]
pub struct DurableSupervisor;

/// What a [`DurableSupervisor`] is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SupervisorCommand {
    /// Tells it how to supervise. The first time counts, and the same again changes nothing, so send it whenever a process starts.
    Begin(SupervisorSpec),
    /// Adds a child and starts it. The same again changes nothing.
    SpawnChild(ChildSpec),
    /// Stops a child until it is started: it handles nothing, its messages wait, and its state is kept. See [`Directive::Stop`](super::Directive::Stop).
    StopChild(Name),
    /// Starts a child that was stopped, with the state it has.
    StartChild(Name),
    /// Releases a child that was stopped, by itself or with its supervisor. It then is an actor without a supervisor.
    RemoveChild(Name),
    /// Asks for the tree. A query.
    Tree,
    /// Sent by a child that has failed or ended, not by users.
    Report(Report),
    /// Starts all children again that were not stopped by a command or a decision, and counts restarts anew. That is how a
    /// supervisor goes on that has given up and has no supervisor itself.
    BeginAgain {
        /// Whether with fresh states.
        is_fresh: bool,
    },
    /// Sent by the supervisor of a supervisor, not by users: stop your children.
    Halt,
    /// Sent by the supervisor that gets or releases a supervisor, not by users: start the children that were stopped with you.
    GoOn,
    /// Sent by the supervisor of a supervisor, not by users: start your children.
    BeginBelow {
        /// Whether with fresh states.
        is_fresh: bool,
        /// How many supervisors have started their children for it.
        depth: u32,
    },
}

/// What a [`DurableSupervisor`] answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SupervisorReply {
    /// It is done, or was already.
    Done,
    /// What was decided upon a report.
    Decided(SupervisorDecision),
    /// The answer to [`SupervisorCommand::Tree`].
    Tree(Box<SupervisorTree>),
}

impl Durable for DurableSupervisor {
    const TYPE: &'static str = "actor-durable-supervisor";
    type State = SupervisorTree;
    type Command = SupervisorCommand;
    type Reply = SupervisorReply;
    type Error = SupervisorRefusal;

    fn create(&self, _: &DurableId) -> SupervisorTree {
        SupervisorTree::default()
    }

    fn is_query(command: &SupervisorCommand) -> bool {
        matches!(command, SupervisorCommand::Tree)
    }
}

impl EventSourced for DurableSupervisor {
    type Event = SupervisorEvent;

    async fn decide(
        &self,
        command: SupervisorCommand,
        tree: &SupervisorTree,
        turn: &mut Turn<'_, Self>,
    ) -> Result<Decision<SupervisorEvent, SupervisorReply>, SupervisorRefusal> {
        check(&command, turn)?;
        let depth = if let SupervisorCommand::BeginBelow { depth, .. } = command { depth } else { 0 };
        let input = match command {
            SupervisorCommand::Begin(spec) => Input::Begin(spec),
            SupervisorCommand::SpawnChild(spec) => Input::Spawn(spec),
            SupervisorCommand::StopChild(child) => Input::Stop(child),
            SupervisorCommand::StartChild(child) => Input::Start(child),
            SupervisorCommand::RemoveChild(child) => Input::Remove(child),
            SupervisorCommand::Tree => {
                return Ok(Decision::reply(SupervisorReply::Tree(tree.clone().into())));
            }
            SupervisorCommand::Report(report) => Input::Report(report),
            SupervisorCommand::BeginAgain { is_fresh } | SupervisorCommand::BeginBelow { is_fresh, .. } => {
                Input::BeginAgain { is_fresh }
            }
            SupervisorCommand::Halt => Input::Halt,
            SupervisorCommand::GoOn => Input::GoOn,
        };
        let Some(event) = tree.decide(input, turn.clock())? else {
            return Ok(Decision::reply(SupervisorReply::Done));
        };
        for (to, order) in tree.orders(&event) {
            send(turn, to, &order, depth);
        }
        record(turn, tree, &event);
        let reply = match &event {
            SupervisorEvent::Decided { report, decision, .. } => {
                if *decision == SupervisorDecision::Escalate {
                    let text = report.failure().map_or("it ended too often", Failure::text);
                    turn.fail(format!("the child {}: {text}", report.child()));
                }
                SupervisorReply::Decided(*decision)
            }
            _ => SupervisorReply::Done,
        };
        Ok(Decision::reply(reply).event(event))
    }

    fn apply(&self, tree: &mut SupervisorTree, event: &SupervisorEvent) {
        tree.apply(event);
    }
}

/// Refuses what no supervisor may be asked, and what this one may not be asked by whoever asks, whatever its tree is.
fn check(command: &SupervisorCommand, turn: &Turn<'_, DurableSupervisor>) -> Result<(), SupervisorRefusal> {
    match command {
        SupervisorCommand::BeginBelow { .. } | SupervisorCommand::Halt | SupervisorCommand::GoOn
            if turn.is_from_another() =>
        {
            Err(SupervisorRefusal::NotAbove)
        }
        SupervisorCommand::BeginBelow { depth, .. } if *depth > SUPERVISION_DEPTH_MAX => {
            Err(SupervisorRefusal::TooDeep)
        }
        SupervisorCommand::SpawnChild(spec) if spec.target.id == *turn.id() => {
            Err(SupervisorRefusal::Itself(spec.name.clone()))
        }
        _ => Ok(()),
    }
}

/// An order leaves with the turn. To a child that is a supervisor it is two: it keeps its own children, so what they are to do
/// is for it to say. `depth` is how many supervisors have started their children before, for what this one does.
fn send(turn: &mut Turn<'_, DurableSupervisor>, to: Target, order: &Order, depth: u32) {
    let (since, is_supervisor) = (turn.created_at(), to.actor_type.as_str() == DurableSupervisor::TYPE);
    match order {
        Order::Start { child, life, is_fresh } if is_supervisor => {
            let start = Order::Start { child: child.clone(), life: *life, is_fresh: false };
            push(turn, start.draft(to.clone(), since));
            push(turn, command(to, &SupervisorCommand::BeginBelow { is_fresh: *is_fresh, depth: depth + 1 }));
        }
        Order::Halt { .. } if is_supervisor => {
            push(turn, command(to.clone(), &SupervisorCommand::Halt));
            push(turn, order.draft(to, since));
        }
        Order::Adopt { .. } | Order::Release if is_supervisor => {
            push(turn, order.draft(to.clone(), since));
            push(turn, command(to, &SupervisorCommand::GoOn));
        }
        order => push(turn, order.draft(to, since)),
    }
}

fn command(to: Target, command: &SupervisorCommand) -> Result<Draft, crate::CodecError> {
    let body = encode_body("a command", DurableSupervisor::COMMAND_VERSION, command)?;
    Ok(Draft { to: Destination::Actor(to), id: None, reply_to: None, body, headers: Headers::new() })
}

fn push(turn: &mut Turn<'_, DurableSupervisor>, draft: Result<Draft, crate::CodecError>) {
    turn.asked_mut().sends.push(draft.expect("orders and commands are plain data, which can be encoded"));
}

/// The children that are up are recorded, so that they come back with the supervisor.
fn record(turn: &mut Turn<'_, DurableSupervisor>, before: &SupervisorTree, event: &SupervisorEvent) {
    let mut after = before.clone();
    after.apply(event);
    let is_in = |tree: &SupervisorTree, name: &Name| tree.active().any(|spec| spec.name == *name);
    let gone = before.active().filter(|spec| !is_in(&after, &spec.name));
    let gone = gone.map(|spec| ChildChange::Remove(spec.name.clone()));
    let come = after.active().filter(|spec| !is_in(before, &spec.name)).map(|spec| {
        let (name, target) = (spec.name.clone(), spec.target.clone());
        ChildChange::Add(Child { name, target, body: Body::default() })
    });
    turn.asked_mut().children.extend(gone.chain(come));
}
