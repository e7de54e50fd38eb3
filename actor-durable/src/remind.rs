//! When a reminder fires, and how often, if nobody was there in time. Pure; time is what it is told.

use std::time::Duration;

use crate::id::{MessageId, Target, WallTime};
use crate::limits::{CATCH_UP_MAX, REMINDER_LATE_MAX};
use crate::store::{CatchUp, Firing, Headers, Message, Reminder};

/// What a reminder that is due comes to. Its messages' ids are made of its name, of the turn that has set it and of the time that
/// each stands for: so they come once, and those of one that is set again are others.
pub(crate) fn fire(target: &Target, reminder: &Reminder, now: WallTime) -> Option<Firing> {
    if reminder.due > now {
        return None;
    }
    let (times, next) = times(reminder, now);
    let message = |due: WallTime| Message {
        to: target.clone(),
        id: id(target, reminder, due),
        from: None,
        reply_to: None,
        sent_at: due,
        body: reminder.body.clone(),
        headers: Headers::new(),
    };
    let messages = times.into_iter().map(message).collect();
    let Reminder { name, set_by, due, .. } = reminder;
    let (actor, name) = (target.id.clone(), name.clone());
    Some(Firing { actor, name, set_by: *set_by, due: *due, messages, next })
}

/// The time of the id is the reminder's own, so the same firing by another process has the same one. It stands for no age:
/// [`Store::fire`](crate::store::Store::fire) takes a message however old.
fn id(target: &Target, reminder: &Reminder, due: WallTime) -> MessageId {
    let (actor, name) = (target.id.as_str(), reminder.name.as_str());
    let (set_by, due_bytes) = (reminder.set_by.0.to_le_bytes(), due.as_millis().to_le_bytes());
    MessageId::hashed(due, &[b"reminder", actor.as_bytes(), name.as_bytes(), &set_by, &due_bytes])
}

