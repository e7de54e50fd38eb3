//! What runs beside the actors for as long as the system does: the lease, the mail, the reminders. Each asks the store, and
//! what it cannot do now it does later.

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use actor_core::{Executor, Instant};
use futures_util::future::{Either, select};

use super::shared::Shared;
use crate::id::{DurableId, Target, WallTime};
use crate::limits::{PAGE_ROWS_MAX, REMINDER_PAGE};
use crate::remind::fire;
use crate::store::{Arrival, Arrivals, Due, DuePlace, Reminder, StoreError};

/// Begins them all.
pub(super) fn begin(shared: &Arc<Shared>, lease: Duration, look: Duration, arrivals: Box<dyn Arrivals>) {
    let executor = shared.executor();
    shared.add_service(executor.spawn(keep_lease(executor.clone(), Arc::downgrade(shared), lease)));
    shared.add_service(executor.spawn(see_to_reminders(executor.clone(), shared.clone(), look)));
    shared.add_service(executor.spawn(see_to_mail(executor.clone(), shared.clone(), look, arrivals)));
}

async fn keep_lease(executor: Executor, shared: Weak<Shared>, lease: Duration) {
    loop {
        executor.sleep(lease / 3).await;
        let Some(shared) = shared.upgrade() else { return };
        if let Err(error) = shared.renew(lease).await {
            // Whoever takes the actors meanwhile is told apart by the epoch.
            tracing::warn!(%error, "the lease of this process was not renewed");
        }
    }
}

async fn see_to_reminders(executor: Executor, shared: Arc<Shared>, look_interval: Duration) {
    loop {
        let set = pin!(shared.reminders.notified());
        let pause = match fire_due(&shared).await {
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
async fn fire_due(shared: &Arc<Shared>) -> Result<Duration, StoreError> {
    let now = shared.wall_time();
    let (mut after, mut soonest) = (None, None);
    loop {
        let Due { reminders, next } = shared.store().due(now, after.as_ref(), REMINDER_PAGE).await?;
        let last = reminders.last().map(DuePlace::of);
        for (target, reminder) in reminders {
            let again = fire_one(shared, &target, &reminder, now).await;
            soonest = earlier(soonest, again);
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
) -> Option<WallTime> {
    let firing = fire(target, reminder, now)?;
    let next = firing.next;
    match shared.store().fire(firing).await {
        Ok(_) => {
            has_mail(shared, target);
            next
        }
        // Of one actor; the others' are not less due.
        Err(error) => {
            tracing::warn!(actor = %target, reminder = %reminder.name, %error, "a reminder did not fire");
            None
        }
    }
}

/// Tells the actor, or activates it.
fn has_mail(shared: &Arc<Shared>, target: &Target) {
    if shared.tell_mail(target) || !shared.knows(target) {
        return;
    }
    // Whoever has it elsewhere hears of it there; then this one does not begin.
    if let Err(why) = shared.resolve(target) {
        tracing::debug!(actor = %target, %why, "an actor with letters was not activated");
    }
}

async fn see_to_mail(
    executor: Executor,
    shared: Arc<Shared>,
    look_interval: Duration,
    mut arrivals: Box<dyn Arrivals>,
) {
    let mut is_told = true;
    look_everywhere(&shared).await;
    let mut again_at: Option<Instant> = None;
    let mut look_at = executor.now() + look_interval;
    loop {
        let arrival = async {
            if !is_told {
                std::future::pending::<()>().await;
            }
            arrivals.next().await
        };
        let again = shared.mail.notified();
        let look = executor.sleep_until(again_at.map_or(look_at, |again_at| again_at.min(look_at)));
        let other = async {
            select(pin!(again), pin!(look)).await;
        };
        let next = match select(pin!(arrival), pin!(other)).await {
            Either::Left((arrival, _)) => Some(arrival),
            Either::Right(_) => None,
        };
        match next {
            Some(Arrival::Mail(target)) => has_mail(&shared, &target),
            Some(Arrival::Missed) => {
                tell_all(&shared);
                look_everywhere(&shared).await;
            }
            Some(Arrival::Closed) => is_told = false,
            None => {
                let (due, next) = shared.take_again(executor.now());
                for target in due {
                    look_into(&shared, &target).await;
                }
                again_at = next;
                if executor.now() >= look_at {
                    look_everywhere(&shared).await;
                    look_at = executor.now() + look_interval;
                }
            }
        }
    }
}

/// Activates the actor if letters wait for it, or if an activation here has lost it: another one goes on with what that has
/// left, such as messages that have not arrived.
async fn look_into(shared: &Arc<Shared>, target: &Target) {
    match shared.store().head(&target.id).await {
        Ok(Some(head)) if head.has_mail() || head.owner == Some(shared.owner()) => has_mail(shared, target),
        Ok(_) => {}
        Err(error) => tracing::warn!(actor = %target, %error, "an inbox was not looked into"),
    }
}

/// There may be letters for any of those in memory.
fn tell_all(shared: &Shared) {
    for target in shared.active().targets() {
        shared.tell_mail(&target);
    }
}

/// Activates those that have something to do and nobody who does it.
async fn look_everywhere(shared: &Arc<Shared>) {
    let mut after: Option<DurableId> = None;
    loop {
        let page = match shared.store().waiting(after.as_ref(), PAGE_ROWS_MAX).await {
            Ok(page) => page,
            Err(error) => return tracing::warn!(%error, "inboxes were not looked into"),
        };
        let Some(last) = page.last() else { return };
        after = Some(last.id.clone());
        page.iter().for_each(|target| has_mail(shared, target));
    }
}
