//! One actor, hook by hook.

use std::cell::RefCell;
use std::rc::Rc;

use actor_core::{
    Actor, ActorCell, ActorError, ActorRef, ActorSystem, Context, ErrorAction, Exit, LocalActor, ReplyPort,
    SupervisionEvent, actor,
};
use actor_testkit::{Bench, Probe, Simulation};

use crate::{Counter, CounterMessage, SECOND, panic_of};

/// Does in its hooks what the messages say, and keeps a list.
struct Clerk {
    fails_at: &'static str,
}

enum Task {
    Note(&'static str),
    Fail,
    Panic,
    /// Notes for itself.
    Later(u32),
    AfterASecond,
    Nap,
    /// A child that stops at once.
    Hire,
    Ask(ActorRef<ReplyPort<u32>>),
    Resign,
    Forever,
    Keep(ReplyPort<u32>),
    Drop(ReplyPort<u32>),
    Count(ReplyPort<usize>),
}

type Notes = Vec<String>;

impl Actor for Clerk {
    type Msg = Task;
    type State = Notes;
    type Arguments = &'static str;

    async fn pre_start(&self, _: &ActorRef<Task>, first: &'static str) -> Result<Notes, ActorError> {
        self.failing("pre_start")?;
        Ok(vec![first.to_owned()])
    }

    async fn post_start(&self, _: &ActorRef<Task>, notes: &mut Notes) -> Result<(), ActorError> {
        notes.push("started".to_owned());
        self.failing("post_start")
    }

    async fn handle(&self, myself: &ActorRef<Task>, task: Task, notes: &mut Notes) -> Result<(), ActorError> {
        match task {
            Task::Note(note) => notes.push(note.to_owned()),
            Task::Fail => return Err("on purpose".into()),
            Task::Panic => panic!("on purpose"),
            Task::Later(count) => (0..count).for_each(|_| _ = myself.cast(Task::Note("later"))),
            Task::AfterASecond => _ = myself.send_after(SECOND, Task::Note("timer")),
            // sleep: virtual time.
            Task::Nap => ActorSystem::current().executor().sleep(SECOND).await,
            Task::Hire => {
                let child = Counter(0).spawn().name("child").supervisor(&myself.cell()).await?;
                child.stop(None);
            }
            Task::Ask(neighbour) => notes.push(neighbour.call(|port| port).await?.to_string()),
            Task::Resign => myself.stop(Some("resigned")),
            Task::Forever => myself.cast(Task::Forever)?,
            Task::Keep(port) => {
                let keep = async move {
                    std::future::pending::<()>().await;
                    drop(port);
                };
                _ = myself.cell().attach(keep);
            }
            Task::Drop(port) => drop(port),
            Task::Count(port) => _ = port.send(notes.len()),
        }
        Ok(())
    }

    fn on_error(&self, _: &ActorError, notes: &mut Notes) -> ErrorAction {
        notes.push("error".to_owned());
        ErrorAction::Resume
    }

    async fn handle_supervisor_evt(
        &self,
        _: &ActorRef<Task>,
        event: SupervisionEvent,
        notes: &mut Notes,
    ) -> Result<(), ActorError> {
        notes.push(match event {
            SupervisionEvent::Started(_) => "child started".to_owned(),
            SupervisionEvent::Terminated { .. } => "child ended".to_owned(),
            SupervisionEvent::Down { exit, .. } => exit.to_string(),
            _ => return Err("unheard of".into()),
        });
        Ok(())
    }

