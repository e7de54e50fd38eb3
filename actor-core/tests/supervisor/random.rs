//! Random trees and random exits against a naive model of the rules: it knows no tasks,
//! messages or orders, only who is there afterwards and how often it was started again.

use std::collections::VecDeque;
use std::time::Duration;

use actor_core::{
    ActorCell, ActorRef, ChildSpec, ChildState, Exit, Instant, Intensity, Restart, Strategy, Supervisor,
    SupervisorBuilder, SupervisorMessage, SupervisorRef,
};
use actor_testkit::{Order, Simulation};

use super::family::{Ask, Cradle, Diary, MS, Movable};

const IDS: [&str; 4] = ["0", "1", "2", "3"];
const DEPTH_MAX: u32 = 3;

const TREES: u64 = 10_000;

#[test]
fn c11_random_trees_obey_the_rules() {
    for seed in 0..TREES {
        let order = if seed % 2 == 0 { Order::Fifo } else { Order::Seeded(seed) };
        let mut simulation = Simulation::new(order);
        let cradle = Movable::new(simulation.system());
        simulation.block_on(play(cradle, seed));
    }
}

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is below a usize")
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

/// What a tree is made from.
#[derive(Clone, Debug)]
enum Plan {
    Leaf,
    Branch(Branch),
}

#[derive(Clone, Debug)]
struct Branch {
    strategy: Strategy,
    intensity: Intensity,
    children: Vec<(Restart, Plan)>,
}

impl Branch {
    fn random(random: &mut Random, depth: u32) -> Self {
        let count = 1 + random.below(IDS.len());
        let child = |random: &mut Random| {
            let restart = random.pick(&[Restart::Permanent, Restart::Transient, Restart::Temporary]);
            let is_branch = depth < DEPTH_MAX && random.below(3) == 0;
            let plan = if is_branch { Plan::Branch(Self::random(random, depth + 1)) } else { Plan::Leaf };
            (restart, plan)
        };
        Self {
            strategy: random.pick(&[Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne]),
            intensity: Intensity {
                restarts: u32::try_from(random.below(4)).expect("below four"),
                window: Duration::from_millis(random.pick(&[50, 500])),
            },
            children: (0..count).map(|_| child(random)).collect(),
        }
    }

    fn builder(&self, cradle: &Movable) -> SupervisorBuilder {
        let builder = Supervisor::builder().strategy(self.strategy).intensity(self.intensity);
        self.children.iter().zip(IDS).fold(builder, |builder, ((restart, plan), id)| match plan {
            Plan::Leaf => builder.child(cradle.kid(id, &Diary::default()).restart(*restart)),
            Plan::Branch(branch) => builder.child(branch.spec(id, cradle).restart(*restart)),
        })
    }

    fn spec(&self, id: &str, cradle: &Movable) -> ChildSpec<SupervisorMessage> {
        let (branch, maker) = (self.clone(), cradle.clone());
        cradle.spec(id, move || (Supervisor, branch.builder(&maker)))
    }
}

/// The naive model of one supervisor.
struct Model {
    plan: Branch,
    children: Vec<Member>,
    restarts: VecDeque<Instant>,
}

struct Member {
    id: &'static str,
    restart: Restart,
    restarts: u64,
    /// None when it is over; of a leaf there is nothing more to know.
    life: Option<Life>,
}

enum Life {
    Leaf,
    Branch(Box<Model>),
}

impl Life {
    fn new(plan: &Plan) -> Self {
        match plan {
            Plan::Leaf => Self::Leaf,
            Plan::Branch(branch) => Self::Branch(Box::new(Model::new(branch))),
        }
    }
}

impl Model {
    fn new(plan: &Branch) -> Self {
        let member = |((restart, plan), id): (&(Restart, Plan), &'static str)| Member {
            id,
            restart: *restart,
            restarts: 0,
            life: Some(Life::new(plan)),
        };
        let children = plan.children.iter().zip(IDS).map(member).collect();
        Self { plan: plan.clone(), children, restarts: VecDeque::new() }
    }

