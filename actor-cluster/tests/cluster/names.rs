//! Names and groups of the cluster.

use actor_cluster::limits::LABEL_BYTES_MAX;
use actor_cluster::{FindError, PublishError};
use actor_core::{SpawnOptions, Status};

use super::Network;
use super::support::actors::{Trapped, Trapper};
use super::support::{Count, Gate, Start, id, node, on_every_shape, settle, two};

on_every_shape! {
    a_name_leads_to_the_least_node_that_publishes_it_and_home_first
    a_group_lists_its_members_node_by_node
    an_actor_that_ends_is_withdrawn_everywhere
    what_is_published_before_a_session_is_known_when_it_is_ready
    a_label_can_be_taken_back_and_given_again
    an_actor_of_another_type_is_not_found
    unusable_publications_are_refused
}

async fn a_name_leads_to_the_least_node_that_publishes_it_and_home_first(network: Network) {
    let [a, b, c] = [node(&network, 5).await, node(&network, 3).await, node(&network, 4).await];
    for (from, to) in [(&a, &b), (&b, &c), (&c, &a)] {
        from.connect(to).await;
    }
    let third = c.publish("counter", Start::default()).await;
    settle().await;
    assert_eq!([&a, &b, &c].map(|node| node.find("counter").id()), [third.id(); 3]);
    let second = b.publish("counter", Start::default()).await;
    let first = a.publish("counter", Start::default()).await;
    settle().await;
    assert_eq!(a.find("counter"), first);
    assert_eq!(b.find("counter"), second);
    assert_eq!(c.find("counter"), third);
    // Without one at home, all agree: 3 is less than 4 and 5.
    a.server.unpublish("counter", &first);
    c.server.unpublish("counter", &third);
    settle().await;
    assert_eq!([&a, &c].map(|node| node.find("counter").id()), [second.id(); 2]);
    b.server.unpublish("counter", &second);
    settle().await;
    assert_eq!(a.server.find::<Count>("counter").unwrap_err(), FindError::NotFound);
}

async fn a_group_lists_its_members_node_by_node(network: Network) {
    let (a, b) = two(&network).await;
    let mut expected = [Vec::new(), Vec::new()];
    for (node, expected) in [&a, &b].into_iter().zip(&mut expected) {
        for count in 0..3 {
            let counter = node.counter(count).await;
            node.server.join_group("counters", &counter).unwrap();
            node.server.join_group("counters", &counter).unwrap();
            expected.push(counter.id());
        }
    }
    settle().await;
    let [ours, theirs] = expected;
    assert_eq!(a.group("counters"), [&ours[..], &theirs].concat());
    assert_eq!(b.group("counters"), [&theirs[..], &ours].concat());
    for (count, member) in (0..).zip(&a.server.group::<Count>("counters")[3..]) {
        assert_eq!(member.call(Count::Get).await, Ok(count));
    }
    assert_eq!(a.group("others"), []);
    let leaving = a.server.group::<Count>("counters")[1].clone();
    a.server.leave_group("counters", &leaving);
    a.server.leave_group("counters", &leaving);
    settle().await;
    assert_eq!(b.group("counters"), [&theirs[..], &[ours[0], ours[2]]].concat());
}

async fn an_actor_that_ends_is_withdrawn_everywhere(network: Network) {
    let (a, b) = two(&network).await;
    let counter = b.publish("one", Start::default()).await;
    b.server.publish("two", &counter).unwrap();
    b.server.join_group("counters", &counter).unwrap();
    settle().await;
    assert_eq!(a.find("one"), a.find("two"));
    counter.kill_and_wait(None).await.unwrap();
    settle().await;
    for node in [&a, &b] {
        for name in ["one", "two"] {
            assert_eq!(node.server.find::<Count>(name).unwrap_err(), FindError::NotFound);
        }
        assert_eq!(node.group("counters"), []);
    }
    // The names are free, and so is the room that they took.
    for _ in 0..100 {
        let counter = b.publish("one", Start::default()).await;
        counter.kill_and_wait(None).await.unwrap();
    }
}

async fn what_is_published_before_a_session_is_known_when_it_is_ready(network: Network) {
    let (a, b) = (node(&network, 1).await, node(&network, 2).await);
    // More than one frame of them.
    let counter = b.counter(0).await;
    for number in 0..300 {
        b.server.publish(&format!("name-{number}"), &counter).unwrap();
    }
    let here = a.publish("here", Start::default()).await;
    a.connect(&b).await;
    for number in 0..300 {
        assert_eq!(a.find(&format!("name-{number}")).id(), counter.id());
    }
    settle().await;
    assert_eq!(b.find("here").id(), here.id());
    drop(b);
    settle().await;
    assert!((0..300).all(|number| a.server.find::<Count>(&format!("name-{number}")).is_err()));
}