    async fn post_stop(&self, _: &ActorRef<Task>, notes: &mut Notes) -> Result<(), ActorError> {
        notes.push("stopped".to_owned());
        self.failing("post_stop")
    }
}

impl Clerk {
    fn failing(&self, hook: &str) -> Result<(), ActorError> {
        if self.fails_at == hook { Err(hook.into()) } else { Ok(()) }
    }
}

fn clerk() -> Bench<Clerk> {
    let mut clerk = Bench::start(Clerk { fails_at: "" }, "first").unwrap();
    assert_eq!(clerk.state()[..], ["first", "started"]);
    clerk.state_mut().clear();
    clerk
}

#[test]
fn hooks_are_called_one_by_one() {
    let mut clerk = clerk();
    clerk.handle(Task::Note("one")).unwrap();
    assert_eq!((clerk.state()[..].concat(), clerk.call(Task::Count)), ("one".to_owned(), 1));
    assert_eq!(clerk.actor().fails_at, "");
    assert_eq!(clerk.stop().unwrap(), ["one", "stopped"]);
}

#[test]
fn an_error_of_any_hook_goes_to_the_test() {
    for hook in ["pre_start", "post_start", "post_stop"] {
        let bench = Bench::start(Clerk { fails_at: hook }, "first");
        let error = bench.and_then(Bench::stop).unwrap_err();
        assert_eq!(error.to_string(), hook);
    }
    let mut clerk = clerk();
    let error = clerk.handle(Task::Fail).unwrap_err();
    assert_eq!(error.to_string(), "on purpose");
    assert_eq!(
        (clerk.on_error(&error), clerk.state()[..].concat()),
        (ErrorAction::Resume, "error".to_owned())
    );
    // Nothing has ended by it.
    assert_eq!((clerk.call(Task::Count), clerk.exit()), (1, None));
    assert_eq!(panic_of(|| clerk.handle(Task::Panic)), "on purpose");
}

#[test]
fn an_answer_that_does_not_come_is_explained() {
    let mut clerk = clerk();
    let said = [panic_of(|| clerk.call(Task::Keep)), panic_of(|| clerk.call(Task::Drop))];
    assert_eq!(said[0], "an answer was expected, and the handler has kept the port");
    assert!(said[1].starts_with("an answer was expected: "), "{said:?}");
    let fails = panic_of(|| clerk.call(|_: ReplyPort<()>| Task::Fail));
    assert_eq!(fails, "an answer was expected, and the handler failed: on purpose");
}

#[test]
fn what_the_actor_sends_itself_waits_for_the_test() {
    let mut clerk = clerk();
    clerk.handle(Task::Later(3)).unwrap();
    assert_eq!(clerk.state()[..], [""; 0]);
    assert!(matches!(clerk.arrived()[..], [Task::Note("later"), Task::Note("later"), Task::Note("later")]));
    assert_eq!((clerk.handle_arrived().unwrap(), clerk.state().len()), (0, 0));
    // What arrives by what has arrived is handled too.
    clerk.actor_ref().cast(Task::Later(2)).unwrap();
    assert_eq!((clerk.handle_arrived().unwrap(), clerk.state().len()), (3, 2));
    // What comes after an error waits on.
    for task in [Task::Fail, Task::Note("after")] {
        clerk.actor_ref().cast(task).unwrap();
    }
    assert!(clerk.handle_arrived().is_err());
    assert!(matches!(clerk.arrived()[..], [Task::Note("after")]));
}

#[test]
fn an_actor_that_feeds_itself_is_ended_by_name() {
    let mut clerk = clerk();
    clerk.handle(Task::Forever).unwrap();
    let text = panic_of(|| clerk.handle_arrived());
    assert_eq!(text, "no end after 100000 messages: each brings another one");
}

#[test]
fn time_passes_as_the_test_says_or_a_hook_waits() {
    let mut clerk = clerk();
    clerk.handle(Task::AfterASecond).unwrap();
    clerk.advance(SECOND / 2);
    assert!(clerk.arrived().is_empty());
    clerk.advance(SECOND / 2);
    assert!(matches!(clerk.arrived()[..], [Task::Note("timer")]));
    clerk.handle(Task::Nap).unwrap();
    assert_eq!(clerk.system().executor().now().elapsed(), SECOND * 2);
}

#[test]
fn children_live_in_the_benchs_system_and_their_news_arrives() {
    let mut clerk = clerk();
    clerk.handle(Task::Hire).unwrap();
    assert_eq!(clerk.system().registered(), []);
    assert_eq!(
        (clerk.handle_arrived().unwrap(), clerk.state()[..].join(", ")),
        (2, "child started, child ended".to_owned())
    );
    clerk.handle(Task::Hire).unwrap();
    assert_eq!(clerk.arrived_events().len(), 2);
    let other: ActorCell = clerk.actor_ref().cell();
    clerk.handle_event(SupervisionEvent::Down { actor: other.clone(), exit: Exit::Killed }).unwrap();
    assert_eq!(clerk.state().last().unwrap(), "killed");
    let unheard = SupervisionEvent::Failed { actor: other, exit: Exit::Drained };
    assert_eq!(clerk.handle_event(unheard).unwrap_err().to_string(), "unheard of");
}

#[test]
fn a_stop_that_the_actor_asked_for_is_seen() {
    let mut clerk = clerk();
    clerk.handle(Task::Resign).unwrap();
    assert_eq!(clerk.exit(), Some(Exit::Stopped(Some("resigned".into()))));
}

#[test]
fn neighbours_are_probes_of_the_same_simulation() {
    let simulation = Simulation::seeded(7);
    let system = simulation.system();
    let answering = |port: ReplyPort<u32>| port.send(7).err().and(None);
    let stub = Probe::builder().answering(answering).spawn(&system);
    let mut clerk = Bench::start_in(simulation, &system, Clerk { fails_at: "" }, "first").unwrap();
    clerk.handle(Task::Ask(stub.actor_ref())).unwrap();
    assert_eq!(clerk.state().last().unwrap(), "7");
    // Nobody answers this one, which is told and not waited for.
    let mut silent = Probe::new(&system);
    let text = panic_of(|| clerk.handle(Task::Ask(silent.actor_ref())));
    assert!(text.starts_with("a deadlock at 0ns, with Order::Seeded(7)"), "{text}");
    clerk.block_on(silent.expect_next());
}

/// What cannot leave its thread, as an actor and as a plain struct.
#[test]
fn local_actors_have_a_bench_too() {
    struct Local;
    impl LocalActor for Local {
        type Msg = u32;
        type State = Rc<RefCell<Vec<u32>>>;
        type Arguments = ();

        async fn pre_start(&self, _: &ActorRef<u32>, (): ()) -> Result<Self::State, ActorError> {
            Ok(Rc::default())
        }

        async fn handle(&self, _: &ActorRef<u32>, n: u32, state: &mut Self::State) -> Result<(), ActorError> {
            state.borrow_mut().push(n);
            Ok(())
        }
    }
    let mut local = Bench::start(Local, ()).unwrap();
    local.handle(7).unwrap();
    assert_eq!(*local.stop().unwrap().borrow(), [7]);

    // A plain one is built by what it is started with, as on its thread.
    let mut notes = Bench::start(Notebook::actor(), Box::new(|| Notebook(Rc::default()))).unwrap();
    assert_eq!(notes.call(|port| NotebookMessage::Note(7, port)), 1);
    assert_eq!(*notes.state().0.borrow(), [7]);
}

struct Notebook(Rc<RefCell<Vec<u32>>>);

#[actor(local)]
impl Notebook {
    fn note(&mut self, number: u32) -> usize {
        self.0.borrow_mut().push(number);
        self.0.borrow().len()
    }
}

struct Chain {
    links: u32,
}

#[actor]
impl Chain {
    #[cast]
    fn grow(&mut self, ctx: &Context<'_, ChainRef>) {
        self.links += 1;
        if self.links < 3 {
            _ = ctx.myself().grow().cast();
        }
    }

    fn links(&self) -> u32 {
        self.links
    }
}

#[test]
fn a_plain_struct_is_the_state() {
    let mut chain = Bench::start(Chain::actor(), Chain { links: 0 }).unwrap();
    chain.handle(ChainMessage::Grow()).unwrap();
    assert_eq!(chain.state().links, 1);
    chain.handle_arrived().unwrap();
    assert_eq!(chain.call(ChainMessage::Links), 3);
    let mut counter = Bench::start(Counter::actor(), Counter(40)).unwrap();
    assert_eq!(counter.call(|port| CounterMessage::Add(2, port)), 42);
    assert_eq!(counter.stop().unwrap().0, 42);
}
