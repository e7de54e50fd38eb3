//! Leases, epochs and fences: who may do what with an actor. Must not live here: what they do.

use std::time::Duration;

use super::Place;
use super::scene::{
    LONG, Scene, actor, claim, entry, giving_up, handled, other_type, outgoing, seizure, snapshot, target,
    turn, turns,
};
use crate::id::{Epoch, OwnerId, Position, Sequence, WallTime};
use crate::limits::EPOCH_MIN_MAX;
use crate::store::{
    Claim, ClaimMode, GivingUp, Head, Message, Recovery, Refusal, Renewal, Source, TurnCommit,
};

/// A lease that ends when [`PASSED`] has passed. Between, a slow store has time.
const SHORT: Duration = Duration::from_secs(4);
const PASSED: Duration = Duration::from_secs(5);

/// An actor that nobody has heard of begins with nothing, in its first epoch.
pub async fn an_actor_begins_to_be_when_it_is_acquired(place: &dyn Place) {
    let scene = Scene::open(place).await;
    assert_eq!(scene.head(&actor("a")).await.expect("a store"), None);
    let head = scene.own("a").await;
    let first = Head {
        target: target("a"),
        epoch: Epoch(1),
        owner: Some(OwnerId::new(1)),
        crashes: 0,
        sequence: Sequence::ZERO,
        snapshot: None,
        trimmed: Sequence::ZERO,
        horizon: WallTime::ZERO,
        next: head.next,
        waiting: 0,
        has_ended: false,
        created_at: head.created_at,
    };
    assert_eq!(head, first);
    assert!(place.now().since(head.created_at) < Duration::from_secs(60), "it begins now");
    assert_eq!(scene.head_of("a").await, first);
    assert_eq!(scene.load(&actor("a"), Epoch(1)).await.expect("it is owned"), Recovery::default());
    assert_eq!(scene.entries(&actor("a"), Sequence::ZERO, 10).await.expect("it is there"), []);
    let scene = scene.reopen().await;
    assert_eq!(scene.head_of("a").await, first);
    assert_eq!(scene.inbox(&actor("a"), Epoch(1), Position::ZERO, 10).await.expect("it is owned"), []);
}

/// Whoever has never had a lease, has retired, or has let it end, acquires nothing.
pub async fn an_owner_without_a_lease_acquires_nothing(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let over = Refusal::LeaseOver { owner: OwnerId::new(1) };
    assert_eq!(scene.refused(scene.acquire(claim("a", 1))).await, over);
    scene.own("b").await;
    scene.retire(OwnerId::new(1)).await.expect("it lives");
    assert_eq!(scene.refused(scene.acquire(claim("b", 1))).await, over);
    scene.renew(OwnerId::new(1), SHORT).await.expect("a lease");
    scene.place.pass(PASSED).await;
    assert_eq!(scene.refused(scene.acquire(claim("a", 1))).await, over);
    assert_eq!(scene.head(&actor("a")).await.expect("a store"), None);
}

/// A lease lasts as long as it says from when it was last renewed.
pub async fn a_lease_is_prolonged(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let owner = OwnerId::new(1);
    scene.renew(owner, SHORT).await.expect("a lease");
    scene.renew(owner, LONG).await.expect("a lease");
    scene.place.pass(PASSED).await;
    scene.acquire(claim("a", 1)).await.expect("the lease goes on");
    scene.renew(OwnerId::new(2), LONG).await.expect("a lease");
    assert_eq!(scene.refused(scene.acquire(claim("a", 2))).await, Refusal::Held { owner });
}

/// Whoever renews a lease is told whether it was over, or retired, or never was.
pub async fn a_lease_that_was_over_begins_anew(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let renew = async |owner, lease| scene.renew(OwnerId::new(owner), lease).await.expect("a lease");
    assert_eq!(renew(1, LONG).await, Renewal::Begun);
    assert_eq!(renew(1, SHORT).await, Renewal::Extended);
    assert_eq!(renew(2, LONG).await, Renewal::Begun);
    scene.place.pass(PASSED).await;
    assert_eq!(renew(2, LONG).await, Renewal::Extended);
    assert_eq!(renew(1, LONG).await, Renewal::Begun);
    scene.retire(OwnerId::new(1)).await.expect("it lives");
    assert_eq!(renew(1, LONG).await, Renewal::Begun);
}

