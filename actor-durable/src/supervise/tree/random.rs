//! Random days of a supervisor beside one that is written down as plainly as it can be: it keeps all that ever happened, and
//! finds out anew each time what follows. The clock steps back now and then. What fails prints its seed.

use std::collections::BTreeMap;
use std::time::Duration;

use actor_core::Intensity;

use super::super::order::What;
use super::super::spec::Failure;
use super::tests::{child, halted, name};
use super::*;

const DAYS: u64 = 300;
const STEPS: usize = 200;
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        // Splitmix.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % below
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.below(all.len() as u64)).expect("below a usize")]
    }
}

/// What the naive one knows of a child. The order in which they were added is that of `born`.
struct Kid {
    spec: ChildSpec,
    born: u64,
    life: u64,
    stage: ChildStage,
}

struct Oracle {
    spec: SupervisorSpec,
    kids: BTreeMap<&'static str, Kid>,
    /// How long each restart has counted, by what a clock without steps back would say.
    ages: Vec<Duration>,
    births: u64,
    lives: u64,
    has_escalated: bool,
}

impl Oracle {
    fn ordered(&self, is_wanted: impl Fn(&Kid) -> bool) -> Vec<&'static str> {
        let mut wanted: Vec<_> = self.kids.iter().filter(|(_, kid)| is_wanted(kid)).collect();
        wanted.sort_by_key(|(_, kid)| kid.born);
        wanted.into_iter().map(|(name, _)| *name).collect()
    }

    fn live_again(&mut self, names: &[&'static str], is_fresh: bool) -> Vec<(String, Order)> {
        let mut orders = Vec::new();
        for text in names {
            self.lives += 1;
            let kid = self.kids.get_mut(text).expect("it is there");
            (kid.life, kid.stage) = (self.lives, ChildStage::Up);
            orders.push(((*text).to_owned(), Order::Start { child: name(text), life: self.lives, is_fresh }));
        }
        orders
    }

    fn halt(&mut self) -> Vec<(String, Order)> {
        let ups = self.ordered(|kid| kid.stage == ChildStage::Up);
        for text in &ups {
            self.kids.get_mut(text).expect("it is there").stage = ChildStage::Halted;
        }
        ups.into_iter().map(halted).collect()
    }

    fn report(&mut self, text: &'static str, life: u64, what: &What) -> Vec<(String, Order)> {
        let window = self.spec.intensity.window;
        self.ages.retain(|age| *age < window);
        let Some(kid) = self.kids.get(text).filter(|kid| kid.life == life && kid.stage == ChildStage::Up)
        else {
            return Vec::new();
        };
        let is_end = *what == What::Ended;
        let directive = match kid.spec.restart {
            Restart::Permanent if is_end => Directive::Restart,
            Restart::Permanent => kid.spec.on_failure.panicked,
            Restart::Transient if !is_end => kid.spec.on_failure.panicked,
            _ => {
                self.kids.remove(text);
                return vec![(text.to_owned(), Order::End)];
            }
        };
        let born = kid.born;
        let is_restart = matches!(directive, Directive::Restart | Directive::Resume);
        let is_counted = !matches!(what, What::FailedAgain(_));
        let is_startable = !matches!(what, What::OutOfReach(_));
        if directive == Directive::Escalate
            || is_restart
                && is_startable
                && is_counted
                && self.ages.len() >= self.spec.intensity.restarts as usize
        {
            self.has_escalated = true;
            return self.halt();
        }
        if directive == Directive::Stop || is_restart && !is_startable {
            self.kids.get_mut(text).expect("it is there").stage = ChildStage::Stopped;
            return vec![halted(text)];
        }
        if is_counted {
            self.ages.push(Duration::ZERO);
        }
        let strategy = self.spec.strategy;
        let is_fresh = directive == Directive::Restart;
        let concerned = self.ordered(|kid| {
            let is_itself = kid.born == born;
            let is_sibling = match strategy {
                Strategy::OneForOne => false,
                Strategy::OneForAll => true,
                Strategy::RestForOne => kid.born > born,
            };
            kid.stage == ChildStage::Up && (is_itself || is_fresh && is_sibling)
        });
        self.live_again(&concerned, is_fresh)
    }
}

fn day(seed: u64) {
    let mut random = Random(seed);
    let strategy = random.of(&[Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne]);
    let window = Duration::from_millis(random.below(50));
    let restarts = u32::try_from(random.below(6)).expect("a small number");
    let spec = SupervisorSpec { strategy, intensity: Intensity { restarts, window } };
    let (mut tree, mut now) = (SupervisorTree::default(), WallTime::from_millis(1_000_000));
    tree.apply(&SupervisorEvent::Begun(spec));
    let mut oracle =
        Oracle { spec, kids: BTreeMap::new(), ages: Vec::new(), births: 0, lives: 0, has_escalated: false };
    for step in 0..STEPS {
        let text = random.of(&NAMES);
        let (input, expected) = draw(&mut random, &mut oracle, text, &mut now);
        let event = tree.decide(input.clone(), now);
        let event = event.unwrap_or_default_event();
        let orders = event.as_ref().map(|event| tree.orders(event)).unwrap_or_default();
        let orders: Vec<_> = orders.into_iter().map(|(to, order)| (to.id.to_string(), order)).collect();
        assert_eq!(orders, expected, "seed {seed}, step {step}: {input:?}");
        if let Some(event) = event {
            // As it is when it is read from the store.
            let bytes = postcard::to_stdvec(&event).expect("it has a form");
            tree.apply(&postcard::from_bytes(&bytes).expect("it was written here"));
        }
        assert_eq!(tree.has_escalated(), oracle.has_escalated, "seed {seed}, step {step}: {input:?}");
        let children: Vec<_> =
            tree.children().map(|child| (child.spec.name.to_string(), child.stage)).collect();
        let kids =
            oracle.ordered(|_| true).into_iter().map(|text| (text.to_owned(), oracle.kids[text].stage));
        assert_eq!(children, kids.collect::<Vec<_>>(), "seed {seed}, step {step}: {input:?}");
        let bytes = postcard::to_stdvec(&tree).expect("it has a form");
        assert_eq!(postcard::from_bytes(&bytes), Ok(tree.clone()), "seed {seed}, step {step}");
    }
}