/// The times to fire for, and the next one.
fn times(reminder: &Reminder, now: WallTime) -> (Vec<WallTime>, Option<WallTime>) {
    let Reminder { due, period, catch_up, .. } = reminder;
    let late = now.since(*due);
    let Some(period) = period.filter(|period| *period >= Duration::from_millis(1)) else {
        // Whoever looks once a while looks a little late; that is no downtime.
        return match catch_up {
            CatchUp::Skip if late > REMINDER_LATE_MAX => (Vec::new(), None),
            _ => (vec![*due], None),
        };
    };
    let period_ms = u64::try_from(period.as_millis()).unwrap_or(u64::MAX);
    let nth = |n: u64| WallTime::from_millis(due.as_millis().saturating_add(period_ms.saturating_mul(n)));
    let missed = u64::try_from(late.as_millis()).unwrap_or(u64::MAX) / period_ms;
    match catch_up {
        CatchUp::FireOnce => (vec![nth(missed)], Some(nth(missed + 1))),
        CatchUp::Skip if now.since(nth(missed)) > REMINDER_LATE_MAX => (Vec::new(), Some(nth(missed + 1))),
        CatchUp::Skip => (vec![nth(missed)], Some(nth(missed + 1))),
        CatchUp::FireAll => {
            // So many at a time; the rest is due already, and comes with the next look.
            let count = (missed + 1).min(CATCH_UP_MAX as u64);
            ((0..count).map(nth).collect(), Some(nth(count)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ActorType, DurableId, Name, Sequence};
    use crate::store::Body;

    fn target() -> Target {
        let actor_type = ActorType::new("order").expect("a good name");
        Target { id: DurableId::new("order-1").expect("a good id"), actor_type }
    }

    fn at(second: u64) -> WallTime {
        WallTime::from_millis(second * 1000)
    }

    /// Due at 100 s, and each 60 s if it has a period.
    fn fired(is_periodic: bool, catch_up: CatchUp, now: WallTime) -> Option<(Vec<u64>, Option<u64>)> {
        let period = is_periodic.then_some(Duration::from_secs(60));
        let name = Name::new("r").expect("a good name");
        let (set_by, body) = (Sequence(1), Body::default());
        let reminder = Reminder { name, set_by, due: at(100), period, catch_up, body };
        let firing = fire(&target(), &reminder, now)?;
        let seconds = |time: WallTime| time.as_millis() / 1000;
        Some((
            firing.messages.iter().map(|message| seconds(message.sent_at)).collect(),
            firing.next.map(seconds),
        ))
    }

    #[test]
    fn never_early() {
        for catch_up in [CatchUp::FireOnce, CatchUp::Skip, CatchUp::FireAll] {
            assert_eq!(fired(true, catch_up, WallTime::from_millis(99_999)), None);
            assert_eq!(fired(true, catch_up, at(100)), Some((vec![100], Some(160))));
            assert_eq!(fired(false, catch_up, at(100)), Some((vec![100], None)));
        }
    }

    #[test]
    fn after_downtime_once_or_not_at_all_or_as_often_as_it_was_due() {
        // 100, 160, 220 and 280 were missed; it is a while after the last.
        let now = at(280).after(REMINDER_LATE_MAX).after(Duration::from_millis(1));
        assert_eq!(fired(true, CatchUp::FireOnce, now), Some((vec![280], Some(340))));
        assert_eq!(fired(true, CatchUp::Skip, now), Some((vec![], Some(340))));
        assert_eq!(fired(true, CatchUp::FireAll, now), Some((vec![100, 160, 220, 280], Some(340))));
        assert_eq!(fired(false, CatchUp::FireOnce, now), Some((vec![100], None)));
        assert_eq!(fired(false, CatchUp::Skip, now), Some((vec![], None)));
    }

    #[test]
    fn a_long_downtime_is_caught_up_with_in_parts() {
        let now = at(100 + 60 * (CATCH_UP_MAX as u64 + 5));
        let (times, next) = fired(true, CatchUp::FireAll, now).expect("it is due");
        assert_eq!((times.len(), next), (CATCH_UP_MAX, Some(100 + 60 * CATCH_UP_MAX as u64)));
    }

    #[test]
    fn the_same_time_has_the_same_id_whoever_fires_it() {
        let name = Name::new("r").expect("a good name");
        let (set_by, period, body) = (Sequence(1), None, Body::default());
        let reminder = Reminder { name, set_by, due: at(100), period, catch_up: CatchUp::FireOnce, body };
        let [one, other] = [at(100), at(9000)].map(|now| fire(&target(), &reminder, now).expect("it is due"));
        assert_eq!(one, other);
    }

    #[test]
    fn the_messages_of_two_actors_names_turns_or_times_have_two_ids() {
        let fired = |actor: &str, name: &str, set_by: u64, due: u64| {
            let target = Target { id: DurableId::new(actor).expect("a good id"), ..target() };
            let name = Name::new(name).expect("a good name");
            let (set_by, period, body) = (Sequence(set_by), None, Body::default());
            let reminder = Reminder { name, set_by, due: at(due), period, catch_up: CatchUp::FireOnce, body };
            fire(&target, &reminder, at(due)).expect("it is due").messages[0].id
        };
        let first = fired("a", "r", 1, 1);
        let others =
            [fired("b", "r", 1, 1), fired("a", "s", 1, 1), fired("a", "r", 2, 1), fired("a", "r", 1, 2)];
        assert!(others.iter().all(|other| *other != first));
    }

    #[test]
    fn a_period_of_less_than_a_clock_shows_is_none() {
        let name = Name::new("r").expect("a good name");
        let (period, body) = (Some(Duration::from_micros(999)), Body::default());
        let set_by = Sequence(1);
        let reminder = Reminder { name, set_by, due: at(100), period, catch_up: CatchUp::FireAll, body };
        let firing = fire(&target(), &reminder, at(200)).expect("it is due");
        assert_eq!((firing.messages.len(), firing.next), (1, None));
    }
}
