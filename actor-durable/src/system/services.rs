//! What runs beside the actors for as long as the system does: the lease, the mail, the reminders. Each asks the store, and
//! what it cannot do now it does later.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actor_core::{Executor, Instant};
use futures_util::future::{Either, select};

use crate::id::{DurableId, Name, Sequence, Target, WallTime};
use crate::limits::{BEGINNING_MAX, PAGE_ROWS_MAX, REACTIVATION_PAUSE, REMINDER_PAGE, UNFIRED_MAX};
use crate::process::Shared;
use crate::remind::fire;
use crate::store::{Arrival, Arrivals, Due, DuePlace, Reminder, StoreError};

/// Begins them all.
pub(super) fn begin(shared: &Arc<Shared>, lease: Duration, look: Duration, arrivals: Box<dyn Arrivals>) {
    let executor = shared.executor();
    shared.add_service(executor.spawn(keep_lease(executor.clone(), Arc::downgrade(shared), lease)));
    shared.add_service(executor.spawn(see_to_reminders(executor.clone(), shared.clone(), look)));
    shared.add_service(executor.spawn(see_to_mail(executor.clone(), shared.clone(), arrivals)));
    shared.add_service(executor.spawn(look_around(executor.clone(), shared.clone(), look)));
}

async fn keep_lease(executor: Executor, shared: Weak<Shared>, lease: Duration) {
    let pause = lease / 3;
    let mut next = executor.now() + pause;
    loop {
        executor.sleep_until(next).await;
        next = executor.now() + pause;
        let Some(shared) = shared.upgrade() else { return };
        // Whoever takes the actors meanwhile is told apart by the epoch.
        match executor.timeout_at(next, shared.renew(lease)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the lease of this process was not renewed"),
            Err(late) => tracing::warn!(error = %late, "the lease of this process was not renewed"),
        }
    }
}

async fn see_to_reminders(executor: Executor, shared: Arc<Shared>, look_interval: Duration) {
    let mut unfired = Unfired::new(look_interval);
    loop {
        let set = pin!(shared.reminders.notified());
        let pause = match fire_due(&shared, &mut unfired).await {
            Ok(pause) => pause.min(look_interval),
            Err(error) => {
                tracing::warn!(%error, "reminders were not looked at");
                look_interval
            }
        };
        if !pause.is_zero() {
            select(set, pin!(executor.sleep(pause))).await;
        }
    }
}

/// Fires what is due, each once, and says when something may be again. What does not fire keeps nothing from firing that is
/// due later.
async fn fire_due(shared: &Arc<Shared>, unfired: &mut Unfired) -> Result<Duration, StoreError> {
    let now = shared.wall_time();
    unfired.forget_before(shared.executor().now());
    let (mut after, mut soonest) = (None, None);
    loop {
        let Due { reminders, next } = shared.store().due(now, after.as_ref(), REMINDER_PAGE).await?;
        let last = reminders.last().map(DuePlace::of);
        for (target, reminder) in reminders {
            if unfired.contains(&target, &reminder) {
                continue;
            }
            match fire_one(shared, &target, &reminder, now).await {
                Ok(again) => soonest = earlier(soonest, again),
                // It is one actor's; the reminders of others fire all the same.
                Err(error) => {
                    tracing::warn!(actor = %target, reminder = %reminder.name, %error, "a reminder did not fire");
                    unfired.add(&target, &reminder, shared.executor().now());
                }
            }
        }
        if last.is_none() || next.is_none_or(|next| next > now) {
            let pause = |at: WallTime| at.since(shared.wall_time());
            return Ok(earlier(soonest, next).map_or(Duration::MAX, pause));
        }
        after = last;
    }
}

fn earlier(one: Option<WallTime>, other: Option<WallTime>) -> Option<WallTime> {
    one.into_iter().chain(other).min()
}

/// Fires a reminder, and says when it is due again.
async fn fire_one(
    shared: &Arc<Shared>,
    target: &Target,
    reminder: &Reminder,
    now: WallTime,
) -> Result<Option<WallTime>, StoreError> {
    let Some(firing) = fire(target, reminder, now) else { return Ok(None) };
    let next = firing.next;
    shared.store().fire(firing).await?;
    wake(shared, target).await;
    Ok(next)
}

/// Reminders that did not fire, until they are tried again: others that are set or fire meanwhile do not have them tried.
struct Unfired {
    pause: Duration,
    until: BTreeMap<(DurableId, Name, Sequence), Instant>,
}

impl Unfired {
    fn new(pause: Duration) -> Self {
        Self { pause, until: BTreeMap::new() }
    }

    fn forget_before(&mut self, now: Instant) {
        self.until.retain(|_, until| *until > now);
    }

    fn add(&mut self, target: &Target, reminder: &Reminder, now: Instant) {
        if self.until.len() < UNFIRED_MAX {
            self.until.insert(Self::key(target, reminder), now + self.pause);
        }
    }

