//! Random days of alarm clocks, whose events are kept, in four processes one after the other, of which each ends without a word, over a
//! store that refuses operations and loses answers. They are reminded, cancel and replace what they are reminded by, also in the turn that
//! it leads to, ask each other, panic and are passivated. What fails prints its seed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actor_durable::store::{CatchUp, Store};
use actor_durable::{
    Answer, CodecError, Decision, Durability, Durable, DurableId, DurableRef, DurableSystem, EventSourced,
    MemoryStore, MessageId, NoError, Turn, WallTime,
};
use actor_testkit::Simulation;
use serde::{Deserialize, Serialize};

use crate::stage::{Random, days, pass};

const SECOND: Duration = Duration::from_secs(1);
const CLOCKS: [&str; 3] = ["a", "b", "c"];
const NAMES: [&str; 3] = ["x", "y", "z"];
/// How many processes there are; the last one has a store without faults.
const LIVES: usize = 4;
const STEPS: usize = 40;
/// What is written back is stored so much later.
const INTERVAL: Duration = Duration::from_millis(200);
/// So late at most is what waits for another attempt at what was before it.
const LATE_MAX: Duration = Duration::from_secs(5);

/// What a clock does when it is reminded.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Habit {
    Nothing,
    /// Asks the next clock.
    Ask,
    /// Sets it again, to do nothing then.
    SetAgain,
    Cancel,
    Passivate,
    /// Panics now and then.
    Panic,
}

