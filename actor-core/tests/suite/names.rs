//! The name registry.

use actor_core::{Exit, SpawnError, SpawnOptions, Status};

use crate::support::{Door, Gate, Hook, Log, Message, Probe, dead, panics, settled};

pub(super) async fn a15_a_name_has_one_holder_and_is_free_after_stop(door: impl Door) {
    let system = door.system().clone();
    let named = || SpawnOptions::new().name("ada");
    for end in 0..4 {
        let (log, refused_log) = (Log::default(), Log::default());
        let ada = door.start(Probe::new(&log), named()).await.unwrap();
        assert_eq!(ada.name(), Some("ada"));
        assert_eq!(system.where_is("ada"), Some(ada.cell()));
        assert_eq!(system.where_is_typed::<Message>("ada"), Some(ada.clone()));
        assert_eq!(system.where_is_typed::<u8>("ada"), None);

        let refused = door.start(Probe::new(&refused_log), named()).await;
        assert!(matches!(&refused, Err(SpawnError::NameTaken(name)) if &**name == "ada"), "{refused:?}");
        assert_eq!(refused_log.entries(), []);
        assert_eq!(system.where_is("ada"), Some(ada.cell()));
        assert_eq!(settled(&ada).await, 0);

        match end {
            0 => ada.stop(None),
            1 => ada.drain(),
            2 => ada.kill(),
            _ => ada.cast(Message::Do(panics("fell"))).unwrap(),
        }
        ada.wait(None).await.unwrap();
        assert_eq!(system.where_is("ada"), None);
    }
    let bob = door.start(Probe::new(&Log::default()), SpawnOptions::new().name("bob")).await.unwrap();
    let ada = door.start(Probe::new(&Log::default()), named()).await.unwrap();
    assert_eq!(system.registered(), ["ada".into(), "bob".into()]);
    assert_ne!(ada, bob);
    dead(&door).await;
}

pub(super) async fn a_name_is_free_in_post_stop_and_stays_with_its_next_holder(door: impl Door) {
    let gate = Gate::new();
    let named = || SpawnOptions::new().name("crown");
    let old = door.start(Probe::new(&Log::default()).at(Hook::PostStop, gate.act()), named()).await.unwrap();
    old.stop(None);
    gate.reached().await;
    assert_eq!(old.status(), Status::Stopping);
    assert_eq!(door.system().where_is("crown"), None);

    let new = door.start(Probe::new(&Log::default()), named()).await.expect("the name is free");
    gate.open();
    assert_eq!(old.wait(None).await, Ok(Exit::Stopped(None)));
    assert_eq!(door.system().where_is("crown"), Some(new.cell()));
}