    /// The member at a path ends. `false` if that was too much for this supervisor.
    fn end(&mut self, path: &[&'static str], is_failure: bool, now: Instant) -> bool {
        let Some(index) = self.children.iter().position(|child| child.id == path[0]) else { return true };
        if let (Some(Life::Branch(branch)), [_, rest @ ..]) = (&mut self.children[index].life, path)
            && !rest.is_empty()
        {
            return branch.end(rest, is_failure, now) || self.ended(index, true, now);
        }
        self.ended(index, is_failure, now)
    }

    fn ended(&mut self, index: usize, is_failure: bool, now: Instant) -> bool {
        let is_wanted = match self.children[index].restart {
            Restart::Permanent => true,
            Restart::Transient => is_failure,
            Restart::Temporary => false,
        };
        if !is_wanted {
            self.children[index].life = None;
            self.children.retain(|child| child.life.is_some() || child.restart != Restart::Temporary);
            return true;
        }
        self.restarts.retain(|at| now - *at < self.plan.intensity.window);
        if self.restarts.len() >= self.plan.intensity.restarts as usize {
            return false;
        }
        self.restarts.push_back(now);
        let concerned = match self.plan.strategy {
            Strategy::OneForOne => index..index + 1,
            Strategy::OneForAll => 0..self.children.len(),
            Strategy::RestForOne => index..self.children.len(),
        };
        for child in &mut self.children[concerned] {
            if child.life.is_none() {
                continue;
            }
            let place = IDS.iter().position(|id| *id == child.id).expect("one of them");
            child.life =
                (child.restart != Restart::Temporary).then(|| Life::new(&self.plan.children[place].1));
            child.restarts += 1;
        }
        self.children.retain(|child| child.life.is_some() || child.restart != Restart::Temporary);
        true
    }

    /// Everybody alive, by path.
    fn alive(&self) -> Vec<Vec<&'static str>> {
        let mut paths = Vec::new();
        for child in &self.children {
            let Some(life) = &child.life else { continue };
            paths.push(vec![child.id]);
            if let Life::Branch(branch) = life {
                paths.extend(branch.alive().into_iter().map(|path| [vec![child.id], path].concat()));
            }
        }
        paths
    }

    /// What the supervisor should say of its children.
    fn picture(&self) -> Vec<(String, ChildState, u64)> {
        let state = |child: &Member| {
            if child.life.is_some() { ChildState::Running } else { ChildState::Ended }
        };
        self.children.iter().map(|child| (child.id.to_owned(), state(child), child.restarts)).collect()
    }
}

/// Compares a supervisor and those below it with the model.
async fn compare(supervisor: &SupervisorRef, model: &Model, seed: u64) {
    let children = supervisor.children().await.expect("the supervisor answers");
    let picture: Vec<_> =
        children.iter().map(|child| (child.id.to_string(), child.state, child.restarts)).collect();
    assert_eq!(picture, model.picture(), "seed {seed}");
    for (child, member) in children.iter().zip(&model.children) {
        if let Some(Life::Branch(branch)) = &member.life {
            let cell = child.actor.clone().expect("it runs");
            let below = SupervisorRef::from_cell(cell).expect("it is a supervisor");
            Box::pin(compare(&below, branch, seed)).await;
        }
    }
}

fn walk(top: &SupervisorRef, path: &[&'static str], seed: u64) -> ActorCell {
    path.iter().fold(top.cell(), |cell, id| {
        cell.child(id).unwrap_or_else(|| panic!("seed {seed}: nobody at {path:?}"))
    })
}

async fn play(cradle: Movable, seed: u64) {
    let mut random = Random(seed);
    let plan = Branch::random(&mut random, 1);
    let top = cradle.spawn(plan.builder(&cradle)).await.expect("all start");
    let mut model = Model::new(&plan);
    let clock = cradle.system().executor().clone();
    cradle.idle().await;
    compare(&top, &model, seed).await;
    for _ in 0..12 {
        let alive = model.alive();
        if alive.is_empty() {
            return;
        }
        let path = alive[random.below(alive.len())].clone();
        let cell = walk(&top, &path, seed);
        let is_failure = match (random.below(5), ActorRef::<Ask>::from_cell(cell.clone())) {
            (0, _) => {
                cell.stop(None);
                false
            }
            (1, _) => {
                cell.drain();
                false
            }
            (2, Ok(leaf)) => {
                leaf.cast(Ask::Fail).expect("it runs");
                true
            }
            (3, Ok(leaf)) => {
                leaf.cast(Ask::Fall).expect("it runs");
                true
            }
            _ => {
                cell.kill();
                true
            }
        };
        let lives_on = model.end(&path, is_failure, clock.now());
        cradle.idle().await;
        if !lives_on {
            let exit = top.wait(None).await.expect("it ends");
            assert!(matches!(exit, Exit::Failed(_)), "seed {seed}: {exit}");
            return;
        }
        compare(&top, &model, seed).await;
        cradle.pass(random.pick(&[0, 48, 49, 50, 498, 499]) * MS).await;
    }
    top.stop_and_wait(None, None).await.expect("it stops");
    for path in model.alive() {
        assert_eq!(top.cell().child(path[0]), None, "seed {seed}");
    }
}
