//! The turns of an actor's life: built from arguments, started, stopping; and what an
//! error does in each place.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{ActorError, Context, Exit, ReplyPort, SpawnError, Spawning, Start, actor};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    fn say(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn said(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

struct Door {
    log: Log,
    name: String,
}

#[derive(Debug)]
struct Jammed;

#[actor]
impl Door {
    const HINGES: usize = 2;

    /// A door with a name.
    #[init]
    async fn open(ctx: &Context<'_, DoorRef>, log: Log, mut name: String) -> Result<Self, ActorError> {
        if name.is_empty() {
            return Err("a door has a name".into());
        }
        name.push('!');
        log.say(format!("init {}", ctx.name().unwrap_or("nobody")));
        Ok(Self { log, name })
    }

    #[started]
    fn on_start(&mut self) {
        self.log.say(format!("started {}", self.name));
    }

    #[cast]
    fn knock(&self) -> Result<(), Jammed> {
        self.log.say("knock");
        Err(Jammed)
    }

    fn hinges(&self) -> usize {
        Self::HINGES
    }

    #[stopping]
    async fn on_stop(&mut self, ctx: &Context<'_, DoorRef>) -> Result<(), String> {
        self.log.say(format!("stopping {:?}", ctx.status()));
        if self.name == "stuck!" { Err("it does not close".into()) } else { Ok(()) }
    }
}

#[tokio::test]
async fn the_hooks_run_in_their_order() {
    let log = Log::default();
    let door = Door::spawn(log.clone(), "front".to_owned()).name("door").await.unwrap();
    door.knock().await.unwrap();
    assert_eq!(door.hinges().await.unwrap(), 2);
    assert_eq!(door.stop_and_wait(None, None).await.unwrap(), Exit::Stopped(None));
    assert_eq!(log.said(), ["init door", "started front!", "knock", "stopping Stopping"]);
}

#[tokio::test]
async fn an_error_of_a_hook_ends_the_actor() {
    let refused = Door::spawn(Log::default(), String::new()).await;
    assert!(
        matches!(&refused, Err(SpawnError::Startup(Exit::Failed(text))) if &**text == "a door has a name"),
        "{refused:?}"
    );
    let door = Door::spawn(Log::default(), "stuck".to_owned()).await.unwrap();
    let exit = door.stop_and_wait(None, None).await.unwrap();
    assert_eq!(exit, Exit::Failed("it does not close".into()));
}

struct Strict;

#[actor(fail_on_err)]
impl Strict {
    fn check(&self, number: i32) -> Result<i32, String> {
        if number < 0 { Err(format!("{number} is negative")) } else { Ok(number) }
    }

    #[cast]
    fn note(&self, number: i32) -> std::fmt::Result {
        if number < 0 { Err(std::fmt::Error) } else { Ok(()) }
    }
}

struct Lenient;

/// Neither printable nor debuggable.
struct Opaque;

/// The word `Result` does not stand in it.
type Checked = Result<i32, Opaque>;

#[actor]
impl Lenient {
    fn check(&self) -> Checked {
        Err(Opaque)
    }

    #[cast]
    fn note(&self) -> Result<(), Jammed> {
        Err(Jammed)
    }

    fn speak(&self) -> Result<i32, &'static str> {
        Err("in words")
    }

    fn by_hand(&self, port: ReplyPort<u8>) -> Result<(), String> {
        assert!(port.is_nobody());
        Err("after all".to_owned())
    }
}

#[tokio::test]
async fn c28_an_error_goes_to_the_caller_who_waits_for_it() {
    let strict = Strict.spawn().await.unwrap();
    assert_eq!(strict.check(1).await.unwrap(), Ok(1));
    assert_eq!(strict.check(-1).await.unwrap(), Err("-1 is negative".to_owned()));
    strict.check(1).cast().unwrap();
    strict.note(1).cast().unwrap();
    assert_eq!(strict.check(2).await.unwrap(), Ok(2), "it lives");
}

/// Keeps what is reported, each report as one text.
#[derive(Clone, Default)]
struct Reports(Log);

impl Subscriber for Reports {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() == Level::WARN
    }

    fn event(&self, event: &Event<'_>) {
        let mut text = Text::default();
        event.record(&mut text);
        self.0.say(text.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if ["name", "method", "error"].contains(&field.name()) {
            self.0.push_str(&format!("{}={value:?} ", field.name()));
        }
    }
}

#[tokio::test]
async fn c28_an_unclaimed_error_is_reported_and_the_actor_goes_on() {
    let reports = Reports::default();
    let _installed = tracing::subscriber::set_default(reports.clone());
    let lenient = Lenient.spawn().name("lenient").await.unwrap();
    assert!(matches!(lenient.check().await, Ok(Err(Opaque))), "this one is claimed");
    lenient.note().await.unwrap();
    lenient.check().send().await.unwrap();
    lenient.speak().cast().unwrap();
    lenient.by_hand().cast().unwrap();
    assert!(matches!(lenient.check().await, Ok(Err(Opaque))), "it lives");
    assert_eq!(
        reports.0.said(),
        [
            r#"name="lenient" method="note" error=Jammed "#,
            &format!(r#"name="lenient" method="check" error={} "#, std::any::type_name::<Opaque>()),
            r#"name="lenient" method="speak" error=in words "#,
            r#"name="lenient" method="by_hand" error=after all "#,
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn c28_an_unclaimed_error_fails_the_actor_that_asks_for_it() {
    for (fail, text) in [
        (true, "`check` failed: -1 is negative".to_owned()),
        (false, format!("`note` failed: {}", std::fmt::Error)),
    ] {
        let strict = Strict.spawn().await.unwrap();
        if fail {
            strict.check(-1).cast().unwrap();
        } else {
            strict.note(-1).cast().unwrap();
        }
        assert_eq!(strict.wait(Some(Duration::from_secs(9))).await.unwrap(), Exit::Failed(text.into()));
    }
}

/// A builder can be passed on.
fn named<S: Start<Ref = StrictRef>>(spawning: Spawning<S>) -> Spawning<S> {
    spawning.name("strict")
}

#[tokio::test]
async fn a_spawn_is_refined_before_it_is_awaited() {
    let system = actor_core::ActorSystem::new();
    let strict = named(Strict.spawn().on(&system)).await.unwrap();
    assert_eq!(strict.name(), Some("strict"));
    assert!(matches!(named(Strict.spawn().on(&system)).await, Err(SpawnError::NameTaken(_))));
    let actor = Strict::actor();
    let options = actor_core::SpawnOptions::new().name("by hand");
    let by_hand = system.spawn(actor, Strict, options).await.map(StrictRef::from).unwrap();
    assert_eq!(by_hand.check(1).await.unwrap(), Ok(1));
}

#[tokio::test]
async fn a_spawn_may_give_the_reference_at_once() {
    let system = actor_core::ActorSystem::new();
    let (strict, starting) = named(Strict.spawn().on(&system)).instant().unwrap();
    let refused = named(Strict.spawn().on(&system)).instant();
    assert!(matches!(refused, Err(SpawnError::NameTaken(_))));
    // Before it has started, in this task.
    assert_eq!(strict.check(1).await.unwrap(), Ok(1));
    starting.await.unwrap();

    let (door, starting) = Door::spawn(Log::default(), String::new()).on(&system).instant().unwrap();
    let exit = Exit::Failed("a door has a name".into());
    assert!(matches!(starting.await, Err(SpawnError::Startup(failed)) if failed == exit));
    assert_eq!(door.wait(None).await.unwrap(), exit);
}
