//! A durable actor is an ordinary actor of actor-core: this one. What it does is decided by the [`Ledger`](crate::ledger) and
//! the [`Outbox`](crate::outbox); here it is done.
//!
//! ```text
//!  a caller's command ──┐                    ┌─ queries ─────────────── reply
//!  a letter of the inbox├─► run ─► stage ────┤
//!  a timer's command ───┘   │                └─ committer: commit ─► replies, outbox, end
//!                           └ panic, error: the state is as before
//! ```
//!
//! While a commit is awaited, commands gather in the mailbox; they are run one after the other, and stored as one.

mod answer;
mod begin;
mod committer;
mod courier;
mod mail;
mod own;
mod run;
mod supervised;
mod written;

use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actor_core::{Actor, ActorError, ActorRef, Instant, ReplyPort};
use futures_util::FutureExt;
use pin_project_lite::pin_project;

use self::begin::holding;
use self::committer::Committer;
use self::mail::Mailing;
use self::own::OwnTurns;
use self::run::said_at_once;
use self::written::{Written, write_state};
use crate::actor::{Durability, Durable};
use crate::codec::legible;
use crate::error::{ActivationError, NotApplied, panic_text};
use crate::id::{MessageId, Target};
use crate::limits::IDLE_PAUSE_MIN;
use crate::model::{Command, Keeps, Model, State, Tail};
use crate::process::{ActivationEnd, ActivationGuard, Reservation, Shared};
use crate::store::{Body, StoreError};
use crate::supervise::Standing;
use crate::turn::{About, Asked, Moment, Turn};

pub(crate) use self::answer::{Answer, Port, Told, not_applied};

/// What an activation takes. Its users send it by a [`DurableRef`](crate::DurableRef).
pub(crate) struct Incoming<A: Durable>(pub(crate) Request<A>);

pub(crate) enum Request<A: Durable> {
    /// A caller's command. A volatile actor's has no label unless the caller has chosen its id.
    Ask { label: Option<Label>, command: A::Command, port: Port<A> },
    /// A timer's command, which is rare and does not make the others longer; and the life of the actor that it belongs to.
    Timer { body: Box<Body>, life: u64 },
    /// The actor wants a turn of its own, and to know that it was.
    Own { done: ReplyPort<()> },
    /// There may be letters in the inbox.
    Mail,
    /// The letter that failed may be tried again.
    MailAgain,
    /// What is staged is to be stored.
    Flush,
    /// Messages have arrived, and are to be marked.
    Delivered,
    /// It may have had nothing to do for long enough.
    Idle,
    /// Its first turn has asked for passivation.
    Passivate,
}

/// What a caller's command is told from others by.
#[derive(Clone, Copy)]
pub(crate) struct Label {
    pub(crate) id: MessageId,
    /// Whether the caller has chosen it. If not, it was made for this command and is nowhere else.
    pub(crate) is_chosen: bool,
}

/// What an activation begins with.
pub(crate) struct Beginning {
    pub(crate) shared: Arc<Shared>,
    pub(crate) target: Target,
    pub(crate) reservation: Reservation,
}

/// The actor of an activation.
pub(crate) struct Engine<M> {
    pub(crate) model: Arc<M>,
}

/// An actor in memory.
pub(crate) struct Activation<M: Model> {
    myself: ActorRef<Incoming<M::Actor>>,
    model: Arc<M>,
    shared: Arc<Shared>,
    target: Target,
    state: State<M>,
    /// The state as it was last written, for types that keep it whole.
    written: Written,
    /// None if it is volatile.
    kept: Option<Box<Kept<M>>>,
    /// What the turn in hand asks for, if it is volatile: made once, as almost no turn of one does.
    asked: Asked,
    last_active: Instant,
    /// Dropped last: then there is no activation any more.
    guard: ActivationGuard,
}

/// What an activation has that is stored.
struct Kept<M: Model> {
    committer: Committer<M::Actor>,
    mailing: Mailing,
    /// What the stored state does not know.
    tail: Tail,
    /// How it stands to its supervisor, if it has one.
    standing: Option<Standing>,
}