/// Nobody takes an actor from an owner whose lease is not over; everybody may when it is.
pub async fn an_actor_is_held_as_long_as_its_owners_lease(place: &dyn Place) {
    let scene = Scene::open(place).await;
    scene.renew(OwnerId::new(1), SHORT).await.expect("a lease");
    scene.acquire(claim("a", 1)).await.expect("it is new");
    scene.renew(OwnerId::new(2), LONG).await.expect("a lease");
    let held = Refusal::Held { owner: OwnerId::new(1) };
    assert_eq!(scene.refused(scene.acquire(claim("a", 2))).await, held);
    scene.place.pass(PASSED).await;
    let head = scene.acquire(claim("a", 2)).await.expect("the lease is over");
    assert_eq!((head.epoch, head.owner, head.crashes), (Epoch(2), Some(OwnerId::new(2)), 1));
    assert_eq!(scene.reopen().await.head_of("a").await, head);
}

/// What an owner has not released is free when it retires; its other actors too.
pub async fn a_retired_owner_holds_nothing(place: &dyn Place) {
    let scene = Scene::open(place).await;
    scene.own("a").await;
    scene.own("b").await;
    scene.retire(OwnerId::new(1)).await.expect("it lives");
    scene.retire(OwnerId::new(1)).await.expect("it may be told twice");
    for id in ["a", "b"] {
        let head = scene.own_as(id, 2).await;
        assert_eq!((head.epoch, head.owner, head.crashes), (Epoch(2), Some(OwnerId::new(2)), 1));
    }
}

/// An actor that was given back is nobody's, has not crashed, and whoever gave it back is fenced.
pub async fn a_released_actor_is_free(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    scene.release(&actor("a"), head.epoch).await.expect("it is owned");
    assert_eq!(scene.head_of("a").await, Head { owner: None, ..head.clone() });
    assert_eq!(scene.fenced(scene.release(&actor("a"), head.epoch)).await, (1, 1));
    assert_eq!(scene.fenced(scene.commit_turn(turn(&head))).await, (1, 1));
    let taken = scene.own_as("a", 2).await;
    assert_eq!((taken.epoch, taken.owner, taken.crashes), (Epoch(2), Some(OwnerId::new(2)), 0));
    assert_eq!(scene.fenced(scene.release(&actor("a"), head.epoch)).await, (1, 2));
}

/// Somebody who knows takes an actor from an owner that lives.
pub async fn a_held_actor_may_be_seized(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    scene.renew(OwnerId::new(2), LONG).await.expect("a lease");
    let taken = scene.acquire(seizure("a", 2)).await.expect("it is seized");
    assert_eq!((taken.epoch, taken.owner, taken.crashes), (Epoch(2), Some(OwnerId::new(2)), 1));
    assert_eq!(scene.fenced(scene.commit_turn(turn(&head))).await, (1, 2));
    scene.commit_turn(turn(&taken)).await.expect("it is owned");
    let over = Refusal::LeaseOver { owner: OwnerId::new(3) };
    assert_eq!(scene.refused(scene.acquire(seizure("a", 3))).await, over);
}

/// An owner may take again what it has, as it does when it does not know what became of a commit.
pub async fn an_owner_takes_its_own_again(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    let again = scene.own("a").await;
    assert_eq!((again.epoch, again.owner, again.crashes), (Epoch(2), head.owner, 1));
    assert_eq!(scene.fenced(scene.commit_turn(turn(&head))).await, (1, 2));
}

/// An epoch is at least what a placement has decided, and greater than all before.
pub async fn an_epoch_is_never_less_than_it_must_be(place: &dyn Place) {
    let scene = Scene::open(place).await;
    scene.renew(OwnerId::new(1), LONG).await.expect("a lease");
    for (epoch_min, epoch) in [(7, 7), (3, 8), (8, 9), (u64::MAX / 4, u64::MAX / 4)] {
        let claim = Claim { epoch_min: Epoch(epoch_min), ..claim("a", 1) };
        assert_eq!(scene.acquire(claim).await.expect("it is its own").epoch, Epoch(epoch));
    }
    assert_eq!(scene.reopen().await.head_of("a").await.epoch, Epoch(u64::MAX / 4));
}

