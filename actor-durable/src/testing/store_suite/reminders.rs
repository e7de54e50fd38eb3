//! What is due, and what fires.

use std::time::Duration;

use super::Place;
use super::scene::{
    FAR, LONG, Scene, actor, body, handled, large, message, name, other_type, reminder, seizure, target,
    turn, waiting,
};
use crate::id::{MessageId, Name, OwnerId, Sequence, Target, WallTime};
use crate::limits::{CLOCK_SKEW_MAX, PAYLOAD_BYTES_MAX};
use crate::store::{
    CatchUp, Due, DuePlace, Firing, Head, Message, Refusal, Reminder, ReminderChange, Source, TurnCommit,
};

fn time(millis: u64) -> WallTime {
    WallTime::from_millis(millis)
}

/// An actor with reminders of these names, due at these times.
async fn reminded(scene: &Scene<'_>, id: &str, reminders: &[(&str, u64)]) -> Head {
    let head = scene.own(id).await;
    let set = reminders.iter().map(|(name, due)| ReminderChange::Set(reminder(name, time(*due)))).collect();
    scene.commit(TurnCommit { reminders: set, ..turn(&head) }).await
}

/// Which are due: whose, called what, and when.
async fn due(scene: &Scene<'_>, now: u64, limit: usize) -> (Vec<(Target, Name, WallTime)>, Option<WallTime>) {
    let Due { reminders, next } = scene.due(time(now), None, limit).await.expect("a store");
    let reminders = reminders.into_iter().map(|(target, reminder)| (target, reminder.name, reminder.due));
    (reminders.collect(), next)
}

/// The message of a reminder that was due at a time.
fn fired(to: &str, due: u64) -> Message {
    message(to, MessageId::of_key(time(due), b"r"))
}

fn firing(id: &str, due: u64, messages: Vec<Message>, next: Option<u64>) -> Firing {
    let (name, set_by) = (name("r"), Sequence(1));
    Firing { actor: actor(id), name, set_by, due: time(due), messages, next: next.map(time) }
}

/// Those that are due are given, the earliest first and never before they are; and when the next one is.
pub async fn reminders_are_due_when_they_say(place: &dyn Place) {
    let scene = Scene::open(place).await;
    assert_eq!(due(&scene, u64::MAX, 10).await, (vec![], None));
    reminded(&scene, "a", &[("r", 300), ("s", 100)]).await;
    reminded(&scene, "b", &[("r", 200), ("s", 400)]).await;
    let scene = scene.reopen().await;
    let [one, two, three, four] = [("a", "s", 100), ("b", "r", 200), ("a", "r", 300), ("b", "s", 400)]
        .map(|(id, called, at)| (target(id), name(called), time(at)));
    assert_eq!(due(&scene, 99, 10).await, (vec![], Some(time(100))));
    assert_eq!(due(&scene, 100, 10).await, (vec![one.clone()], Some(time(200))));
    assert_eq!(due(&scene, 350, 10).await, (vec![one.clone(), two.clone(), three.clone()], Some(time(400))));
    assert_eq!(due(&scene, 350, 2).await, (vec![one.clone(), two.clone()], Some(time(300))));
    assert_eq!(due(&scene, 350, 0).await, (vec![], Some(time(100))));
    assert_eq!(due(&scene, u64::MAX, 10).await, (vec![one, two, three, four], None));
}

/// Those behind a place are given, be there a reminder at that place or not.
pub async fn reminders_are_read_by_pages(place: &dyn Place) {
    let scene = Scene::open(place).await;
    reminded(&scene, "a", &[("r", 100), ("s", 100)]).await;
    reminded(&scene, "b", &[("r", 100), ("s", 200)]).await;
    let at =
        |id: &str, called: &str, due: u64| DuePlace { due: time(due), actor: actor(id), name: name(called) };
    let all = [at("a", "r", 100), at("a", "s", 100), at("b", "r", 100), at("b", "s", 200)];
    for read in 0..all.len() {
        let Due { reminders, next } = scene.due(time(150), Some(&all[read]), 1).await.expect("a store");
        let found =
            reminders.iter().map(|(target, reminder)| at(target.id.as_str(), reminder.name.as_str(), 100));
        let due: Vec<_> = all[read + 1..].iter().filter(|place| place.due == time(100)).cloned().collect();
        assert_eq!(found.collect::<Vec<_>>(), due.iter().take(1).cloned().collect::<Vec<_>>());
        let behind = all.get(read + 1 + due.len().min(1));
        assert_eq!(next, behind.map(|place| place.due), "behind {:?}", all[read]);
    }
    let nobody = at("a", "rr", 100);
    let Due { reminders, .. } = scene.due(time(150), Some(&nobody), 10).await.expect("a store");
    assert_eq!(
        reminders.iter().map(|(_, reminder)| &reminder.name).collect::<Vec<_>>(),
        [&name("s"), &name("r")]
    );
}