trait Refused {
    fn unwrap_or_default_event(self) -> Option<SupervisorEvent>;
}

impl Refused for Result<Option<SupervisorEvent>, SupervisorRefusal> {
    /// What is refused changes nothing.
    fn unwrap_or_default_event(self) -> Option<SupervisorEvent> {
        self.unwrap_or(None)
    }
}

/// Something that happens, and what children are to be told.
fn draw(
    random: &mut Random,
    oracle: &mut Oracle,
    text: &'static str,
    now: &mut WallTime,
) -> (Input, Vec<(String, Order)>) {
    let stage = oracle.kids.get(text).map(|kid| kid.stage);
    match random.below(12) {
        0 | 1 => {
            let restart = random.of(&[Restart::Permanent, Restart::Transient, Restart::Temporary]);
            let directives = [Directive::Restart, Directive::Restart, Directive::Resume, Directive::Stop];
            let directive = if random.below(20) == 0 { Directive::Escalate } else { random.of(&directives) };
            let spec = child(text, restart, directive);
            let mut orders = Vec::new();
            if stage.is_none() && !oracle.has_escalated {
                (oracle.births, oracle.lives) = (oracle.births + 1, oracle.lives + 1);
                let (born, life) = (oracle.births, oracle.lives);
                oracle.kids.insert(text, Kid { spec: spec.clone(), born, life, stage: ChildStage::Up });
                orders.push((text.to_owned(), Order::Adopt { child: name(text), life }));
            }
            (Input::Spawn(spec), orders)
        }
        2 => {
            let is_told = stage.is_some_and(|stage| stage != ChildStage::Stopped);
            if let Some(kid) = oracle.kids.get_mut(text) {
                kid.stage = ChildStage::Stopped;
            }
            (Input::Stop(name(text)), is_told.then(|| halted(text)).into_iter().collect())
        }
        3 => {
            let is_started = stage == Some(ChildStage::Stopped) && !oracle.has_escalated;
            let orders = if is_started { oracle.live_again(&[text], false) } else { Vec::new() };
            (Input::Start(name(text)), orders)
        }
        4 if stage.is_some_and(|stage| stage != ChildStage::Up) => {
            oracle.kids.remove(text);
            (Input::Remove(name(text)), vec![(text.to_owned(), Order::Release)])
        }
        5 if random.below(4) == 0 => (Input::Halt, oracle.halt()),
        6 if oracle.has_escalated || random.below(8) == 0 => {
            let is_fresh = random.below(2) == 0;
            oracle.has_escalated = false;
            oracle.ages.clear();
            let concerned = oracle.ordered(|kid| kid.stage != ChildStage::Stopped);
            (Input::BeginAgain { is_fresh }, oracle.live_again(&concerned, is_fresh))
        }
        7 if random.below(4) == 0 => {
            let halted = oracle.ordered(|kid| kid.stage == ChildStage::Halted);
            if oracle.has_escalated || !halted.is_empty() {
                oracle.has_escalated = false;
                oracle.ages.clear();
            }
            (Input::GoOn, oracle.live_again(&halted, false))
        }
        _ => {
            pass(random, oracle, now);
            let life = oracle.kids.get(text).map_or(7, |kid| kid.life) - random.below(8) / 7;
            let what = match random.below(5) {
                0 => What::Ended,
                1 => What::FailedAgain(Failure::Panicked("x".into())),
                2 => What::OutOfReach(Failure::NotActivated("x".into())),
                _ => What::Failed(Failure::Panicked("x".into())),
            };
            let report = Report { child: name(text), life, what: what.clone() };
            let orders = oracle.report(text, life, &what);
            (Input::Report(report), orders)
        }
    }
}

/// Time goes by, or the clock steps back behind all that has happened: then nobody knows how old it is, and it is as new as can be.
fn pass(random: &mut Random, oracle: &mut Oracle, now: &mut WallTime) {
    if random.below(30) == 0 {
        *now = WallTime::from_millis(now.as_millis() - 10_000);
        oracle.ages.iter_mut().for_each(|age| *age = Duration::ZERO);
    } else {
        let time = Duration::from_millis(random.below(20));
        *now = now.after(time);
        oracle.ages.iter_mut().for_each(|age| *age += time);
    }
}

#[test]
fn d37_d39_random_days_are_as_the_naive_one_says() {
    (0..DAYS).for_each(day);
}
