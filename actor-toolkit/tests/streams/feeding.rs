//! Streams and channels: items in order, then the end; held back by the mailbox.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};

use actor_core::Exit;
use actor_toolkit::streams::{Told, feed, feed_results, receive};
use futures_core::Stream;
use tokio::sync::mpsc;

use super::{Message, as_text, item, reader, told};
use crate::support::{Gate, MS, pass, simulated};

/// Gives what a function makes, and counts.
struct From<F>(F, Arc<AtomicU32>);

impl<T, F: FnMut(u32) -> Option<T> + Unpin> Stream for From<F> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<T>> {
        let number = self.1.fetch_add(1, Ordering::SeqCst);
        Poll::Ready((self.0)(number))
    }
}

fn stream<T, F: FnMut(u32) -> Option<T> + Unpin>(make: F) -> From<F> {
    From(make, Arc::default())
}

#[test]
fn c32_items_come_in_order_and_then_the_end() {
    simulated(|system| async move {
        let actor = reader(&system, 100).await;
        let feeding = feed(&actor, stream(|number| (number < 3).then_some(number)), as_text);
        pass(&system, MS).await;
        assert_eq!(told(&actor).await, [item(0), item(1), item(2), Told::Ended]);
        assert!(feeding.is_over());
    });
}

#[test]
fn c32_the_first_error_is_the_end() {
    simulated(|system| async move {
        let actor = reader(&system, 100).await;
        let results = stream(|number| Some(if number < 2 { Ok(number) } else { Err("torn") }));
        let polled = results.1.clone();
        feed_results(&actor, results, as_text);
        feed_results(&actor, stream(|number| (number < 1).then_some(Ok::<_, &str>(7))), as_text);
        pass(&system, MS).await;
        let torn = Told::Failed("torn".to_owned());
        assert_eq!(told(&actor).await, [item(0), item(1), torn, item(7), Told::Ended]);
        // It is not asked again.
        assert_eq!(polled.load(Ordering::SeqCst), 3);
    });
}

#[test]
fn c32_the_mailbox_holds_a_stream_back() {
    simulated(|system| async move {
        let (actor, gate) = (reader(&system, 2).await, Gate::default());
        actor.cast(Message::Hold(gate.clone())).unwrap();
        gate.reached().await;
        let endless = stream(|number| (number < 100).then_some(number));
        let polled = endless.1.clone();
        feed(&actor, endless, as_text);
        pass(&system, MS).await;
        // Two in the mailbox, and one that waits for room.
        assert_eq!(polled.load(Ordering::SeqCst), 3);
        gate.open();
        pass(&system, MS).await;
        assert_eq!((polled.load(Ordering::SeqCst), told(&actor).await.len()), (101, 101));
    });
}

#[test]
fn c32_a_channel_ends_with_its_senders_and_is_closed_with_its_actor() {
    simulated(|system| async move {
        let actor = reader(&system, 100).await;
        let (sender, receiver) = mpsc::channel(4);
        feed(&actor, receive(receiver), as_text);
        for number in 0..10 {
            sender.send(number).await.unwrap();
        }
        drop(sender);
        pass(&system, MS).await;
        let expected: Vec<_> = (0..10).map(item).chain([Told::Ended]).collect();
        assert_eq!(told(&actor).await, expected);
        // Cancelled, it is closed, and so it is with its actor; nothing more is told.
        let (cancelled, receiver) = mpsc::channel::<u32>(4);
        feed(&actor, receive(receiver), as_text).cancel();
        let (orphan, receiver) = mpsc::channel::<u32>(4);
        feed(&actor, receive(receiver), as_text);
        pass(&system, MS).await;
        assert_eq!((cancelled.is_closed(), orphan.is_closed()), (true, false));
        assert_eq!(told(&actor).await.len(), 11);
        actor.stop_and_wait(None, None).await.unwrap();
        pass(&system, MS).await;
        assert!(orphan.is_closed());
    });
}

#[test]
fn c32_a_stream_that_panics_fails_its_actor_alone() {
    simulated(|system| async move {
        let (fails, fine) = (reader(&system, 100).await, reader(&system, 100).await);
        let bad = stream(|number| if number < 2 { Some(number) } else { panic!("torn") });
        feed(&fails, bad, as_text);
        feed(&fine, stream(|number| (number < 1).then_some(number)), as_text);
        assert!(matches!(fails.wait(None).await.unwrap(), Exit::Panicked(_)));
        assert_eq!(told(&fine).await, [item(0), Told::Ended]);
    });
}

#[test]
fn c32_items_need_not_be_send() {
    simulated(|system| async move {
        let actor = reader(&system, 100).await;
        let items = stream(|number| (number < 2).then(|| Rc::new(Cell::new(number))));
        feed(&actor, items, |told: Told<Rc<Cell<u32>>>| match told {
            Told::Item(number) => as_text::<_, String>(Told::Item(number.get())),
            Told::Ended | Told::Failed(_) => as_text::<String, String>(Told::Ended),
        });
        pass(&system, MS).await;
        assert_eq!(told(&actor).await, [item(0), item(1), Told::Ended]);
    });
}
