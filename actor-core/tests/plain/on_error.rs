//! What a plain struct decides about an error: `#[on_error]`.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actor_core::{
    ActorError, ActorSystem, Context, ErrorAction, Exit, LocalSpawner, ReplyPort, SupervisionEvent, actor,
};

/// An error with a cause.
#[derive(Debug, PartialEq)]
struct Lost(u32);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {} is lost", self.0)
    }
}

impl Error for Lost {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&fmt::Error)
    }
}

/// Only debuggable.
#[derive(Debug)]
struct Jammed;

/// Neither.
struct Opaque;

/// The same actor twice.
macro_rules! desk {
    ($door:ident, [$($option:tt)*]) => {
        mod $door {
            use super::*;

            pub(super) struct Desk {
                pub(super) seen: Arc<Mutex<Vec<String>>>,
                pub(super) then: ErrorAction,
            }

            #[actor($($option)* pub(super))]
            impl Desk {
                pub(super) fn file(&mut self, page: u32) -> Result<u32, Lost> {
                    if page < 100 { Ok(page) } else { Err(Lost(page)) }
                }

                #[cast]
                pub(super) fn jam(&mut self) -> Result<(), Jammed> {
                    Err(Jammed)
                }

                #[cast]
                pub(super) async fn opaque(&mut self) -> Result<(), Opaque> {
                    Err(Opaque)
                }

                pub(super) fn by_hand(&mut self, port: ReplyPort<u8>) -> Result<(), ActorError> {
                    drop(port);
                    Err(Lost(0).into())
                }

                pub(super) fn then(&mut self, then: ErrorAction) {
                    self.then = then;
                }

                pub(super) fn has_child(&mut self, ctx: &Context<'_, DeskRef>) -> bool {
                    !ctx.cell().children().is_empty()
                }

                #[supervision]
                fn event(&mut self, event: SupervisionEvent) -> Result<(), Lost> {
                    match event {
                        SupervisionEvent::Started { .. } => Ok(()),
                        _ => Err(Lost(7)),
                    }
                }

                #[on_error]
                fn judge(&mut self, error: &ActorError) -> ErrorAction {
                    let kind = error.downcast_ref::<Lost>().map_or("", |_| "Lost: ");
                    self.seen.lock().unwrap().push(format!("{kind}{error}"));
                    self.then
                }
            }
        }
    };
}

desk!(movable, []);
desk!(local, [local,]);

const PATIENCE: Option<Duration> = Some(Duration::from_secs(9));

/// Every action, on both doors: what was seen, and how it ended.
macro_rules! check {
    ($desk:expr, $seen:expr) => {{
        let (desk, seen) = ($desk, $seen);
        let seen = move || std::mem::take(&mut *seen.lock().unwrap());
        // Who waits for an error has it, and nobody else hears of it.
        assert_eq!(desk.file(100).await.unwrap(), Err(Lost(100)));
        assert_eq!(desk.file(1).await.unwrap(), Ok(1));
        assert!(seen().is_empty());
        desk.file(100).cast().unwrap();
        desk.jam().cast().unwrap();
        desk.opaque().cast().unwrap();
        desk.by_hand().cast().unwrap();
        assert_eq!(desk.file(2).await.unwrap(), Ok(2), "it goes on");
        let opaque = std::any::type_name::<Opaque>();
        assert_eq!(seen(), ["Lost: page 100 is lost", "Jammed", opaque, "Lost: page 0 is lost"]);
        desk.then(ErrorAction::Stop).await.unwrap();
        desk.file(100).cast().unwrap();
        let exit = desk.wait(PATIENCE).await.unwrap();
        assert_eq!(exit, Exit::Failed(format!("`file` failed: page 100 is lost: {}", fmt::Error).into()));
        assert_eq!(seen(), ["Lost: page 100 is lost"]);
    }};
}

#[tokio::test]
async fn c28_a_plain_struct_decides_about_its_errors() {
    let system = ActorSystem::new();
    let (seen, then) = (Arc::<Mutex<Vec<String>>>::default(), ErrorAction::Resume);
    let desk = movable::Desk { seen: seen.clone(), then };
    check!(desk.spawn().on(&system).await.unwrap(), seen);
    let thread = LocalSpawner::new(&system, "desk").unwrap();
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let kept = seen.clone();
    let desk = local::Desk::spawn(&thread, move || local::Desk { seen: kept, then });
    check!(desk.await.unwrap(), seen);
}

#[tokio::test]
async fn c28_an_error_about_a_child_is_the_plain_structs_too() {
    let seen = Arc::<Mutex<Vec<String>>>::default();
    let desk = movable::Desk { seen: seen.clone(), then: ErrorAction::Resume }.spawn().await.unwrap();
    let child = movable::Desk { seen: Arc::default(), then: ErrorAction::Resume };
    let child = child.spawn().supervisor(&desk.cell()).await.unwrap();
    assert!(desk.has_child().await.unwrap());
    child.stop_and_wait(None, None).await.unwrap();
    while desk.has_child().await.unwrap() {}
    assert_eq!(desk.file(1).await.unwrap(), Ok(1));
    assert_eq!(*seen.lock().unwrap(), ["Lost: page 7 is lost"]);
}

/// Whether there is a hook is only known to the compiler.
struct Conditional;

#[actor]
impl Conditional {
    #[cast]
    fn fail(&mut self) -> Result<(), Jammed> {
        Err(Jammed)
    }

    fn is_alive(&self) -> bool {
        true
    }

    #[cfg(not(all()))]
    #[on_error]
    fn never(&mut self, _: &ActorError) -> ErrorAction {
        ErrorAction::Stop
    }
}

struct Strict;

#[actor]
impl Strict {
    #[cast]
    fn fail(&mut self) -> Result<(), Jammed> {
        Err(Jammed)
    }

    #[cfg(not(all()))]
    #[on_error]
    fn never(&mut self, _: &ActorError) -> ErrorAction {
        ErrorAction::Resume
    }

    #[cfg(any(unix, not(unix)))]
    #[on_error]
    fn always(&mut self, _: &ActorError) -> ErrorAction {
        ErrorAction::Stop
    }
}

#[tokio::test]
async fn c28_a_hook_with_a_condition_decides_if_it_is_there() {
    let conditional = Conditional.spawn().await.unwrap();
    conditional.fail().cast().unwrap();
    assert!(conditional.is_alive().await.unwrap(), "it is reported, as without a hook");
    let strict = Strict.spawn().await.unwrap();
    strict.fail().cast().unwrap();
    assert_eq!(strict.wait(PATIENCE).await.unwrap(), Exit::Failed("`fail` failed: Jammed".into()));
}