pin_project! {
    /// What an activation is at. A call of a volatile actor goes by itself, so that it keeps nothing of what others need.
    #[project = Projected]
    enum Handling<C, V, K> {
        Call {
            #[pin]
            turn: C,
        },
        Volatile {
            #[pin]
            turn: V,
        },
        Kept {
            #[pin]
            turn: K,
        },
    }
}

impl<T, C, V, K> Future for Handling<C, V, K>
where
    C: Future<Output = T>,
    V: Future<Output = T>,
    K: Future<Output = T>,
{
    type Output = T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match self.project() {
            Projected::Call { turn } => turn.poll(cx),
            Projected::Volatile { turn } => turn.poll(cx),
            Projected::Kept { turn } => turn.poll(cx),
        }
    }
}

impl<M: Model> Actor for Engine<M> {
    type Msg = Incoming<M::Actor>;
    type State = Activation<M>;
    type Arguments = Beginning;

    async fn pre_start(
        &self,
        myself: &ActorRef<Self::Msg>,
        Beginning { shared, target, mut reservation }: Beginning,
    ) -> Result<Activation<M>, ActorError> {
        let (failure, permit) = (reservation.failure.clone(), reservation.permit.take());
        let executor = shared.executor().clone();
        let mut guard = ActivationGuard::new(shared, target, reservation);
        let begin = async {
            guard.wait_for_formers().await;
            Activation::begin(self.model.clone(), myself.clone(), guard).await
        };
        let begun = AssertUnwindSafe(holding(permit, &executor, begin)).catch_unwind().await;
        let error = match begun {
            Ok(Ok(activation)) => return Ok(activation),
            Ok(Err(error)) => error,
            Err(payload) => ActivationError::Panicked(panic_text(&*payload)),
        };
        let text = error.to_string();
        failure.set(error);
        Err(text.into())
    }

    fn handle(
        &self,
        _: &ActorRef<Self::Msg>,
        message: Self::Msg,
        activation: &mut Activation<M>,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        // Which it is, is known before anything is kept for either.
        let is_volatile = M::Actor::DURABILITY == Durability::Volatile;
        match message.0 {
            Request::Ask { label, command, port } if is_volatile => {
                Handling::Call { turn: activation.ask_volatile(label, command, port) }
            }
            request if is_volatile => Handling::Volatile { turn: activation.handle_volatile(request) },
            request => Handling::Kept { turn: activation.handle_kept(request) },
        }
    }

    async fn post_stop(
        &self,
        _: &ActorRef<Self::Msg>,
        activation: &mut Activation<M>,
    ) -> Result<(), ActorError> {
        activation.finish().await
    }
}

impl<M: Model> Activation<M> {
    /// As a plain actor would: no store, no copy, and no id unless the caller has chosen one.
    #[expect(clippy::manual_async_fn, reason = "an `async fn` keeps what it is asked twice")]
    fn ask_volatile(
        &mut self,
        label: Option<Label>,
        command: Command<M>,
        port: Port<M::Actor>,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        async move {
            let Self { model, state, target, shared, asked, .. } = self;
            let id = label.as_ref().map(|label| &label.id);
            let about = About { id, ..About::unasked(target, Moment::Now(shared)) };
            let mut turn = Turn::new(about, asked);
            let ran = model.run(command, state, &mut turn).await;
            let is_accepted = ran.is_ok();
            port.tell(said_at_once::<M::Actor>(ran));
            self.follow_volatile(is_accepted);
            Ok(())
        }
    }

    async fn handle_kept(&mut self, request: Request<M::Actor>) -> Result<(), ActorError> {
        // What panics outside of a handler ends the activation too.
        let handled = AssertUnwindSafe(self.try_handle(request)).catch_unwind().await;
        if M::Actor::DURABILITY != Durability::WriteThrough
            && !matches!(handled, Ok(Ok(())))
            && let Some(kept) = &mut self.kept
        {
            // Whatever ends the activation: these turns may have been answered. If it was their commit that failed, none is staged.
            drop(kept.committer.settle().await);
        }
        handled.unwrap_or_else(|payload| resume_unwind(payload))
    }

