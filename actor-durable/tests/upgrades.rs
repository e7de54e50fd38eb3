//! A later release of an actor, over what the one before has stored.

use actor_durable::{CodecError, Durable, DurableActor, DurableId, DurableRef, NoError, Turn};

use crate::stage::World;

/// Keeps an amount: the first release in whole coins, the second in cents.
struct Purse<const RELEASE: u32>;

impl<const RELEASE: u32> Durable for Purse<RELEASE> {
    const TYPE: &'static str = "purse";
    const STATE_VERSION: u32 = RELEASE;
    type State = i64;
    type Command = Option<i64>;
    type Reply = i64;
    type Error = NoError;

    fn create(&self, _: &DurableId) -> i64 {
        0
    }

    fn is_query(command: &Option<i64>) -> bool {
        command.is_none()
    }

    fn upcast_state(version: u32, bytes: &[u8]) -> Result<i64, CodecError> {
        assert_eq!(version, 1);
        actor_durable::decode("a state", version, bytes).map(|coins: i64| 100 * coins)
    }
}

impl<const RELEASE: u32> DurableActor for Purse<RELEASE> {
    async fn handle(
        &self,
        command: Option<i64>,
        amount: &mut i64,
        _: &mut Turn<'_, Self>,
    ) -> Result<i64, NoError> {
        *amount = command.unwrap_or(*amount);
        Ok(*amount)
    }
}

#[test]
fn a_state_that_is_written_as_another_one_was_in_an_earlier_version_is_stored() {
    let mut world = World::new();
    world.run_with(
        |builder| builder.register(Purse::<1>),
        async |system| {
            let purse: DurableRef<Purse<1>> = system.actor("p").expect("a good id");
            assert_eq!(purse.call(Some(7)).await.ok(), Some(7));
        },
    );
    world.run_with(
        |builder| builder.register(Purse::<2>),
        async |system| {
            let purse: DurableRef<Purse<2>> = system.actor("p").expect("a good id");
            assert_eq!(purse.call(None).await.ok(), Some(700));
            // Its bytes are those of seven coins.
            assert_eq!(purse.call(Some(7)).await.ok(), Some(7));
        },
    );
    world.run_with(
        |builder| builder.register(Purse::<2>),
        async |system| {
            let purse: DurableRef<Purse<2>> = system.actor("p").expect("a good id");
            assert_eq!(purse.call(None).await.ok(), Some(7));
        },
    );
}