/// A reminder is found as it was set, whatever it says.
pub async fn a_reminder_is_found_whole(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let once = Reminder { period: None, catch_up: CatchUp::Skip, ..reminder("once", time(0)) };
    let long = Duration::new(86_400 * 365, 999_999_999);
    let often = Reminder { period: Some(long), catch_up: CatchUp::FireOnce, ..reminder("often", FAR) };
    let reminders = vec![often.clone(), once.clone()];
    let set = reminders.iter().cloned().map(ReminderChange::Set).collect();
    scene.commit(TurnCommit { reminders: set, ..turn(&head) }).await;
    let scene = scene.reopen().await;
    assert_eq!(scene.load(&actor("a"), head.epoch).await.expect("it is owned").reminders, reminders);
    let Due { reminders, next } = scene.due(time(1), None, 10).await.expect("a store");
    assert_eq!((reminders, next), (vec![(target("a"), once)], Some(FAR)));
}

/// Firing puts the messages into the inbox and sets the next time, whoever has the actor.
pub async fn a_reminder_fires(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = reminded(&scene, "a", &[("r", 100), ("s", 900), ("t", 250)]).await;
    scene.fill("a", [1]).await;
    let (first, second) = (fired("a", 100), fired("a", 200));
    let ids = [scene.id(1), first.id, second.id];
    let both = firing("a", 100, vec![first.clone(), second], Some(300));
    assert!(scene.fire(both.clone()).await.expect("it is due"));
    let scene = scene.reopen().await;
    assert_eq!(waiting(&scene, &head).await, ids);
    assert_eq!(scene.head_of("a").await.waiting, 3);
    let (r, s, t) = (reminder("r", time(100)), reminder("s", time(900)), reminder("t", time(250)));
    let expected = [Reminder { due: time(300), ..r }, s, t];
    assert_eq!(scene.load(&actor("a"), head.epoch).await.expect("it is owned").reminders, expected);
    // It lies behind what is due before it does again.
    let times = vec![(target("a"), name("t"), time(250)), (target("a"), name("r"), time(300))];
    assert_eq!(due(&scene, 299, 10).await, (times[..1].to_vec(), Some(time(300))));
    assert_eq!(due(&scene, 300, 10).await, (times, Some(time(900))));
    // Somebody else has read that it is due at the time before.
    assert!(!scene.fire(both).await.expect("a store"));
    assert_eq!(waiting(&scene, &head).await, ids);
    assert!(scene.fire(firing("a", 300, vec![fired("a", 300)], None)).await.expect("it is due"));
    let times = vec![(target("a"), name("t"), time(250)), (target("a"), name("s"), time(900))];
    assert_eq!(due(&scene, u64::MAX, 10).await, (times, None));
    let left = scene.load(&actor("a"), head.epoch).await.expect("it is owned").reminders;
    assert_eq!(left, [reminder("s", time(900)), reminder("t", time(250))]);
}

/// A reminder that was cancelled, set anew or deleted with its actor does not fire.
pub async fn a_reminder_that_is_not_there_does_not_fire(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = reminded(&scene, "a", &[("r", 100)]).await;
    let before = firing("a", 100, vec![fired("a", 100)], None);
    let early = Firing { due: time(99), ..before.clone() };
    let others = Firing { name: name("s"), ..before.clone() };
    let elsewhere = firing("b", 100, vec![fired("b", 100)], None);
    for firing in [early, others, elsewhere] {
        assert!(!scene.fire(firing).await.expect("a store"));
    }
    let set =
        |due| TurnCommit { reminders: vec![ReminderChange::Set(reminder("r", time(due)))], ..turn(&head) };
    let head = scene.commit(set(150)).await;
    assert!(!scene.fire(before).await.expect("a store"));
    let cancel = TurnCommit { reminders: vec![ReminderChange::Cancel(name("r"))], ..turn(&head) };
    let head = scene.commit(cancel).await;
    assert!(!scene.fire(firing("a", 150, vec![fired("a", 150)], None)).await.expect("a store"));
    assert_eq!(waiting(&scene, &head).await, []);
    assert_eq!(scene.head(&actor("b")).await.expect("a store"), None);
}