    async fn try_handle(&mut self, request: Request<M::Actor>) -> Result<(), ActorError> {
        if matches!(request, Request::Mail) && !is_last(&self.myself) {
            // With what waits behind it letters are looked for too, and those that came before that.
            return Ok(());
        }
        if let Err(error) = self.see_to_letters().await {
            if let Request::Ask { port, .. } = request {
                not_applied::<M::Actor>(port, NotApplied::ActivationEnded);
            }
            return Err(error);
        }
        match request {
            request if self.is_over() => self.handle_over(request).await?,
            request if self.is_suspended() => self.handle_suspended(request).await?,
            Request::Ask { label, command, port } => self.ask(label, command, port).await?,
            // A timer of another life is over with it.
            Request::Timer { life, .. } if life != self.life() => {}
            Request::Timer { body, life } => self.run_timer(body, life).await?,
            Request::Own { done } => self.run_own(done).await?,
            Request::Mail => {}
            Request::MailAgain => self.resume_mail().await?,
            Request::Flush => self.flush().await?,
            Request::Delivered => self.kept_mut()?.committer.mark_delivered().await?,
            Request::Idle => self.end_if_idle(),
            Request::Passivate => self.passivate(),
        }
        self.conclude().await
    }

    /// What comes before the request in hand.
    async fn see_to_letters(&mut self) -> Result<(), ActorError> {
        if self.is_suspended() && !self.is_over() {
            self.take_orders().await?;
        }
        if !self.is_suspended() && self.has_mail_to_read() {
            self.read_mail().await?;
        }
        Ok(())
    }

    /// What is asked of one that has ended for good.
    async fn handle_over(&mut self, request: Request<M::Actor>) -> Result<(), ActorError> {
        match request {
            // What it has answered it answers again.
            Request::Ask { label, command, port } => self.ask(label, command, port).await?,
            Request::Flush => self.flush().await?,
            Request::Delivered => self.kept_mut()?.committer.mark_delivered().await?,
            Request::Timer { .. }
            | Request::Own { .. }
            | Request::Mail
            | Request::MailAgain
            | Request::Idle
            | Request::Passivate => {}
        }
        Ok(())
    }

