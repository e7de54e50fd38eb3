//! The shop of the examples as a process to be killed: it is kept in a directory, by redb. Carts are abandoned after so many
//! milliseconds.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actor_core::ActorError;
use actor_durable::RedbStore;
use examples::shop::{Shop, Terms, serve};

#[tokio::main]
async fn main() -> Result<(), ActorError> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [directory, cart_millis, stock] = &words[..] else {
        return Err("shop-service DIRECTORY MILLIS STOCK".into());
    };
    let directory = PathBuf::from(directory);
    let store = Arc::new(RedbStore::open(directory.join("shop.redb")).await?);
    let terms = Terms { cart_kept: Duration::from_millis(cart_millis.parse()?), stock: stock.parse()? };
    let shop = Shop::open(store, &directory, terms).await?;
    serve(shop.clone(), tokio::io::stdin(), tokio::io::stdout()).await?;
    Ok(shop.system().shutdown(Duration::from_secs(10)).await?)
}