/// A placement decides on no epoch that would leave too few for those who acquire an actor after it, be it a later one.
pub async fn an_epoch_with_no_room_above_it_is_refused(place: &dyn Place) {
    let scene = Scene::open(place).await;
    scene.own("there").await;
    let claim = |id, epoch_min| Claim { epoch_min: Epoch(epoch_min), ..claim(id, 1) };
    for epoch_min in [EPOCH_MIN_MAX + 1, i64::MAX.cast_unsigned(), u64::MAX] {
        for id in ["there", "new"] {
            let refusal = scene.refused(scene.acquire(claim(id, epoch_min))).await;
            assert!(matches!(refusal, Refusal::Malformed(_)), "{refusal}");
        }
    }
    assert_eq!(scene.head(&actor("new")).await.expect("a store"), None);
    let greatest = scene.acquire(claim("a", EPOCH_MIN_MAX)).await.expect("it is new").epoch;
    assert_eq!(greatest, Epoch(EPOCH_MIN_MAX));
    assert_eq!(scene.own("a").await.epoch, greatest.next());
    // Those that come after it begin where it was.
    scene.delete(&actor("a"), greatest.next()).await.expect("it is owned");
    assert_eq!(scene.own("b").await.epoch, greatest.next().next());
}

/// Owners that lost an actor without a commit are counted, until there is a commit.
pub async fn crashes_are_counted_until_a_commit(place: &dyn Place) {
    let scene = Scene::open(place).await;
    for crashes in 0..3 {
        assert_eq!(scene.own("a").await.crashes, crashes);
    }
    let head = scene.own("a").await;
    scene.commit_turn(turn(&head)).await.expect("it is owned");
    assert_eq!(scene.head_of("a").await.crashes, 0);
    assert_eq!(scene.own("a").await.crashes, 1);
}

/// Whoever does not own an actor any more, or not yet, does nothing with it, whatever else would be wrong.
pub async fn whoever_does_not_own_an_actor_changes_and_reads_nothing(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let before = scene.own("a").await;
    scene.enqueue(scene.message("a", 1)).await.expect("it is new");
    scene.renew(OwnerId::new(2), LONG).await.expect("a lease");
    let head = scene.acquire(seizure("a", 2)).await.expect("it is seized");
    let mut commit = turn(&head);
    commit.outbox = vec![outgoing(1, 0)];
    scene.commit_turn(commit).await.expect("it is owned");
    let latest = (Epoch(u64::MAX), (u64::MAX, 2));
    for (epoch, fence) in [(before.epoch, (1, 2)), (head.epoch.next(), (3, 2)), latest] {
        is_fenced(&scene, epoch, fence).await;
    }
    // Who has given it back does not own it either.
    scene.release(&actor("a"), head.epoch).await.expect("it is owned");
    is_fenced(&scene, head.epoch, (2, 2)).await;
}

async fn is_fenced(scene: &Scene<'_>, epoch: Epoch, fence: (u64, u64)) {
    let id = &actor("a");
    let waiting = scene.id(1);
    let mut commit = TurnCommit::new(id.clone(), epoch, Sequence(1));
    commit.entries = vec![entry(2)];
    assert_eq!(scene.fenced(scene.commit_turn(commit.clone())).await, fence);
    // It does not hear that the journal is elsewhere, or of messages.
    commit.expected = Sequence(7);
    commit.entries = vec![entry(8)];
    commit.handled = vec![handled(scene.id(9), Source::Inbox, None)];
    assert_eq!(scene.fenced(scene.commit_turn(commit)).await, fence);
    assert_eq!(scene.fenced(scene.release(id, epoch)).await, fence);
    assert_eq!(scene.fenced(scene.load(id, epoch)).await, fence);
    assert_eq!(scene.fenced(scene.inbox(id, epoch, Position::ZERO, 10)).await, fence);
    assert_eq!(scene.fenced(scene.save_snapshot(id, epoch, snapshot(1, "s"), None)).await, fence);
    assert_eq!(scene.fenced(scene.save_snapshot(id, epoch, snapshot(9, "s"), None)).await, fence);
    assert_eq!(scene.fenced(scene.begin_attempt(id, epoch, waiting)).await, fence);
    assert_eq!(scene.fenced(scene.begin_attempt(id, epoch, scene.id(9))).await, fence);
    assert_eq!(scene.fenced(scene.mark_delivered(id, epoch, &[outgoing(1, 0).position])).await, fence);
    assert_eq!(scene.fenced(scene.transfer(id, epoch, outgoing(1, 0).position)).await, fence);
    let giving_up = GivingUp { epoch, ..giving_up(&scene.head_of("a").await, outgoing(1, 0).position) };
    assert_eq!(scene.fenced(scene.give_up_delivery(giving_up)).await, fence);
    assert_eq!(scene.fenced(scene.delete(id, epoch)).await, fence);
}

