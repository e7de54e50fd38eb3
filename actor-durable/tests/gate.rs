//! Nothing leaves before it is stored.

use std::future::IntoFuture;

use crate::stage::{Command, World, account};

#[test]
fn many_commands_at_once_are_stored_together_and_each_has_its_own_reply() {
    let mut world = World::new();
    world.run(async |system| {
        let account = account(system, "a");
        account.call(Command::Add(0)).await.expect("it is stored");
        let calls = (0..100).map(|_| account.call(Command::Add(1)).into_future());
        let mut replies: Vec<i64> = futures_util::future::join_all(calls)
            .await
            .into_iter()
            .map(|reply| reply.expect("it is stored"))
            .collect();
        replies.sort_unstable();
        assert_eq!(replies, (1..=100).collect::<Vec<_>>());
    });
}
