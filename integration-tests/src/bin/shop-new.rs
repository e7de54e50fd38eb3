//! A shop as it was built later: lines have a count, orders a customer, and can be cleared. It visits the shop of
//! the build before, `shop-old`, which visits it.

use std::process::ExitCode;

use actor_cluster::{RemoteMessage, Wire};
use actor_core::{Actor, ActorError, ActorRef, ReplyPort};
use integration_tests::shop;

#[derive(Clone, Debug, Wire)]
#[wire(name = "shop/Line")]
struct Line {
    sku: String,
    #[wire(default = 1)]
    count: u32,
}

#[derive(Debug, RemoteMessage)]
#[wire(name = "shop/Order")]
enum Order {
    /// Forgets all lines.
    Clear,
    /// Adds lines to the order.
    Put {
        lines: Vec<Line>,
        #[wire(default)]
        customer: Option<String>,
    },
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
            Order::Clear => kept.clear(),
            Order::Put { lines, customer } => {
                kept.extend(lines);
                kept.extend(customer.map(|sku| Line { sku, count: 0 }));
            }
            Order::Read(port) => _ = port.send(kept.clone()),
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    shop::run("new", Shop, |there| async move {
        let clear = there.cast(Order::Clear);
        let lines = vec![Line { sku: "pan".to_owned(), count: 12 }];
        let put = there.cast(Order::Put { lines, customer: Some("somebody".to_owned()) });
        let read = there.call(Order::Read).await;
        vec![format!("{clear:?}"), format!("{put:?}"), format!("{read:?}")]
    })
    .await
}
