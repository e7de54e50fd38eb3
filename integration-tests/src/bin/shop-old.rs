//! A shop as it was built first. It visits the shop of the later build, `shop-new`, which visits it.

use std::process::ExitCode;

use actor_cluster::{RemoteMessage, Wire};
use actor_core::{Actor, ActorError, ActorRef, ReplyPort};
use integration_tests::shop;

#[derive(Clone, Debug, Wire)]
#[wire(name = "shop/Line")]
struct Line {
    sku: String,
}

#[derive(Debug, RemoteMessage)]
#[wire(name = "shop/Order")]
enum Order {
    /// Adds lines to the order.
    Put { lines: Vec<Line> },
    /// Answers all lines.
    #[rpc]
    Read(ReplyPort<Vec<Line>>),
}

struct Shop;

impl Actor for Shop {
    type Msg = Order;
    type State = Vec<Line>;
    type Arguments = ();

    async fn pre_start(&self, _: &ActorRef<Order>, (): ()) -> Result<Vec<Line>, ActorError> {
        Ok(Vec::new())
    }

    async fn handle(
        &self,
        _: &ActorRef<Order>,
        order: Order,
        kept: &mut Vec<Line>,
    ) -> Result<(), ActorError> {
        match order {
            Order::Put { lines } => kept.extend(lines),
            Order::Read(port) => _ = port.send(kept.clone()),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    shop::run("old", Shop, |there| async move {
        let lines = ["cup", "pot"].map(|sku| Line { sku: sku.to_owned() }).to_vec();
        let put = there.cast(Order::Put { lines });
        let read = there.call(Order::Read).await;
        vec![format!("{put:?}"), format!("{read:?}")]
    })
    .await
}
