//! Connections of TCP that come to nothing.

use std::error::Error;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use actor_cluster::transport::{Address, Transport};
use integration_tests::siege::Kind;
use integration_tests::{Authority, Way};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::{sleep, timeout};

use super::{Flood, source};

/// The time between two bytes of one that says one at a time.
const DRIP: Duration = Duration::from_millis(100);

/// Makes them all. How many were connected.
pub(super) async fn flood(flood: Flood) -> Result<u32, Box<dyn Error>> {
    let hello: Arc<[u8]> = hello().await?.into();
    let made = flood.run(|number| {
        let hello = hello.clone();
        async move {
            let socket = TcpSocket::new_v4()?;
            socket.bind(source(number))?;
            let stream = socket.connect(flood.target).await?;
            // The node hangs up, or nothing more is to come of it.
            let _ = timeout(flood.patience, attack(flood.kind, stream, &hello)).await;
            Ok(())
        }
    });
    Ok(made.await)
}

async fn attack(kind: Kind, mut stream: TcpStream, hello: &[u8]) -> io::Result<()> {
    match kind {
        Kind::Garbage => stream.write_all(&[0xa5; 512]).await?,
        Kind::Leave => {
            stream.write_all(hello).await?;
            stream.read_u8().await?;
            return Ok(());
        }
        Kind::Hello => stream.write_all(hello).await?,
        Kind::Drip => {
            let (mut read, mut write) = stream.split();
            let drip = async {
                for byte in hello {
                    write.write_all(&[*byte]).await?;
                    sleep(DRIP).await;
                }
                Ok(())
            };
            return tokio::select! {
                dripped = drip => dripped,
                ended = read.read_u8() => ended.map(drop),
            };
        }
        Kind::Silent => {}
        _ => return Ok(()),
    }
    stream.read_to_end(&mut Vec::new()).await.map(drop)
}

/// The first words of a node of ours, caught by ourselves.
async fn hello() -> Result<Vec<u8>, Box<dyn Error>> {
    let trap = TcpListener::bind("127.0.0.1:0").await?;
    let address: Address = format!("{}://{}", Way::Tcp.scheme(), trap.local_addr()?).parse()?;
    let transport = Authority::new()?.keys("stranger", &[Way::Tcp])?.tcp()?.build()?;
    let caught = async {
        let (mut stream, _) = trap.accept().await?;
        let mut hello = vec![0; 4096];
        let bytes = stream.read(&mut hello).await?;
        hello.truncate(bytes);
        io::Result::Ok(hello)
    };
    tokio::select! {
        hello = caught => Ok(hello?),
        _ = transport.dial(&address) => Err("nobody answers there".into()),
    }
}
