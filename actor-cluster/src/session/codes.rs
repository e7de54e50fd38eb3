//! Outcomes and exits as numbers and texts: what a negative reply and a watch say.
//! `docs/PROTOCOL.md` §4 and §5 list the codes.

use actor_core::{CallFailure, DeadReason, Exit, Rejection};

use crate::limits::CLOSE_DETAIL_BYTES_MAX;

/// A failure's code, and the text that goes with it.
pub(crate) fn of_failure(failure: &CallFailure) -> (u32, &str) {
    match failure {
        CallFailure::Rejected(Rejection::NoSuchActor) => (1, ""),
        CallFailure::Rejected(Rejection::Stopped) => (2, ""),
        CallFailure::Rejected(Rejection::Full) => (3, ""),
        CallFailure::Rejected(Rejection::Forbidden) => (4, ""),
        CallFailure::Rejected(Rejection::Undecodable(text)) => (5, text),
        CallFailure::Expired => (6, ""),
        CallFailure::NoReply => (7, ""),
        CallFailure::BadReply(text) => (8, text),
        CallFailure::NeverLeft => (9, ""),
        CallFailure::Forgotten => (10, ""),
        CallFailure::Rejected(Rejection::OtherCall) => (11, ""),
        // What a port that was passed on to a third node was told.
        _ => (0, ""),
    }
}

/// What a code means; a code that this version does not know is `Unknown`.
pub(crate) fn to_failure(code: u32, text: &[u8]) -> CallFailure {
    match code {
        1 => CallFailure::Rejected(Rejection::NoSuchActor),
        2 => CallFailure::Rejected(Rejection::Stopped),
        3 => CallFailure::Rejected(Rejection::Full),
        4 => CallFailure::Rejected(Rejection::Forbidden),
        5 => CallFailure::Rejected(Rejection::Undecodable(lossy(text).into())),
        6 => CallFailure::Expired,
        7 => CallFailure::NoReply,
        8 => CallFailure::BadReply(lossy(text).into()),
        9 => CallFailure::NeverLeft,
        10 => CallFailure::Forgotten,
        11 => CallFailure::Rejected(Rejection::OtherCall),
        _ => CallFailure::Unknown,
    }
}

/// The code of what a cast died of: that of the failure that a call would have met.
pub(crate) fn of_death(reason: DeadReason) -> u32 {
    match reason {
        DeadReason::NoSuchActor => 1,
        DeadReason::Stopped => 2,
        DeadReason::Dropped => 3,
        DeadReason::Forbidden => 4,
        DeadReason::Undecodable => 5,
        DeadReason::Expired => 6,
        _ => 0,
    }
}

/// What a death's code means.
pub(crate) fn to_death(code: u32) -> DeadReason {
    match code {
        1 => DeadReason::NoSuchActor,
        2 => DeadReason::Stopped,
        3 => DeadReason::Dropped,
        4 => DeadReason::Forbidden,
        5 => DeadReason::Undecodable,
        6 => DeadReason::Expired,
        _ => DeadReason::Unknown,
    }
}

/// An exit's code, and its reason or text.
pub(crate) fn of_exit(exit: &Exit) -> (u32, Option<&str>) {
    match exit {
        Exit::Stopped(reason) => (1, reason.as_deref()),
        Exit::Drained => (2, None),
        Exit::Killed => (3, None),
        Exit::Failed(text) => (4, Some(text)),
        Exit::Panicked(text) => (5, Some(text)),
        Exit::Cancelled => (6, None),
        _ => (0, None),
    }
}

/// What an exit's code means; a code that this version does not know is
/// `Unreachable`.
pub(crate) fn to_exit(code: u32, text: Option<String>) -> Exit {
    let text = text.map(|text| cut(&text).to_owned());
    let text_or_none = || text.clone().unwrap_or_default().into();
    match code {
        1 => Exit::Stopped(text.map(Into::into)),
        2 => Exit::Drained,
        3 => Exit::Killed,
        4 => Exit::Failed(text_or_none()),
        5 => Exit::Panicked(text_or_none()),
        6 => Exit::Cancelled,
        _ => Exit::Unreachable,
    }
}

/// The front of a text, cut between characters, that a frame has room for.
pub(crate) fn cut(text: &str) -> &str {
    let mut end = text.len().min(CLOSE_DETAIL_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// As much of a peer's text as is worth keeping.
fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(&text[..text.len().min(CLOSE_DETAIL_BYTES_MAX)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_round_trip() {
        let text = || "why".into();
        let all = [
            CallFailure::Rejected(Rejection::NoSuchActor),
            CallFailure::Rejected(Rejection::Stopped),
            CallFailure::Rejected(Rejection::Full),
            CallFailure::Rejected(Rejection::Forbidden),
            CallFailure::Rejected(Rejection::Undecodable(text())),
            CallFailure::Expired,
            CallFailure::NoReply,
            CallFailure::BadReply(text()),
            CallFailure::Unknown,
            CallFailure::Forgotten,
            CallFailure::Rejected(Rejection::OtherCall),
        ];
        for failure in all {
            let (code, text) = of_failure(&failure);
            assert_eq!(to_failure(code, text.as_bytes()), failure);
        }
    }

    /// A cast dies of what a call is refused for.
    #[test]
    fn deaths_have_the_codes_of_failures() {
        for code in 0..8 {
            let reason = to_death(code);
            assert_eq!(to_death(of_death(reason)), reason);
            let is_refusal = matches!(to_failure(code, b""), CallFailure::Rejected(_) | CallFailure::Expired);
            assert_eq!(reason != DeadReason::Unknown, is_refusal, "{code}");
        }
        assert_eq!(of_death(DeadReason::Unacknowledged), 0);
    }

    #[test]
    fn exits_round_trip() {
        let all = [
            Exit::Stopped(None),
            Exit::Stopped(Some("done".into())),
            Exit::Drained,
            Exit::Killed,
            Exit::Failed("error".into()),
            Exit::Panicked("panic".into()),
            Exit::Cancelled,
            Exit::Unreachable,
        ];
        for exit in all {
            let (code, text) = of_exit(&exit);
            assert_eq!(to_exit(code, text.map(str::to_owned)), exit);
        }
    }

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(cut("short"), "short");
        let long = "x".repeat(2 * CLOSE_DETAIL_BYTES_MAX);
        assert_eq!(to_failure(8, long.as_bytes()), CallFailure::BadReply(cut(&long).into()));
        assert_eq!(to_exit(4, Some(long.clone())), Exit::Failed(cut(&long).into()));
        assert_eq!(cut(&"é".repeat(CLOSE_DETAIL_BYTES_MAX)).len(), CLOSE_DETAIL_BYTES_MAX);
    }
}