    /// Whether it has ended for good, stored or not.
    fn is_over(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.committer.ledger.has_ended())
    }

    /// Stores what is staged, if it is time for that.
    async fn conclude(&mut self) -> Result<(), ActorError> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let committer = &mut kept.committer;
        if committer.has_arrived() && is_last(&self.myself) {
            // Who was to tell of it found no room here.
            committer.mark_delivered().await?;
        }
        let is_due = match M::Actor::DURABILITY {
            _ if !committer.ledger.is_staged() => false,
            // After an end there is nothing that could join in.
            _ if committer.is_to_be_stored() || committer.ledger.has_ended() => true,
            // Whatever waits joins in: it is run first, and the flush comes behind it.
            Durability::WriteThrough => {
                is_last(&self.myself)
                    || !committer.flush_later(|| self.myself.cast(Incoming(Request::Flush)).is_ok())
            }
            // What comes later is handled by the next activation.
            Durability::WriteBack(_) | Durability::Lazy if committer.will_passivate() => true,
            Durability::WriteBack(interval) => {
                committer.flush_later(|| {
                    self.myself.send_after(interval, Incoming(Request::Flush));
                    true
                });
                false
            }
            Durability::Lazy | Durability::Volatile => false,
        };
        if is_due {
            self.settle().await?;
        }
        self.follow();
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), ActorError> {
        if let Some(kept) = &mut self.kept {
            kept.committer.has_flushed();
        }
        self.settle().await
    }

    /// Stores what is staged.
    async fn settle(&mut self) -> Result<(), ActorError> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        kept.committer.settle().await?;
        self.save_snapshot().await
    }

    /// Does what is to follow from what is stored.
    fn follow(&mut self) {
        let Some(kept) = &mut self.kept else { return };
        if kept.committer.ledger.head().has_ended {
            // What it has sent leaves all the same, and whoever was accepted is told.
            if kept.committer.await_outbox() {
                self.myself.drain();
            }
        } else if kept.committer.take_passivates() {
            self.passivate();
        }
    }

    /// Stores a state beside the journal, if there is enough of it that the state makes needless.
    async fn save_snapshot(&mut self) -> Result<(), ActorError> {
        if self.is_suspended() {
            // What is in memory is not its state.
            return Ok(());
        }
        let Some(kept) = &mut self.kept else { return Ok(()) };
        let last = kept.committer.ledger.head().sequence;
        let is_due = match M::KEEPS {
            // A turn that changes the state brings it along, and cuts the journal itself.
            Keeps::State => kept.committer.ledger.is_journal_long(),
            Keeps::Events { .. } => kept.tail.is_long(M::KEEPS, last),
        };
        if !is_due || kept.committer.ledger.is_staged() {
            return Ok(());
        }
        self.model.actor().on_checkpoint(&self.target.id, &self.state);
        // The journal has it all; if this fails, the state is stored when there is as much again.
        kept.tail = Tail::new(last);
        let body = match M::KEEPS {
            Keeps::State => Ok(self.written.body()),
            // Without the journal behind it, it is all that there is.
            Keeps::Events { .. } => write_state::<M>(&self.state).and_then(|body| {
                legible("a state", self.model.read_state(&self.target.id, &body))?;
                Ok(body)
            }),
        };
        let why = match body {
            Ok(body) => match kept.committer.save_snapshot(body).await {
                Ok(()) => return Ok(()),
                Err(error @ StoreError::Fenced { .. }) => return Err(error.into()),
                Err(error) => error.to_string(),
            },
            Err(form) => form.to_string(),
        };
        tracing::warn!(actor = %self.target, why, "a state was not stored beside its journal");
        Ok(())
    }

    /// The last thing: nothing is left behind that is not stored.
    async fn finish(&mut self) -> Result<(), ActorError> {
        let Some(kept) = &mut self.kept else { return Ok(()) };
        kept.committer.settle().await?;
        self.model.finish(&mut self.state).await;
        // So that whoever wants it need not wait for the end of a lease.
        kept.committer.release().await?;
        self.guard.end = ActivationEnd::GivenBack;
        Ok(())
    }

    fn kept_mut(&mut self) -> Result<&mut Kept<M>, ActivationError> {
        let nothing = || ActivationError::Inconsistent("a volatile actor keeps nothing".to_owned());
        self.kept.as_deref_mut().ok_or_else(nothing)
    }

    fn begin_timers(&self, timers: Vec<(std::time::Duration, Body)>) {
        for (delay, body) in timers {
            let body = Box::new(body);
            self.myself.send_after(delay, Incoming(Request::Timer { body, life: self.life() }));
        }
    }

    /// It has something to do. Nobody asks when, unless it is watched.
    fn note_active(&mut self) {
        if M::Actor::IDLE_MAX.is_some() {
            self.last_active = self.shared.executor().now();
        }
    }

    fn watch_idleness(&self) {
        if let Some(idle) = M::Actor::IDLE_MAX {
            self.myself.send_after(idle, Incoming(Request::Idle));
        }
    }

    fn end_if_idle(&mut self) {
        let Some(idle) = M::Actor::IDLE_MAX else { return };
        let since = self.shared.executor().now().saturating_since(self.last_active);
        let is_busy =
            self.kept.as_ref().is_some_and(|kept| kept.committer.is_sending() || kept.mailing.is_paused());
        let rest = match idle.checked_sub(since).filter(|rest| !rest.is_zero()) {
            Some(rest) => rest,
            None if !is_busy => return self.passivate(),
            // Where it goes may be unreachable for long, and what fails may be tried again after long.
            None => idle.max(IDLE_PAUSE_MIN),
        };
        self.myself.send_after(rest, Incoming(Request::Idle));
    }

    /// What is in the mailbox is handled; what comes later goes to the next activation.
    fn passivate(&self) {
        self.myself.drain();
    }
}

/// Whether nothing waits behind the message in hand.
fn is_last<T: Send + 'static>(myself: &ActorRef<T>) -> bool {
    myself.mailbox_stats().is_none_or(|stats| stats.depth == 0)
}

impl<A: Durable> std::fmt::Debug for Incoming<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Incoming")
    }
}