/// Epochs fence, and leases do not: an owner that is late goes on as long as nobody has taken the actor.
pub async fn an_owner_whose_lease_is_over_goes_on_until_somebody_takes_the_actor(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let head = scene.own("a").await;
    scene.retire(OwnerId::new(1)).await.expect("it lives");
    scene.commit_turn(turn(&head)).await.expect("it is owned");
    scene.own_as("a", 2).await;
    assert_eq!(scene.fenced(scene.commit_turn(turns(&head, 2))).await, (1, 2));
}

/// Nothing can be done with an actor that nobody has heard of, and it does not begin to be by that.
pub async fn an_actor_that_is_not_there_is_said_to_be_none(place: &dyn Place) {
    let scene = Scene::open(place).await;
    let (id, epoch, none) = (&actor("a"), Epoch(1), Refusal::NoSuchActor);
    let mut commit = TurnCommit::new(id.clone(), epoch, Sequence::ZERO);
    commit.entries = vec![entry(1)];
    assert_eq!(scene.refused(scene.commit_turn(commit)).await, none);
    assert_eq!(scene.refused(scene.release(id, epoch)).await, none);
    assert_eq!(scene.refused(scene.load(id, epoch)).await, none);
    assert_eq!(scene.refused(scene.entries(id, Sequence::ZERO, 10)).await, none);
    assert_eq!(scene.refused(scene.inbox(id, epoch, Position::ZERO, 10)).await, none);
    assert_eq!(scene.refused(scene.save_snapshot(id, epoch, snapshot(1, "s"), None)).await, none);
    assert_eq!(scene.refused(scene.begin_attempt(id, epoch, scene.id(1))).await, none);
    assert_eq!(scene.refused(scene.mark_delivered(id, epoch, &[])).await, none);
    assert_eq!(scene.refused(scene.delete(id, epoch)).await, none);
    assert_eq!(scene.refused(scene.dead_letters(id, None, 10)).await, none);
    assert_eq!(scene.refused(scene.revive(id, scene.id(1))).await, none);
    assert_eq!(scene.refused(scene.purge(id, scene.id(1))).await, none);
    assert_eq!(scene.reply(id, scene.id(1)).await.expect("a store"), None);
    assert_eq!(scene.head(id).await.expect("a store"), None);
}

/// An id is one actor's, of one type.
pub async fn an_actor_of_another_type_is_refused(place: &dyn Place) {
    let scene = Scene::open(place).await;
    scene.own("a").await;
    let wrong = Refusal::WrongType { stored: target("a").actor_type, asked: other_type("a").actor_type };
    let claim = Claim { target: other_type("a"), ..claim("a", 1) };
    assert_eq!(scene.refused(scene.acquire(claim.clone())).await, wrong);
    assert_eq!(scene.refused(scene.acquire(Claim { mode: ClaimMode::Seize, ..claim })).await, wrong);
    let message = scene.message("a", 1);
    let misled = Message { to: other_type("a"), ..message.clone() };
    assert_eq!(scene.refused(scene.enqueue(misled.clone())).await, wrong);
    scene.enqueue(message).await.expect("it is new");
    assert_eq!(scene.refused(scene.enqueue(misled)).await, wrong, "though it is not new");
}
