//! What nodes write about themselves: everything, at the loudest, and nothing of what they carry.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use integration_tests::Way;
use integration_tests::echo::Say;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{guarded, pair};

const PAYLOAD: &str = "the fleet sails at dawn";

/// Keeps what is written.
#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Page {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn w16_no_log_shows_what_messages_hold() {
    let page = Page::default();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(page.clone());
    tracing::subscriber::set_global_default(subscriber.finish()).expect("a process of its own");
    guarded(async {
        let [mut host, dialler] = pair(Way::Tcp).await;
        dialler.connect(&host, Way::Tcp).await;
        host.ready(dialler.node().id()).await;
        let echo = dialler.echo_of(host.node().id()).unwrap();
        for text in [PAYLOAD.to_owned(), PAYLOAD.repeat(10_000)] {
            assert_eq!(echo.call(|port| Say::This(text.clone(), port)).await.unwrap(), text);
        }
        echo.cast(Say::Load(PAYLOAD.into())).unwrap();
        dialler.shutdown().await;
        host.shutdown().await;
    })
    .await;
    let page = page.0.lock().unwrap();
    let page = String::from_utf8_lossy(&page);
    assert!(page.contains("TRACE") || page.contains("DEBUG"), "nobody listens: {page}");
    assert!(!page.contains("the fleet") && !page.contains("116, 104, 101, 32, 102"), "a payload in a log");
}
