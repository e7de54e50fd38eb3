//! The points that are no operation's beginning or end alone: each is reached by a life that leads to it, what is stored shows that
//! it is the point, and there the store fails in each mode.
//!
//! ```text
//!  P3   half is paid, no state is stored ─ crash ─► the journal is read entry by entry ── here
//!  P8   pays … ─► so many events are stored ── here ─► the state beside them
//!  P9   pays … ─► the state is stored ── here ─► what it makes needless is dropped
//!  P12  half is paid, and all of it stored ─► passivated ── here ─► given back; meanwhile the rest is paid
//!  P13  half is paid ─► shut down ─► a second process pays the rest ── here ─► acquires
//! ```

use std::cell::OnceCell;
use std::fmt;

use futures_util::future::join;

use super::actors::VAULT_KEPT;
use super::run::{HALF, PAUSE, PAYMENTS, Trial};
use super::teller::Teller;
use super::{Fault, FaultMode, Operation, judge};
use crate::DurableSystem;
use crate::id::DurableId;
use crate::store::{Head, Store};
use crate::testing::store_suite::Place;

/// So many states are refused before the third point: more than are tried.
const REFUSED: u64 = 64;

/// A point of durable.md between operations.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Point {
    /// P3: some entries of a journal were read and applied, and some were not.
    MidReplay,
    /// P8: events are stored, and the state that they come to is not.
    StateNotSaved,
    /// P9: the state is stored, and what it makes needless is there.
    NotTrimmed,
    /// P12: all is stored, and the actor is not given back.
    NotReleased,
    /// P13: the actor is given back, and nobody has acquired it.
    NotAcquired,
}

impl Point {
    /// All of them.
    pub const ALL: &[Point] =
        &[Point::MidReplay, Point::StateNotSaved, Point::NotTrimmed, Point::NotReleased, Point::NotAcquired];

    /// The operation after the point.
    fn operation(self) -> Operation {
        match self {
            Point::MidReplay => Operation::Entries,
            Point::StateNotSaved => Operation::SaveSnapshot,
            Point::NotTrimmed => Operation::Trim,
            Point::NotReleased => Operation::Release,
            Point::NotAcquired => Operation::Acquire,
        }
    }

    /// The visits of the operation that are at the point.
    fn visits(self) -> &'static [u64] {
        match self {
            // The first reads the first entry.
            Point::MidReplay => &[2, 4],
            Point::StateNotSaved | Point::NotTrimmed => &[1, 2],
            Point::NotReleased | Point::NotAcquired => &[1],
        }
    }
}

/// A fault at a point.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strike {
    /// Where.
    pub point: Point,
    /// At which visit of the operation after it.
    pub visit: u64,
    /// How.
    pub mode: FaultMode,
    /// Which actor is read, where it is in the midst of replaying.
    actor: &'static str,
}

impl Strike {
    pub(super) fn all(point: Point) -> impl Iterator<Item = Self> {
        let actors = if point == Point::MidReplay { &["vault", "teller"][..] } else { &["teller"] };
        let visits =
            point.visits().iter().flat_map(move |visit| actors.iter().map(move |actor| (visit, actor)));
        visits.flat_map(move |(visit, actor)| {
            FaultMode::ALL.iter().map(move |mode| Strike { point, visit: *visit, mode: *mode, actor })
        })
    }

    /// Whether each run comes there, in each form.
    pub(super) fn is_sure(&self) -> bool {
        self.visit == self.point.visits()[0] && (self.point != Point::MidReplay || self.actor == "vault")
    }

    pub(super) fn fault(self) -> Fault {
        Fault { operation: self.point.operation(), visit: self.visit, mode: self.mode }
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} of the {}: {}", self.point, self.actor, self.fault())
    }
}

/// When what is stored is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// The operation after the point has not been.
    Before,
    /// It has.
    After,
}

impl<T: Teller> Trial<T> {
    /// Runs, and says whether the fault struck.
    ///
    /// # Errors
    ///
    /// What does not hold; that it was not the point.
    pub(super) async fn strike(self, place: &impl Place, strike: Strike) -> Result<bool, String> {
        if strike.actor == "teller" && strike.point == Point::MidReplay && !T::KEEPS_EVENTS {
            // It replays nothing.
            return Ok(false);
        }
        self.lead_to(place, strike.point).await?;
        let inner = place.open().await;
        let store = self.watched(inner.clone(), [strike.fault()]);
        store.read_by(1);
        let seen = OnceCell::new();
        let paused = async {
            let looked = self.look(strike, &*inner, Look::Before).await;
            seen.get_or_init(|| looked);
            // sleep: the pause that is to be survived
            tokio::time::sleep(PAUSE).await;
        };
        let work = async |system: DurableSystem| self.work(strike, &system, &*inner).await;
        let has_crashed = self.run_life(&store, Some(strike.fault()), paused, work).await?;
        match strike.mode {
            // Where so much was stored at once the life does not come there so often.
            _ if has_crashed != strike.mode.is_crash() => {}
            FaultMode::CrashBefore => self.look(strike, &*inner, Look::Before).await?,
            FaultMode::CrashAfter => self.look(strike, &*inner, Look::After).await?,
            _ => seen.into_inner().unwrap_or(Ok(()))?,
        }
        let has_struck = store.faults_left().is_empty();
        drop((store, inner));
        place.pass(self.lease * 2).await;
        if has_crashed {
            self.process(self.watched(place.open().await, None), None).await?;
            place.pass(self.lease * 2).await;
        }
        self.judge(place).await?;
        Ok(has_struck)
    }

