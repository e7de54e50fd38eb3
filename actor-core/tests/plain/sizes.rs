//! What a generated handler keeps in its actor's task: no more than one by hand.

use std::future::Future;

use actor_core::{Actor, ActorError, ActorRef, ReplyPort, actor};

type Entries = [u64; 16];

#[derive(Default)]
struct Ledger(u64);

#[actor]
impl Ledger {
    fn add(&mut self, entries: Entries) -> u64 {
        self.0 += entries.iter().sum::<u64>();
        self.0
    }

    #[cast]
    fn clear(&mut self) {
        self.0 = 0;
    }
}

/// The same, and it waits.
#[derive(Default)]
struct Slow(u64);

#[actor]
impl Slow {
    async fn add(&mut self, entries: Entries) -> u64 {
        tokio::task::yield_now().await;
        self.0 += entries.iter().sum::<u64>();
        self.0
    }
}

struct ByHand;

impl Actor for ByHand {
    type Msg = SlowMessage;
    type State = Slow;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<SlowMessage>, (): ()) -> Result<Slow, ActorError> {
        Ok(Slow::default())
    }

    fn handle(
        &self,
        myself: &ActorRef<SlowMessage>,
        message: SlowMessage,
        slow: &mut Slow,
    ) -> impl Future<Output = Result<(), ActorError>> + Send {
        async move {
            match message {
                SlowMessage::Add(entries, port) => {
                    let sum = slow.add(entries).await;
                    if let Err(sum) = port.send(sum) {
                        tracing::debug!(actor = %myself.id(), sum, "nobody waits");
                    }
                    Ok(())
                }
            }
        }
    }
}

/// How large the future is that handles a message.
fn handling<A: Actor>(actor: &A, myself: &ActorRef<A::Msg>, message: A::Msg, state: &mut A::State) -> usize {
    size_of_val(&actor.handle(myself, message, state))
}

#[tokio::test]
async fn a_method_that_does_not_wait_keeps_nothing_beside_its_message() {
    let myself = Ledger::default().spawn().await.unwrap();
    let message = LedgerMessage::Add([0; 16], ReplyPort::nobody());
    // The message, two references, and whether it has run.
    let most = size_of::<LedgerMessage>() + 2 * size_of::<&()>() + align_of::<LedgerMessage>();
    let kept = handling(&Ledger::actor(), &myself, message, &mut Ledger::default());
    assert!(kept <= most, "{kept} bytes, and {most} would do");
}

#[tokio::test]
async fn a_generated_handler_keeps_no_more_than_one_by_hand() {
    let myself = Slow::default().spawn().await.unwrap();
    let message = || SlowMessage::Add([0; 16], ReplyPort::nobody());
    let generated = handling(&Slow::actor(), &myself, message(), &mut Slow::default());
    let by_hand = handling(&ByHand, &myself, message(), &mut Slow::default());
    assert!(generated <= by_hand, "{generated} bytes, and {by_hand} by hand");
}
