//! cargo run --example axum_service
//!
//! A web service whose state is an actor. What the actor cannot take becomes what HTTP
//! has for it: 503 when its mailbox is full, 504 when the answer does not come in time.
//! Ctrl-C lets requests finish, then the actor; a client that does not finish its request
//! is not waited for.
//!
//! ```text
//!  curl -X POST localhost:3000/stock/3     3
//!  curl -X POST localhost:3000/stock/4     7
//!  curl localhost:3000/stock               7
//! ```

use std::error::Error;
use std::future::Future;
use std::io::{self, Write};
use std::time::Duration;

use actor_core::{CallError, CallFailure, Capacity, SendError, actor};
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// How long a request waits for room and for its answer together.
const PATIENCE: Duration = Duration::from_millis(200);
/// How long requests may take yet when it is to end. One that is there is answered by then.
const GRACE: Duration = Duration::from_secs(1);
/// How many requests wait for the actor before the next is turned away.
const ROOM: usize = 2;

#[derive(Default)]
struct Stock {
    pieces: u64,
}

#[actor]
impl Stock {
    fn add(&mut self, pieces: u64) -> Result<u64, String> {
        self.pieces = self.pieces.checked_add(pieces).ok_or("the shelf is full")?;
        Ok(self.pieces)
    }

    fn count(&self) -> u64 {
        self.pieces
    }

    /// An inventory: nothing else is done until it is over.
    #[cast]
    async fn close_until(&self, over: oneshot::Receiver<()>) {
        // Whoever took it may as well have gone.
        _ = over.await;
    }
}

/// What went wrong, as HTTP says it.
enum Refused {
    Busy,
    Late,
    Gone,
    Wrong(String),
}

impl<M> From<CallError<M>> for Refused {
    fn from(error: CallError<M>) -> Self {
        match error {
            CallError::NotSent(SendError::Full(_)) => Self::Busy,
            CallError::Failed(CallFailure::TimedOut(_)) => Self::Late,
            _ => Self::Gone,
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, why) = match self {
            Self::Busy => (StatusCode::SERVICE_UNAVAILABLE, "too many wait; try again later".to_owned()),
            Self::Late => (StatusCode::GATEWAY_TIMEOUT, "no answer in time".to_owned()),
            Self::Gone => (StatusCode::SERVICE_UNAVAILABLE, "it is not running".to_owned()),
            Self::Wrong(why) => (StatusCode::CONFLICT, why),
        };
        (status, format!("{why}\n")).into_response()
    }
}

async fn add(State(stock): State<StockRef>, Path(pieces): Path<u64>) -> Result<String, Refused> {
    let sum = stock.add(pieces).timeout(PATIENCE).await?.map_err(Refused::Wrong)?;
    Ok(format!("{sum}\n"))
}

async fn count(State(stock): State<StockRef>) -> Result<String, Refused> {
    let pieces = stock.count().timeout(PATIENCE).await?;
    Ok(format!("{pieces}\n"))
}

/// Serves until it is told to end, then finishes what it has begun.
async fn serve(
    listener: TcpListener,
    stock: StockRef,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let routes = Router::new().route("/stock", get(count)).route("/stock/{pieces}", post(add));
    let (ending, has_ended) = oneshot::channel::<()>();
    let end = async {
        end.await;
        // Whoever waits for it hears of its being dropped as well.
        drop(ending);
    };
    let late = async {
        _ = has_ended.await;
        tokio::time::sleep(GRACE).await;
    };
    tokio::select! {
        served = axum::serve(listener, routes.with_state(stock.clone())).with_graceful_shutdown(end) => served?,
        () = late => {}
    }
    stock.drain_and_wait(None).await?;
    Ok(())
}

async fn spawn() -> Result<StockRef, Box<dyn Error>> {
    Ok(Stock::default().spawn().name("stock").mailbox(Capacity::try_from(ROOM)?).await?)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:3000").await?;
    writeln!(io::stdout(), "http://{}/stock", listener.local_addr()?)?;
    let end = async { tokio::signal::ctrl_c().await.expect("signals can be heard") };
    serve(listener, spawn().await?, end).await.map_err(|error| error as Box<dyn Error>)?;
    writeln!(io::stdout(), "closed")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use actor_core::Exit;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    /// The status and the body.
    async fn ask(address: SocketAddr, method: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.trim_end().to_owned())
    }

    #[tokio::test]
    async fn what_the_actor_cannot_take_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stock = spawn().await.unwrap();
        let (end, ends) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, stock.clone(), async { ends.await.unwrap_or(()) }));

        assert_eq!(ask(address, "POST", "/stock/3").await, (200, "3".to_owned()));
        assert_eq!(ask(address, "POST", "/stock/4").await, (200, "7".to_owned()));
        assert_eq!(ask(address, "GET", "/stock").await, (200, "7".to_owned()));
        let full = format!("/stock/{}", u64::MAX);
        assert_eq!(ask(address, "POST", &full).await, (409, "the shelf is full".to_owned()));

        // The actor is busy; so many wait and get no answer, one more gets no place.
        let (over, is_over) = oneshot::channel();
        stock.close_until(is_over).await.unwrap();
        let depth = || stock.mailbox_stats().unwrap().depth;
        while depth() > 0 {
            tokio::task::yield_now().await;
        }
        let waiting: Vec<_> = (0..ROOM).map(|_| tokio::spawn(ask(address, "GET", "/stock"))).collect();
        while depth() < ROOM as u64 {
            tokio::task::yield_now().await;
        }
        let (status, why) = ask(address, "GET", "/stock").await;
        assert_eq!((status, why.as_str()), (503, "too many wait; try again later"));
        for one in waiting {
            assert_eq!(one.await.unwrap(), (504, "no answer in time".to_owned()));
        }

        // What it has accepted is done before it ends.
        end.send(()).unwrap();
        over.send(()).unwrap();
        server.await.unwrap().unwrap();
        assert_eq!(stock.exit(), Some(Exit::Drained));
        assert_eq!(depth(), 0);
    }

    #[tokio::test]
    async fn a_client_that_does_not_finish_its_request_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stock = spawn().await.unwrap();
        let (end, ends) = oneshot::channel::<()>();
        let server = tokio::spawn(serve(listener, stock.clone(), async { ends.await.unwrap_or(()) }));

        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET /stock HTTP/1.1\r\nHost: ").await.unwrap();
        // It has been accepted, for whoever came after it has.
        assert_eq!(ask(address, "GET", "/stock").await, (200, "0".to_owned()));
        end.send(()).unwrap();
        server.await.unwrap().unwrap();
        assert_eq!(stock.exit(), Some(Exit::Drained));
        drop(slow);
    }
}
