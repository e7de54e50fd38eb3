//! Inboxes that are full.

use super::rules::edit;
use super::script::open;
use super::verifying::{change, keys_of};
use crate::redb::faulty::FaultyDisk;
use crate::store::Head;
use crate::store::full::{WAITING, each_kind_of_message_has_its_bound, prepare};

#[tokio::test]
async fn a_full_inbox_has_room_for_some() {
    let disk = FaultyDisk::new();
    let store = open(&disk).await;
    prepare(&store).await;
    drop(store);
    change(&disk, |transaction| {
        for (id, waiting) in WAITING {
            edit(transaction, &keys_of(id).head(), |head: &mut Head| head.waiting = waiting);
        }
    });
    each_kind_of_message_has_its_bound(&open(&disk).await).await;
}