/// A reminder that is set again is another one, though it be due at the same time: who has read the one before has it not fire.
pub async fn a_reminder_that_is_set_again_is_another(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = reminded(&scene, "a", &[("r", 100)]).await;
    let again = Reminder { set_by: Sequence(2), body: body("again"), ..reminder("r", time(100)) };
    let set = TurnCommit { reminders: vec![ReminderChange::Set(again.clone())], ..turn(&head) };
    let head = scene.commit(set).await;
    let former = firing("a", 100, vec![fired("a", 100)], None);
    assert!(!scene.fire(former.clone()).await.expect("a store"));
    let scene = scene.reopen().await;
    let left = scene.load(&actor("a"), head.epoch).await.expect("it is owned").reminders;
    assert_eq!((left, waiting(&scene, &head).await), (vec![again.clone()], vec![]));
    let latter = Firing { set_by: again.set_by, next: Some(time(100)), ..former };
    assert!(scene.fire(latter.clone()).await.expect("it is due"));
    // At its next time it is the same one.
    let left = scene.load(&actor("a"), head.epoch).await.expect("it is owned").reminders;
    assert_eq!(left, [again]);
    assert!(scene.fire(Firing { next: None, ..latter }).await.expect("it is due"));
    assert_eq!(waiting(&scene, &head).await, [fired("a", 100).id]);
}

/// A message of a reminder is one for its id, as any other, though it may be older than all that is remembered.
pub async fn a_reminder_fires_once_and_however_late(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = reminded(&scene, "a", &[("r", 100)]).await;
    let (one, two, three) = (fired("a", 100), fired("a", 200), fired("a", 300));
    scene.enqueue(one.clone()).await.expect("it is new");
    let done = TurnCommit {
        handled: vec![handled(two.id, Source::Caller, None)],
        horizon: scene.began,
        ..turn(&head)
    };
    let head = scene.commit(done).await;
    let all = vec![one.clone(), two, three.clone(), three.clone()];
    assert!(scene.fire(firing("a", 100, all, Some(100))).await.expect("it is due"));
    assert_eq!(waiting(&scene, &head).await, [one.id, three.id]);
    assert_eq!(scene.head_of("a").await.waiting, 2);
    // Nothing is new: it is set to its next time all the same, and of what is known the size is no matter.
    let three = Message { body: large(PAYLOAD_BYTES_MAX + 1), ..three };
    assert!(scene.fire(firing("a", 100, vec![three], Some(500))).await.expect("it is due"));
    assert!(scene.fire(firing("a", 500, vec![], Some(600))).await.expect("it is due"));
    assert_eq!(due(&scene, 0, 10).await, (vec![], Some(time(600))));
    assert_eq!(scene.head_of("a").await.waiting, 2);
}

/// If one message of a firing is refused nothing of it happens.
pub async fn a_firing_happens_whole_or_not(place: &dyn Place) {
    let scene = Scene::open(place).await;
    reminded(&scene, "a", &[("r", 100)]).await;
    reminded(&scene, "b", &[("s", 100)]).await;
    let good = fired("a", 100);
    let with = |message| firing("a", 100, vec![good.clone(), message], None);
    let refusal = scene.refused(scene.fire(with(fired("b", 100)))).await;
    assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
    let wrong = Refusal::WrongType { stored: target("a").actor_type, asked: other_type("a").actor_type };
    let misled = Message { to: other_type("a"), ..fired("a", 200) };
    assert_eq!(scene.refused(scene.fire(with(misled))).await, wrong);
    let (size, max) = (PAYLOAD_BYTES_MAX + 1, PAYLOAD_BYTES_MAX);
    let huge = Message { body: large(size), ..fired("a", 200) };
    let refusal = scene.refused(scene.fire(with(huge))).await;
    assert_eq!(refusal, Refusal::TooLarge { what: "a payload", size, max });
    let future = place.now().after(CLOCK_SKEW_MAX + Duration::from_secs(60));
    let early = message("a", MessageId::new(future, 1));
    let refusal = scene.refused(scene.fire(with(early))).await;
    assert!(matches!(refusal, Refusal::FromTheFuture { .. }), "{refusal}");
    assert!(scene.fire(with(fired("a", 200))).await.expect("nothing is wrong with it"));
}

/// Reminders belong to the actor, whoever has it.
pub async fn reminders_outlive_their_owner(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = reminded(&scene, "a", &[("r", 100)]).await;
    scene.release(&actor("a"), head.epoch).await.expect("it is owned");
    assert!(scene.fire(firing("a", 100, vec![fired("a", 100)], Some(200))).await.expect("it is due"));
    assert_eq!(scene.waiting(None, 10).await.expect("a store"), [target("a")]);
    scene.renew(OwnerId::new(2), LONG).await.expect("a lease");
    let head = scene.acquire(seizure("a", 2)).await.expect("it is free");
    let left = scene.load(&actor("a"), head.epoch).await.expect("it is owned").reminders;
    assert_eq!(left, [Reminder { due: time(200), ..reminder("r", time(100)) }]);
}
