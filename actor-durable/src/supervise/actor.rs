//! The supervisor as a durable actor: what is asked and reported goes through the [tree](super::tree), and what that says is
//! stored together with the orders that follow.

use serde::{Deserialize, Serialize};

use super::order::{Order, Report};
use super::spec::{ChildSpec, Failure, SupervisorSpec};
use super::tree::{Input, SupervisorDecision, SupervisorEvent, SupervisorRefusal, SupervisorTree};
use crate::actor::{Decision, Durable, EventSourced};
use crate::form::encode_body;
use crate::id::{DurableId, Name, Target};
use crate::store::{Body, Child, ChildChange, Destination, Headers};
use crate::turn::{Draft, Turn};

/// A supervisor whose children are durable actors, and that is one itself. See [`supervise`](crate::supervise).
#[derive(Clone, Copy, Debug, Default)]
pub struct DurableSupervisor;

/// What a [`DurableSupervisor`] is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SupervisorCommand {
    /// Has it begin. The first counts; the same again changes nothing, so whoever starts a process asks this each time.
    Begin(SupervisorSpec),
    /// Adds a child and starts it. The same again changes nothing.
    SpawnChild(ChildSpec),
    /// Stops a child until it is started: it is not in memory for anybody, its messages wait, and its state is kept.
    StopChild(Name),
    /// Starts a child that was stopped, with the state it has.
    StartChild(Name),
    /// Lets a child go that was stopped: from then on it is an actor without supervisor.
    RemoveChild(Name),
    /// How the tree is. A query.
    Tree,
    /// What a child tells, by itself. Users do not send it.
    Report(Report),
    /// What a supervisor tells one that is its child. Users do not send it.
    BeginAgain {
        /// Whether its children are to begin afresh.
        is_fresh: bool,
    },
    /// What a supervisor tells one that is its child. Users do not send it.
    Halt,
}

/// What a [`DurableSupervisor`] answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SupervisorReply {
    /// It is so.
    Done,
    /// To a report.
    Decided(SupervisorDecision),
    /// To [`SupervisorCommand::Tree`].
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
            SupervisorCommand::BeginAgain { is_fresh } => Input::BeginAgain { is_fresh },
            SupervisorCommand::Halt => Input::Halt,
        };
        let Some(event) = tree.decide(input, turn.clock())? else {
            return Ok(Decision::reply(SupervisorReply::Done));
        };
        for (to, order) in tree.orders(&event) {
            send(turn, to, &order);
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

/// An order leaves with the turn. To a child that is a supervisor it is two: it keeps its own children, so what they are to do
/// is for it to say.
fn send(turn: &mut Turn<'_, DurableSupervisor>, to: Target, order: &Order) {
    let is_supervisor = to.actor_type.as_str() == DurableSupervisor::TYPE;
    match order {
        Order::Start { child, life, is_fresh } if is_supervisor => {
            let start = Order::Start { child: child.clone(), life: *life, is_fresh: false };
            push(turn, start.draft(to.clone()));
            push(turn, command(to, &SupervisorCommand::BeginAgain { is_fresh: *is_fresh }));
        }
        Order::Halt if is_supervisor => {
            push(turn, command(to.clone(), &SupervisorCommand::Halt));
            push(turn, order.draft(to));
        }
        order => push(turn, order.draft(to)),
    }
}

fn command(to: Target, command: &SupervisorCommand) -> Result<Draft, crate::BadForm> {
    let body = encode_body("a command", DurableSupervisor::COMMAND_VERSION, command)?;
    Ok(Draft { to: Destination::Actor(to), id: None, reply_to: None, body, headers: Headers::new() })
}

fn push(turn: &mut Turn<'_, DurableSupervisor>, draft: Result<Draft, crate::BadForm>) {
    // They are plain data: there is no value of theirs that has no form.
    turn.asked_mut().sends.push(draft.expect("an order has a form"));
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
