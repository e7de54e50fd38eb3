//! cargo run --example ping_pong
//!
//! Two actors that know each other and pass a ball. Whoever has it last answers the one
//! who threw it in.
//!
//! ```text
//!  run ── ball ──► ping ◄──── ball ────► pong
//!   ▲                                     │
//!   └───────── the answer's port ◄────────┘
//! ```

use std::error::Error;
use std::io::{self, Write};

use actor_core::{ReplyPort, actor};

struct Player {
    name: &'static str,
    partner: Option<PlayerRef>,
}

/// Who has hit it, and how often it is hit yet.
#[derive(Default)]
struct Ball {
    hits: Vec<&'static str>,
    left: u32,
}

#[actor]
impl Player {
    #[cast]
    fn meet(&mut self, partner: PlayerRef) {
        self.partner = Some(partner);
    }

    /// Takes the call's port and passes it on with the ball: the last player answers.
    fn hit(&self, mut ball: Ball, done: ReplyPort<Ball>) {
        if ball.left == 0 {
            // Whoever asked may have gone home.
            _ = done.send(ball);
            return;
        }
        ball.left -= 1;
        ball.hits.push(self.name);
        if let Some(partner) = &self.partner {
            // If it fails, the port comes back and is dropped, which tells the caller.
            _ = partner.hit(ball).forward_to(done);
        }
    }
}

async fn run(out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let ping = Player { name: "ping", partner: None }.spawn().await?;
    let pong = Player { name: "pong", partner: Some(ping.clone()) }.spawn().await?;
    ping.meet(pong.clone()).await?;

    let ball = ping.hit(Ball { left: 6, ..Ball::default() }).await?;
    writeln!(out, "{}", ball.hits.join(" "))?;

    // Two addresses that point at each other keep both actors alive; whoever made them
    // ends them.
    ping.stop_and_wait(None, None).await?;
    pong.stop_and_wait(None, None).await?;
    writeln!(out, "the match is over")?;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    run(&mut io::stdout()).await
}

#[tokio::test]
async fn they_take_turns() {
    let mut out = Vec::new();
    run(&mut out).await.unwrap();
    let expected = "ping pong ping pong ping pong\nthe match is over\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
