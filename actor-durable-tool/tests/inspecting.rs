//! `inspect`: a list of all actors, and one of them.

use std::process::Command;

use actor_durable::store::Store;
use actor_durable::{ActorType, DurableId, Target};

use crate::scene::{Said, Scene, end, message, open};

#[tokio::test]
async fn all_actors_are_listed_with_what_they_have() {
    let scene = Scene::with_actors().await;
    assert_eq!(scene.look(&["inspect", "store.redb"]).text(), include_str!("said/list.txt"));
    assert_eq!(scene.look(&["inspect", "store.redb", "--json"]).text(), include_str!("said/list-json.txt"));
}

#[tokio::test]
async fn a_list_goes_on_where_it_ended() {
    let scene = Scene::with_actors().await;
    assert_eq!(
        scene.look(&["inspect", "store.redb", "--limit", "1"]).text(),
        include_str!("said/list-first.txt")
    );
    assert_eq!(
        scene.look(&["inspect", "store.redb", "--limit", "1", "--json"]).text(),
        include_str!("said/list-first-json.txt")
    );
    assert_eq!(
        scene.look(&["inspect", "store.redb", "--from", "b c"]).text(),
        include_str!("said/list-from.txt")
    );
    assert_eq!(
        scene.look(&["inspect", "store.redb", "--from", "c", "--limit", "0"]).text(),
        include_str!("said/list-none.txt")
    );
}

#[tokio::test]
async fn what_a_list_says_to_go_on_with_is_so_for_a_shell_whatever_the_id() {
    let scene = Scene::empty();
    let store = open(&scene.path()).await;
    let counter = ActorType::new("counter").expect("a good name");
    let strange = ["a", "b", "it's $HOME", "j\\k \"`l`!", "\u{65e5}\u{200b}"];
    for id in strange {
        let target = Target { id: DurableId::new(id).expect("a good id"), actor_type: counter.clone() };
        store.enqueue(message(&target, 1, "hello")).await.expect("it is new");
    }
    store.close().await;
    let mut next = String::from("--from a");
    for id in strange {
        let mut shell = Command::new("sh");
        let words =
            format!("{} inspect store.redb --limit 1 {next}", env!("CARGO_BIN_EXE_actor-durable-tool"));
        let said = Said::of(
            &shell.current_dir(scene.directory.path()).args(["-c", &words]).output().expect("a shell"),
        );
        assert!(said.output.contains(&format!("counter {id}\n")), "{words}: {said:?}");
        next = said
            .output
            .lines()
            .find_map(|line| line.strip_prefix("there are more: "))
            .unwrap_or("")
            .to_owned();
    }
    assert_eq!(next, "", "it was the last");
}

#[tokio::test]
async fn an_actor_is_shown_with_all_it_has() {
    let scene = Scene::with_actors().await;
    assert_eq!(scene.look(&["inspect", "store.redb", "a"]).text(), include_str!("said/actor.txt"));
    assert_eq!(
        scene.look(&["inspect", "store.redb", "a", "--json"]).text(),
        include_str!("said/actor-json.txt")
    );
}

#[tokio::test]
async fn a_history_is_shown_from_an_entry_on_and_so_many() {
    let scene = Scene::with_actors().await;
    assert_eq!(
        scene.look(&["inspect", "store.redb", "a", "--from", "2", "--limit", "1", "--bytes", "2"]).text(),
        include_str!("said/actor-page.txt")
    );
}

#[tokio::test]
async fn an_actor_that_has_ended_is_shown_as_far_back_as_its_journal_goes() {
    let scene = Scene::with_actors().await;
    let store = open(&scene.path()).await;
    end(&store).await;
    store.close().await;
    let said = scene.look(&["inspect", "store.redb", "a", "--from", "1"]);
    let lines: Vec<&str> = said.output.lines().collect();
    assert_eq!(lines[3], "created   2027-01-15T08:00:00.000Z, ended for good");
    assert_eq!(lines[4], "sequence  4, trimmed until 3");
    let history = ["history: 1", "  4 2027-01-15T08:00:04.000Z stopped, unchanged", "inbox: 1"];
    assert_eq!((said.code, &lines[8..11]), (Some(0), &history[..]));
}

#[tokio::test]
async fn a_list_is_as_long_as_there_are_actors() {
    const ACTORS: usize = 2_500;
    let scene = Scene::empty();
    let store = open(&scene.path()).await;
    let counter = ActorType::new("counter").expect("a good name");
    let ask = |number: usize| {
        let id = DurableId::new(format!("actor-{number:04}")).expect("a good id");
        let message = message(&Target { id, actor_type: counter.clone() }, number as u128, "hello");
        let store = &store;
        async move { store.enqueue(message).await.expect("it is new") }
    };
    futures_util::future::join_all((0..ACTORS).map(ask)).await;
    store.close().await;
    let said = scene.look(&["inspect", "store.redb"]);
    let ids: Vec<&str> =
        said.output.lines().filter_map(|line| line.split_once("counter ")).map(|(_, id)| id).collect();
    assert_eq!(ids, (0..ACTORS).map(|number| format!("actor-{number:04}")).collect::<Vec<_>>());
    assert!(said.output.ends_with("\n2500 actors\n"), "{}", said.output);
}

#[tokio::test]
async fn who_is_not_there_is_said() {
    let scene = Scene::with_actors().await;
    for id in ["nobody", "aa"] {
        assert_eq!(scene.look(&["inspect", "store.redb", id]).text(), include_str!("said/nobody.txt"));
    }
    assert_eq!(scene.look(&["repair", "store.redb"]).text(), include_str!("said/misuse.txt"));
}
