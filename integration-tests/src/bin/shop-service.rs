//! The shop of the examples as a process to be killed: its books are in a directory, its actors in a file there or in PostgreSQL.
//! Carts are abandoned after so many milliseconds.
//!
//! ```text
//!  shop-service DIRECTORY MILLIS STOCK FILE
//!  shop-service DIRECTORY MILLIS STOCK --postgres URL --schema NAME --lease MILLIS
//! ```

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actor_core::ActorError;
use actor_durable::RedbStore;
use actor_durable::limits::LEASE_DEFAULT;
use actor_durable::store::Store;
use examples::shop::{Shop, Terms, serve};
use store_postgres::{PostgresConfig, PostgresStore};

#[tokio::main]
async fn main() -> Result<(), ActorError> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let [directory, cart_millis, stock, kept @ ..] = &words[..] else {
        return Err("shop-service DIRECTORY MILLIS STOCK FILE".into());
    };
    let cart_kept = Duration::from_millis(cart_millis.parse()?);
    let mut terms = Terms { cart_kept, stock: stock.parse()?, lease: LEASE_DEFAULT };
    let store: Arc<dyn Store> = match kept {
        [file] => Arc::new(RedbStore::open(file).await?),
        ["--postgres", address, "--schema", schema, "--lease", lease] => {
            terms.lease = Duration::from_millis(lease.parse()?);
            let config = PostgresConfig::new(address)?.with_schema(*schema)?;
            Arc::new(PostgresStore::open(config).await?)
        }
        _ => return Err("FILE, or --postgres URL --schema NAME --lease MILLIS".into()),
    };
    let shop = Shop::open(store, &PathBuf::from(directory), terms).await?;
    serve(shop.clone(), tokio::io::stdin(), tokio::io::stdout()).await?;
    Ok(shop.system().shutdown(Duration::from_secs(10)).await?)
}
