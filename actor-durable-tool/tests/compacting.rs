//! `compact`: the one command that writes.

use std::fs;

use actor_durable::store::Store;
use actor_durable::{ActorType, DurableId, Target};

use crate::scene::{Scene, message, open};

#[tokio::test]
async fn a_file_becomes_small_and_keeps_all() {
    let scene = Scene::with_actors().await;
    let store = open(&scene.path()).await;
    let to = Target {
        id: DurableId::new("b c").expect("a good id"),
        actor_type: ActorType::new("order").expect("a good name"),
    };
    for number in 100..110 {
        store.enqueue(message(&to, number, &"x".repeat(100_000))).await.expect("it is new");
    }
    store.close().await;
    let shown = ["inspect", "store.redb", "b c", "--json"];
    let (before, actor) = (scene.bytes().len(), scene.look(&shown));
    let said = scene.run(&["compact", "store.redb"]);
    let after = scene.bytes().len();
    assert!(after < before, "{after} of {before}");
    assert_eq!(said.parts(), (Some(0), &*format!("store.redb: {before} bytes before, {after} after\n"), ""));
    assert_eq!(scene.look(&shown), actor);
    assert_eq!(scene.look(&["verify", "store.redb"]).code, Some(0));

    let said = scene.run(&["compact", "store.redb", "--json"]);
    let again = scene.bytes().len();
    let line = format!(
        "{{\"kind\":\"compacted\",\"path\":\"store.redb\",\"bytes_before\":{after},\"bytes_after\":{again}}}\n"
    );
    assert_eq!(said.parts(), (Some(0), &*line, ""));
}

#[test]
fn what_is_not_there_is_not_made() {
    let scene = Scene::empty();
    for command in ["inspect", "verify", "compact"] {
        let said = scene.run(&[command, "store.redb"]);
        let why = "actor-durable-tool: store.redb: the store is not available: \
            No such file or directory (os error 2)\n";
        assert_eq!(said.parts(), (Some(2), "", why));
    }
    assert_eq!(fs::read_dir(scene.directory.path()).expect("it is there").count(), 0);
}
