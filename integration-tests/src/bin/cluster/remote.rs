//! One command and its answer, from another terminal: a line each way over a Unix socket.

use std::env;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};

/// The longest command, in bytes.
const COMMAND_BYTES_MAX: u64 = 4096;

/// A command, and whoever waits for its answer.
pub(crate) type Request = (String, oneshot::Sender<String>);

/// Says a command to a cluster that runs, and prints the answer.
pub(crate) async fn say(name: &str, command: &str) -> Result<(), Box<dyn std::error::Error>> {
    let path = socket_of(name)?;
    let Ok(mut stream) = UnixStream::connect(&path).await else {
        return Err(format!("no cluster {name:?} runs; `cluster up` starts one").into());
    };
    stream.write_all(format!("{command}\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    crate::print(&answer);
    if answer.starts_with("error: ") { Err("the cluster did not do it".into()) } else { Ok(()) }
}

/// Hands in what is said from other terminals, until the program ends.
pub(crate) async fn listen(name: &str, requests: mpsc::Sender<Request>) -> io::Result<()> {
    let path = socket_of(name)?;
    if UnixStream::connect(&path).await.is_ok() {
        return Err(io::Error::other(format!("a cluster {name:?} runs already; choose another --name")));
    }
    // It is of one that was killed, or not there.
    _ = std::fs::remove_file(&path);
    let listener = UnixListener::bind(&path)?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let requests = requests.clone();
            tokio::spawn(async move {
                // Whoever hangs up gets no answer.
                _ = serve(stream, requests).await;
            });
        }
    });
    Ok(())
}

async fn serve(stream: UnixStream, requests: mpsc::Sender<Request>) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut command = String::new();
    BufReader::new(reader.take(COMMAND_BYTES_MAX)).read_line(&mut command).await?;
    let (answer, answered) = oneshot::channel();
    _ = requests.send((command.trim().to_owned(), answer)).await;
    let answer = answered.await.unwrap_or_else(|_| "error: the cluster is going down\n".to_owned());
    writer.write_all(answer.as_bytes()).await
}

/// Forgets the socket.
pub(crate) fn forget(name: &str) {
    _ = socket_of(name).map(std::fs::remove_file);
}

/// In a directory that is ours alone.
fn socket_of(name: &str) -> io::Result<PathBuf> {
    let user = env::var("USER").unwrap_or_else(|_| "somebody".to_owned());
    let directory = env::temp_dir().join(format!("actor-cluster-{user}"));
    match DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(directory.join(format!("{name}.socket"))),
    }
}