/// A reminder that is set, unlike all others.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Alarm {
    number: u64,
    name: String,
    first: WallTime,
    period: Option<Duration>,
    catch_up: CatchUp,
    habit: Habit,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Command {
    /// As many milliseconds from now.
    Set(Alarm, u64),
    Cancel(String),
    Ring(Alarm),
    Ask,
    Heard(MessageId),
    Passivate,
    Show,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
enum Event {
    Set(Alarm),
    /// Whatever had this name is over from then on.
    Over(String, WallTime),
    /// The alarm of this number, for a time, at another.
    Rang(u64, WallTime, WallTime),
    Asked(MessageId),
    Heard(MessageId),
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Book {
    alarms: Vec<(Alarm, Option<WallTime>)>,
    rings: Vec<(u64, WallTime, WallTime)>,
    asked: BTreeSet<MessageId>,
}

/// It is written back if it may be.
#[derive(Clone, Default)]
struct Clock<const IS_BACK: bool> {
    panics: Arc<AtomicU32>,
}

impl<const IS_BACK: bool> Durable for Clock<IS_BACK> {
    const TYPE: &'static str = "clock";
    const DURABILITY: Durability =
        if IS_BACK { Durability::WriteBack(INTERVAL) } else { Durability::WriteThrough };
    const JOURNAL_KEPT: u64 = 2;
    const IDLE_MAX: Option<Duration> = Some(Duration::from_millis(700));
    type State = Book;
    type Command = Command;
    type Reply = Book;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> Book {
        Book::default()
    }

    fn is_query(command: &Command) -> bool {
        matches!(command, Command::Show)
    }

    fn on_answer(answer: &Answer<'_>) -> Result<Command, CodecError> {
        Ok(Command::Heard(answer.question()))
    }
}

impl<const IS_BACK: bool> Clock<IS_BACK> {
    fn set(turn: &mut Turn<'_, Self>, alarm: Alarm) -> Vec<Event> {
        let Alarm { name, first, period, catch_up, .. } = alarm.clone();
        let ring = Command::Ring(alarm.clone());
        match period {
            Some(period) => turn.remind_every(&name, first, period, catch_up, &ring),
            None => turn.remind(&name, first, &ring),
        }
        .expect("a good name");
        vec![Event::Over(name, turn.at()), Event::Set(alarm)]
    }

    fn cancel(turn: &mut Turn<'_, Self>, name: String) -> Vec<Event> {
        turn.cancel_reminder(&name).expect("a good name");
        vec![Event::Over(name, turn.at())]
    }

    fn ring(&self, turn: &mut Turn<'_, Self>, alarm: Alarm) -> Vec<Event> {
        let due = turn.message().expect("it is a letter").sent_at;
        let mut events = vec![Event::Rang(alarm.number, due, turn.at())];
        match alarm.habit {
            Habit::Nothing => {}
            Habit::Ask => {
                let at = CLOCKS.iter().position(|id| *id == turn.id().as_str()).expect("it is one of them");
                let other = CLOCKS[(at + 1) % CLOCKS.len()];
                events.push(Event::Asked(turn.ask::<Self>("q", other, &Command::Ask).expect("a good id")));
            }
            Habit::SetAgain => {
                let (number, first) = (due.as_millis() << 20 | alarm.number, turn.at().after(SECOND));
                events.extend(Self::set(turn, Alarm { number, first, habit: Habit::Nothing, ..alarm }));
            }
            Habit::Cancel => events.extend(Self::cancel(turn, alarm.name)),
            Habit::Passivate => turn.passivate(),
            Habit::Panic => {
                let count = self.panics.fetch_add(1, Ordering::Relaxed);
                assert!(!count.is_multiple_of(4), "so it was asked");
            }
        }
        events
    }
}

impl<const IS_BACK: bool> EventSourced for Clock<IS_BACK> {
    type Event = Event;
    const SNAPSHOT_EVERY: u64 = 3;

    async fn decide(
        &self,
        command: Command,
        book: &Book,
        turn: &mut Turn<'_, Self>,
    ) -> Result<Decision<Event, Book>, NoError> {
        let events = match command {
            Command::Set(alarm, millis) => {
                let first = turn.at().after(Duration::from_millis(millis));
                Self::set(turn, Alarm { first, ..alarm })
            }
            Command::Cancel(name) => Self::cancel(turn, name),
            Command::Ring(alarm) => self.ring(turn, alarm),
            Command::Heard(question) => {
                assert!(book.asked.contains(&question), "it was asked, and answered once");
                vec![Event::Heard(question)]
            }
            Command::Passivate => {
                turn.passivate();
                Vec::new()
            }
            Command::Ask | Command::Show => Vec::new(),
        };
        Ok(Decision { events, reply: book.clone() })
    }

    fn apply(&self, book: &mut Book, event: &Event) {
        match event {
            Event::Set(alarm) => book.alarms.push((alarm.clone(), None)),
            Event::Over(name, at) => {
                let named =
                    book.alarms.iter_mut().filter(|(alarm, over)| alarm.name == *name && over.is_none());
                named.for_each(|(_, over)| *over = Some(*at));
            }
            Event::Rang(number, due, at) => book.rings.push((*number, *due, *at)),
            Event::Asked(question) => assert!(book.asked.insert(*question), "it is asked once"),
            Event::Heard(question) => _ = book.asked.remove(question),
        }
    }
}

/// A day as it goes.
struct Day {
    random: Random,
    numbers: u64,
    /// The alarms that certainly are set.
    acknowledged: Vec<(&'static str, u64)>,
}

impl Day {
    fn draw(&mut self) -> Option<Command> {
        let name = self.random.of(&NAMES).to_owned();
        match self.random.below(10) {
            0..=4 => {
                self.numbers += 1;
                let period = Duration::from_millis(200) + self.random.millis(5_000);
                let habits = [
                    Habit::Nothing,
                    Habit::Ask,
                    Habit::SetAgain,
                    Habit::Cancel,
                    Habit::Passivate,
                    Habit::Panic,
                ];
                let alarm = Alarm {
                    number: self.numbers,
                    name,
                    first: WallTime::ZERO,
                    period: (self.random.below(3) > 0).then_some(period),
                    catch_up: self.random.of(&[CatchUp::FireOnce, CatchUp::Skip, CatchUp::FireAll]),
                    habit: self.random.of(&habits),
                };
                Some(Command::Set(alarm, self.random.below(4_000)))
            }
            5 => Some(Command::Cancel(name)),
            6 => Some(Command::Passivate),
            _ => None,
        }
    }

    async fn step<const IS_BACK: bool>(&mut self, system: &DurableSystem) {
        let id = self.random.of(&CLOCKS);
        let Some(command) = self.draw() else {
            return pass(system, self.random.millis(2_000)).await;
        };
        let number = if let Command::Set(alarm, _) = &command { Some(alarm.number) } else { None };
        let answer = clock::<IS_BACK>(system, id).call(command).await;
        if let (Ok(_), Some(number)) = (answer, number) {
            self.acknowledged.push((id, number));
        }
    }
}

fn clock<const IS_BACK: bool>(system: &DurableSystem, id: &str) -> DurableRef<Clock<IS_BACK>> {
    system.actor(id).expect("a good id")
}

/// How an alarm has rung, at a time.
fn judge(alarm: &Alarm, over: Option<WallTime>, rings: &[(WallTime, WallTime)], now: WallTime) {
    let text = format!("{alarm:?}, over {over:?}, at {now:?}: {rings:?}");
    let Alarm { first, period, catch_up, .. } = alarm;
    assert!(rings.iter().all(|(due, at)| due <= at), "never early: {text}");
    assert!(rings.is_sorted_by(|(one, _), (other, _)| one < other), "each once, in order: {text}");
    // The turn by which it is over may be stored later than it was.
    let last = over.map_or(now, |over| over.after(2 * INTERVAL));
    assert!(rings.iter().all(|(due, _)| *due <= last), "not when it is over: {text}");
    let Some(period) = period else {
        assert!(rings.len() <= 1 && rings.iter().all(|(due, _)| due == first), "{text}");
        assert!(over.is_some() || rings.len() == 1, "it has come: {text}");
        return;
    };
    let period = period.as_millis();
    let nth = |due: WallTime| due.since(*first).as_millis() / period;
    assert!(rings.iter().all(|(due, _)| due.since(*first).as_millis() % period == 0), "{text}");
    if *catch_up == CatchUp::FireAll {
        assert!(rings.iter().zip(0..).all(|((due, _), n)| nth(*due) == n), "none is missing: {text}");
    }
    let is_late =
        |(due, _): &(WallTime, WallTime)| now.since(*due).as_millis() > period + LATE_MAX.as_millis();
    assert!(over.is_some() || rings.last().is_some_and(|last| !is_late(last)), "it goes on: {text}");
}

/// How all have rung, and that none is lost.
async fn judge_rings<const IS_BACK: bool>(system: &DurableSystem, acknowledged: &[(&str, u64)]) {
    for id in CLOCKS {
        let actor = clock::<IS_BACK>(system, id);
        let book = actor.call(Command::Show).await.expect("it is up");
        let now = WallTime::from_unix(system.executor().unix_time());
        for (alarm, over) in &book.alarms {
            let its = book.rings.iter().filter(|(number, ..)| *number == alarm.number);
            judge(alarm, *over, &its.map(|(_, due, at)| (*due, *at)).collect::<Vec<_>>(), now);
        }
        let is_set = |number: u64| book.alarms.iter().filter(|(alarm, _)| alarm.number == number).count();
        let lost = acknowledged.iter().filter(|(of, number)| *of == id && is_set(*number) != 1);
        // What is answered before it is stored may be lost, as a whole.
        assert!(IS_BACK || lost.count() == 0, "{id}: {acknowledged:?}, {:?}", book.alarms);
        let rings = book.rings.iter().filter(|(number, ..)| is_set(*number) != 1);
        assert_eq!(rings.count(), 0, "{id}: what rings is set");
    }
}

/// What is so once nothing rings any more.
async fn judge_rest<const IS_BACK: bool>(system: &DurableSystem) {
    for (id, name) in CLOCKS.iter().flat_map(|id| NAMES.map(|name| (id, name))) {
        clock::<IS_BACK>(system, id).call(Command::Cancel(name.to_owned())).await.expect("it is up");
    }
    pass(system, 60 * SECOND).await;
    for id in CLOCKS {
        let actor = clock::<IS_BACK>(system, id);
        let book = actor.call(Command::Show).await.expect("it is up");
        assert!(book.asked.is_empty(), "{id} was answered: {:?}", book.asked);
        let head = system.store().head(actor.id()).await.expect("it is in memory").expect("it is there");
        assert_eq!(head.waiting, 0, "{id} has read all");
        for dead in system.store().dead_letters(actor.id(), None, 100).await.expect("it is in memory") {
            assert!(dead.reason.contains("so it was asked"), "{id}: {dead:?}");
        }
    }
}

fn day<const IS_BACK: bool>(seed: u64) {
    let mut simulation = Simulation::seeded(seed);
    let sound: Arc<dyn Store> = Arc::new(MemoryStore::on(simulation.executor()));
    let mut day = Day { random: Random(seed), numbers: 0, acknowledged: Vec::new() };
    for life in 1..=LIVES {
        let is_last = life == LIVES;
        let store = if is_last { sound.clone() } else { day.random.faulty(sound.clone()) };
        let builder = DurableSystem::builder(&simulation.system(), store)
            .register_event_sourced(Clock::<IS_BACK>::default())
            .lease(2 * SECOND)
            .look_interval(Duration::from_millis(300));
        simulation.block_on(async {
            let system = &builder.start().await.expect("the store gives a lease");
            // Those of the former process are over.
            pass(system, 3 * SECOND).await;
            for _ in 0..STEPS {
                day.step::<IS_BACK>(system).await;
            }
            if is_last {
                pass(system, 60 * SECOND).await;
                judge_rings::<IS_BACK>(system, &day.acknowledged).await;
                judge_rest::<IS_BACK>(system).await;
            }
            system.abandon().await;
        });
        simulation.advance(day.random.millis(20_000) + SECOND);
    }
}

#[test]
fn on_random_days_each_alarm_rings_when_it_is_due_and_once_and_each_question_is_answered() {
    days(12, day::<false>);
}

#[test]
fn on_random_days_alarms_that_are_written_back_ring_when_they_are_due_and_once() {
    days(6, day::<true>);
}