    fn contains(&self, target: &Target, reminder: &Reminder) -> bool {
        self.until.contains_key(&Self::key(target, reminder))
    }

    /// One that is set again is another.
    fn key(target: &Target, reminder: &Reminder) -> (DurableId, Name, Sequence) {
        (target.id.clone(), reminder.name.clone(), reminder.set_by)
    }
}

/// Letters wait for an actor: tells it, or activates it once few enough others begin here. Another process may do so meanwhile.
async fn wake(shared: &Arc<Shared>, target: &Target) {
    if shared.tell_mail(target) || !shared.knows(target) {
        return;
    }
    let permit = shared.may_begin().await;
    // If another process has the actor, that one is told there, and this activation does not begin.
    if let Err(why) = shared.resolve_with(target, permit) {
        tracing::debug!(actor = %target, %why, "an actor with letters was not activated");
    }
}

async fn see_to_mail(executor: Executor, shared: Arc<Shared>, mut arrivals: Box<dyn Arrivals>) {
    let mut is_told = true;
    let mut again_at: Option<Instant> = None;
    loop {
        let arrival = async {
            if !is_told {
                std::future::pending::<()>().await;
            }
            arrivals.next().await
        };
        let again = shared.mail.notified();
        let look = async {
            match again_at {
                Some(again_at) => executor.sleep_until(again_at).await,
                None => std::future::pending().await,
            }
        };
        let other = async {
            select(pin!(again), pin!(look)).await;
        };
        let next = match select(pin!(arrival), pin!(other)).await {
            Either::Left((arrival, _)) => Some(arrival),
            Either::Right(_) => None,
        };
        match next {
            Some(Arrival::Mail(target)) => wake(&shared, &target).await,
            Some(Arrival::Missed) => {
                tell_all(&shared);
                shared.missed.notify_one();
            }
            Some(Arrival::Closed) => is_told = false,
            None => {
                let (due, next) = shared.take_again(executor.now());
                look_into_all(&shared, &due).await;
                again_at = next;
            }
        }
    }
}

/// Nobody else looks into the inboxes of actors that the store says are this process's. So an inbox that cannot be looked into now is
/// looked into later.
async fn look_into_all(shared: &Arc<Shared>, targets: &[Target]) {
    let mut failure = None;
    for target in targets {
        if let Err(error) = look_into(shared, target).await {
            shared.look_again(target, REACTIVATION_PAUSE);
            failure = Some((target, error));
        }
    }
    // Mostly they fail together: one line says it.
    if let Some((target, error)) = failure {
        tracing::warn!(actor = %target, %error, "inboxes were not looked into, this one among them");
    }
}

/// Activates the actor if letters wait for it, or if an activation here has lost it: another one goes on with what that has
/// left, such as messages that have not arrived.
async fn look_into(shared: &Arc<Shared>, target: &Target) -> Result<(), StoreError> {
    let Some(head) = shared.store().head(&target.id).await? else { return Ok(()) };
    if head.has_mail() || head.owner == Some(shared.owner()) {
        wake(shared, target).await;
    }
    Ok(())
}

/// There may be letters for any actor in memory.
fn tell_all(shared: &Shared) {
    for target in shared.active().targets() {
        shared.tell_mail(&target);
    }
}

/// Looks at once, after each interval, and when something may have been missed.
async fn look_around(executor: Executor, shared: Arc<Shared>, look_interval: Duration) {
    loop {
        if let Err(error) = look_everywhere(&shared).await {
            tracing::warn!(%error, "inboxes were not looked into");
        }
        select(pin!(shared.missed.notified()), pin!(executor.sleep(look_interval))).await;
    }
}

/// Activates the actors that have something to do and no owner. Other processes do the same, perhaps at the same time: each begins a
/// few, drawn at random, and looks again at what is left.
async fn look_everywhere(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let mut after: Option<DurableId> = None;
    loop {
        let mut page = shared.store().waiting(after.as_ref(), PAGE_ROWS_MAX).await?;
        let Some(last) = page.last().map(|target| target.id.clone()) else { return Ok(()) };
        // Other processes know the others.
        page.retain(|target| shared.knows(target));
        let mut tried = BTreeSet::new();
        while !page.is_empty() {
            shuffle(&mut page, || shared.executor().random_u64());
            for target in page.drain(..page.len().min(BEGINNING_MAX)) {
                wake(shared, &target).await;
                tried.insert(target.id);
            }
            page = shared.store().waiting(after.as_ref(), PAGE_ROWS_MAX).await?;
            page.retain(|target| target.id <= last && shared.knows(target) && !tried.contains(&target.id));
        }
        after = Some(last);
    }
}

/// By Fisher and Yates.
fn shuffle<T>(items: &mut [T], mut random: impl FnMut() -> u64) {
    for at in (1..items.len()).rev() {
        let other = random() % (at as u64 + 1);
        // It is at most `at`.
        items.swap(at, usize::try_from(other).unwrap_or(at));
    }
}