async fn a_label_can_be_taken_back_and_given_again(network: Network) {
    let (a, b) = two(&network).await;
    let (first, second) = (b.counter(1).await, b.counter(2).await);
    for _ in 0..20 {
        for (counter, count) in [(&first, 1), (&second, 2)] {
            b.server.publish("counter", counter).unwrap();
            b.server.publish("counter", counter).unwrap();
            settle().await;
            assert_eq!(a.find("counter").call(Count::Get).await, Ok(count));
            b.server.unpublish("counter", counter);
            b.server.unpublish("counter", counter);
        }
    }
    // It is known that they end, however often they were published.
    b.server.publish("counter", &first).unwrap();
    first.stop_and_wait(None, None).await.unwrap();
    settle().await;
    assert!(a.server.find::<Count>("counter").is_err() && b.server.find::<Count>("counter").is_err());
}

async fn an_actor_of_another_type_is_not_found(network: Network) {
    let (a, b) = two(&network).await;
    let trapper = b.system.spawn(Trapper, (), SpawnOptions::new()).await.unwrap();
    b.server.publish("it", &trapper).unwrap();
    b.server.join_group("them", &trapper).unwrap();
    let counter = b.counter(0).await;
    b.server.join_group("them", &counter).unwrap();
    settle().await;
    for node in [&a, &b] {
        assert_eq!(node.server.find::<Count>("it").unwrap_err(), FindError::WrongType(id(2)));
        assert_eq!(node.server.find::<Trapped>("it").unwrap().id(), trapper.id());
        assert_eq!(node.group("them"), [counter.id()]);
        let trappers = node.server.group::<Trapped>("them");
        assert_eq!(trappers.iter().map(|actor| actor.id()).collect::<Vec<_>>(), [trapper.id()]);
    }
}

async fn unusable_publications_are_refused(network: Network) {
    let (a, b) = two(&network).await;
    let counter = b.publish("counter", Start::default()).await;
    settle().await;
    let (ours, remote) = (a.counter(0).await, a.find("counter"));
    // Another node's, and another system's of this very process.
    assert_eq!(a.server.publish("mine", &remote), Err(PublishError::NotLocal));
    assert_eq!(a.server.publish("mine", &counter), Err(PublishError::NotLocal));
    // Nor does another's actor of the same number take ours from under its name.
    assert_eq!(ours.id().serial(), counter.id().serial());
    a.server.publish("ours", &ours).unwrap();
    a.server.unpublish("ours", &counter);
    assert_eq!(a.find("ours"), ours);
    for label in ["", "a\nb", &"x".repeat(LABEL_BYTES_MAX + 1)] {
        assert_eq!(a.server.publish(label, &ours), Err(PublishError::Label), "{label:?}");
        assert_eq!(a.server.join_group(label, &ours), Err(PublishError::Label), "{label:?}");
    }
    a.server.publish(&"x".repeat(LABEL_BYTES_MAX), &ours).unwrap();
    a.server.publish("taken", &ours).unwrap();
    assert_eq!(a.server.publish("taken", &a.counter(0).await), Err(PublishError::NameTaken));
    ours.stop_and_wait(None, None).await.unwrap();
    assert_eq!(ours.status(), Status::Stopped);
    assert_eq!(a.server.publish("late", &ours), Err(PublishError::Stopping));
    // The session took no harm.
    assert_eq!(remote.call(Count::Get).await, Ok(0));
}

#[tokio::test(start_paused = true)]
async fn what_a_node_publishes_is_bounded_so_that_a_session_can_be_told_of_it_all() {
    let network = Network::one_stream();
    let (a, b) = (node(&network, 1).await, node(&network, 2).await);
    let counter = b.spawn(Start { gate: Gate::default(), ..Start::default() }).await;
    let label = |number: usize| format!("{number:0>width$}", width = LABEL_BYTES_MAX);
    let mut published = 0;
    let refused = loop {
        match b.server.join_group(&label(published), &counter) {
            Ok(()) => published += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, PublishError::TooMany);
    assert!(published > 10_000);
    a.connect(&b).await;
    assert_eq!(a.group(&label(published - 1)), [counter.id()]);
    assert_eq!(a.group(&label(published)), []);
    b.server.leave_group(&label(0), &counter);
    b.server.join_group(&label(published), &counter).unwrap();
    settle().await;
    assert_eq!((a.group(&label(0)), a.group(&label(published))), (vec![], vec![counter.id()]));
}
