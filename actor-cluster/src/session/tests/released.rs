//! What a session that is over still holds: nothing but who it was with and why it has ended.

use actor_core::DeadReason;

use super::{A, B, Letter};
use crate::session::{Event, Session, Shape};
use crate::testing::pair::{Node, Pair, outcome};
use crate::transport::{CloseCode, CloseReason, LaneSet};
use crate::wire::control::Publication;
use crate::wire::lanes::LaneId;
use crate::wire::schema::Schema;
use crate::wire::{RemoteMessage, VariantTag};

/// Every field of a session but for those named first, so that a new one has to be thought of.
macro_rules! held {
    ($session:expr; $($held:ident)*) => {{
        let Session { peer: _, config: _, context: _, phase: _, has_heard: _, $($held),* } = $session;
        vec![$((stringify!($held), format!("{:?}", $held))),*]
    }};
}

fn held(session: &Session) -> Vec<(&'static str, String)> {
    held!(session;
        streams control messages turn turns_without_bulk urgent_turns owes_ack broken has_lost schemas annotations calls
        peer_calls pending_replies sweep_at answering refused held watches deaths casts_sent publications
        publication_bytes events spare)
}

fn bare(session: &Session) -> Session {
    let Session { peer, config, context, phase, .. } = session;
    Session::bare(peer.clone(), config.clone(), context.clone(), phase.clone())
}

/// A session of A's that has everything which one can have.
fn full(pair: &mut Pair) {
    let shape = Shape { message: Letter::TYPE, variant: VariantTag::named("Note") };
    let published = Publication { label: "name".into(), ..Publication::default() };
    for side in [A, B] {
        let mut session = pair.session(side);
        session.watch(7, None).unwrap();
        session.say_schema(Letter::TYPE, &Schema::of::<Letter>());
        session.publish(std::slice::from_ref(&published));
        session.hold(8);
    }
    pair.send(A, 1, Letter::Note(1)).unwrap();
    pair.drive();
    pair.lose(1, A, CloseCode::Lost);
    pair.drive();
    let (now, mut session) = (pair.now(), pair.session(A));
    session.died(now, 7, shape, DeadReason::NoSuchActor, None);
    session.annotations.put(LaneId::BULK, &[], 8).unwrap();
    session.refused.insert(LaneId::BULK, 8);
    session.events.push_back(Event::Room);
    session.spare.reserve(9);
    (session.turns_without_bulk, session.urgent_turns) = (1, 1);
    (session.owes_ack, session.peer_calls) = (true, 1);
}

#[test]
fn a_session_that_is_over_holds_nothing() {
    let mut curious = Node::new(2);
    curious.myself.wants_dead_letters = true;
    let mut pair = Pair::ready_between(Node::new(1), curious, &[LaneSet::CONTROL, LaneSet::DATA]);
    let mut of_a = pair.call(A, None, |port| Letter::Ask(1, port));
    let _of_b = pair.call(B, None, |port| Letter::Ask(1, port));
    full(&mut pair);
    let mut session = pair.session(A);
    let (fresh, full) = (held(&bare(&session)), held(&session));
    let alike = fresh.iter().zip(&full).filter(|(fresh, full)| fresh == full);
    // Its room cannot be seen in its text.
    assert_eq!(alike.map(|(held, _)| held.0).collect::<Vec<_>>(), ["spare"], "it has everything else");

    session.close(&CloseReason::from(CloseCode::Shutdown));
    let (live, released) = (session.live(), session.release_memory());
    assert_eq!((held(&session), session.spare.capacity()), (fresh, 0));
    assert_eq!(session.ended(), Some(&CloseReason::from(CloseCode::Shutdown)));
    assert_eq!(session.live(), live, "a handshake may ask still");
    drop(session);
    assert_eq!(outcome(&mut of_a), None, "nobody is told under the lock");
    drop(released);
    assert!(matches!(outcome(&mut of_a), Some(Err(_))));
}
