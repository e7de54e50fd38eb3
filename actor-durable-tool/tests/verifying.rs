//! `verify`: everything that cannot be in a store, and where.

use crate::scene::{BUSY, ROWS, Scene};

#[tokio::test]
async fn a_sound_store_has_no_fault() {
    let scene = Scene::with_actors().await;
    assert_eq!(scene.look(&["verify", "store.redb"]).text(), include_str!("said/sound.txt"));
    assert_eq!(scene.look(&["verify", "store.redb", "--json"]).text(), include_str!("said/sound-json.txt"));
}

#[tokio::test]
async fn each_fault_is_said_with_its_place() {
    let scene = Scene::with_actors().await;
    scene.tamper(|transaction| {
        let mut rows = transaction.open_table(ROWS).expect("a table");
        // The second entry of `a`.
        let entry = [b"a\0\x03".as_slice(), &2_u64.to_be_bytes()].concat();
        assert!(rows.remove(entry.as_slice()).expect("it writes").is_some(), "it was there");
        let mut busy = transaction.open_table(BUSY).expect("a table");
        busy.insert(b"nobody".as_slice(), ()).expect("it writes");
    });
    assert_eq!(scene.look(&["verify", "store.redb"]).text(), include_str!("said/faults.txt"));
    assert_eq!(scene.look(&["verify", "store.redb", "--json"]).text(), include_str!("said/faults-json.txt"));
}

#[tokio::test]
async fn rows_that_cannot_be_read_are_listed_and_the_rest_is_shown() {
    let scene = Scene::with_actors().await;
    scene.tamper(|transaction| {
        let mut rows = transaction.open_table(ROWS).expect("a table");
        for key in [b"b c\0\x01".as_slice(), b"a\0\x02", b"no key"] {
            rows.insert(key, b"no row".as_slice()).expect("it writes");
        }
    });
    assert_eq!(scene.look(&["inspect", "store.redb"]).text(), include_str!("said/unreadable-list.txt"));
    assert_eq!(
        scene.look(&["inspect", "store.redb", "--json"]).text(),
        include_str!("said/unreadable-list-json.txt")
    );
    assert_eq!(
        scene.look(&["inspect", "store.redb", "b c"]).text(),
        include_str!("said/unreadable-actor.txt")
    );
    assert_eq!(
        scene.look(&["inspect", "store.redb", "a", "--limit", "0"]).text(),
        include_str!("said/unreadable-state.txt")
    );
    assert_eq!(
        scene.look(&["inspect", "store.redb", "a", "--limit", "0", "--json"]).text(),
        include_str!("said/unreadable-state-json.txt")
    );
    assert_eq!(scene.look(&["verify", "store.redb"]).text(), include_str!("said/unreadable-verify.txt"));
}
