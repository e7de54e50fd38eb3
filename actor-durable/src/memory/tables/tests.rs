//! What is not reached by the contract in a test's time.

use crate::MemoryStore;
use crate::id::DurableId;
use crate::store::full::{WAITING, each_kind_of_message_has_its_bound, prepare};

#[tokio::test]
async fn a_full_inbox_has_room_for_some() {
    let store = MemoryStore::new();
    prepare(&store).await;
    for (id, waiting) in WAITING {
        let id = DurableId::new(id).expect("a good id");
        store.tables().actors.get_mut(&id).expect("it is there").head.waiting = waiting;
    }
    each_kind_of_message_has_its_bound(&store).await;
}