    /// The life before the one that comes to the point.
    async fn lead_to(&self, place: &impl Place, point: Point) -> Result<(), String> {
        let refused = |visit| Fault { operation: Operation::SaveSnapshot, visit, mode: FaultMode::Refuse };
        let (plan, crashes) = match point {
            Point::MidReplay => ((1..=REFUSED).map(refused).collect(), true),
            Point::NotAcquired => (Vec::new(), false),
            Point::StateNotSaved | Point::NotTrimmed | Point::NotReleased => return Ok(()),
        };
        let inner = place.open().await;
        let store = self.watched(inner.clone(), plan);
        let work = async |system: DurableSystem| {
            self.pay(&system, HALF).await;
            self.deliver(&*inner).await;
            if crashes {
                store.crash();
                return std::future::pending().await;
            }
            system.shutdown(self.lease).await.map_err(|error| format!("shutdown: {error}"))
        };
        self.run_life(&store, None, std::future::ready(()), work).await?;
        drop((store, inner));
        place.pass(self.lease * 2).await;
        Ok(())
    }

    /// The life that comes to the point.
    async fn work(&self, strike: Strike, system: &DurableSystem, inner: &dyn Store) -> Result<(), String> {
        match strike.point {
            Point::MidReplay if strike.actor == "vault" => drop(judge::look_at_vault(system).await),
            Point::MidReplay => drop(judge::look_at_teller::<T>(system).await),
            Point::NotReleased => {
                self.pay(system, HALF).await;
                self.deliver(inner).await;
                join(system.passivate(&id_of("teller")), self.pay(system, PAYMENTS)).await;
            }
            Point::StateNotSaved | Point::NotTrimmed | Point::NotAcquired => {}
        }
        self.finish(system).await
    }

    /// Whether what is stored is what is stored at the point.
    async fn look(&self, strike: Strike, store: &dyn Store, look: Look) -> Result<(), String> {
        let (teller, vault) = (head(store, "teller").await?, head(store, "vault").await?);
        let is_it = match (strike.point, look) {
            // No state is stored, and there are more entries than were read.
            (Point::MidReplay, _) => {
                let read = if strike.actor == "vault" { &vault } else { &teller };
                read.as_ref().is_some_and(|it| it.snapshot.is_none() && it.sequence.0 > strike.visit)
            }
            (Point::StateNotSaved, Look::Before) => {
                [&vault, &teller].into_iter().flatten().any(|head| behind_state(head) >= 2)
            }
            (Point::StateNotSaved, Look::After) => {
                [&vault, &teller].into_iter().flatten().any(|head| behind_state(head) == 0)
            }
            (Point::NotTrimmed, Look::Before) => vault.as_ref().is_some_and(|it| needless(it) > 0),
            (Point::NotTrimmed, Look::After) => {
                vault.as_ref().is_some_and(|it| it.trimmed.0 > 0 && needless(it) == 0)
            }
            (Point::NotReleased, look) => {
                let is_owned = teller.as_ref().is_some_and(|it| it.owner.is_some());
                is_owned == (look == Look::Before) && self.is_half_stored(store).await?
            }
            (Point::NotAcquired, look) => {
                let is_owned = teller.as_ref().is_some_and(|it| it.owner.is_some());
                is_owned == (look == Look::After)
            }
        };
        if is_it { Ok(()) } else { Err(format!("it is not the point: {teller:?}, {vault:?}")) }
    }

    /// Whether all of the first half is handled.
    async fn is_half_stored(&self, store: &dyn Store) -> Result<bool, String> {
        let teller = id_of("teller");
        let acknowledged = self.acknowledged();
        let half: Vec<_> = acknowledged.iter().filter(|payment| payment.number < HALF).collect();
        for payment in &half {
            if store.reply(&teller, payment.id).await.map_err(|error| error.to_string())?.is_none() {
                return Ok(false);
            }
        }
        Ok(half.len() == 2 * HALF as usize)
    }
}

/// So many entries are not in the state that is stored beside them.
fn behind_state(head: &Head) -> u64 {
    head.sequence.0 - head.snapshot.map_or(0, |snapshot| snapshot.0)
}

/// So many entries lie in the vault's journal that its state makes needless.
fn needless(vault: &Head) -> u64 {
    let snapshot = vault.snapshot.map_or(0, |snapshot| snapshot.0);
    snapshot.saturating_sub(VAULT_KEPT).saturating_sub(vault.trimmed.0)
}

async fn head(store: &dyn Store, id: &str) -> Result<Option<Head>, String> {
    store.head(&id_of(id)).await.map_err(|error| error.to_string())
}

fn id_of(id: &str) -> DurableId {
    DurableId::new(id).expect("a good id")
}
