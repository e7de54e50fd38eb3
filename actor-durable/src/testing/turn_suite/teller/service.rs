//! It is a `tower` service, and wrapped.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actor_core::ActorError;
use serde::{Deserialize, Serialize};
use tower_service::Service;

use super::{Answer, Noted, TYPE, Teller, TellerCommand, Trap, begin, pass_on};
use crate::codec::{CodecError, encode};
use crate::store::Body;
use crate::{DurableBuilder, DurableId, Turn, WrapService, WrappedService, decode};

pub(in super::super) struct TellerService {
    noted: Noted,
    trap: Option<Arc<Trap>>,
}

#[derive(Debug, Serialize, Deserialize)]
pub(in super::super) struct Response {
    answer: Answer,
    /// The payment that it is to.
    payment: Option<(u32, u32)>,
}

impl Service<TellerCommand> for TellerService {
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, command: TellerCommand) -> Self::Future {
        let (mut payment, mut answer) = (None, None);
        match command {
            TellerCommand::Pay { sender, number } => {
                self.noted.note(sender, number);
                payment = Some((sender, number));
            }
            TellerCommand::Remind => self.noted.reminded += 1,
            TellerCommand::Look => answer = Some(self.noted.looked()),
        }
        let answer = answer.unwrap_or_else(|| self.noted.paid());
        let trap = self.trap.clone().filter(|_| payment.is_some());
        Box::pin(async move {
            if let Some(trap) = trap {
                trap.spring().await;
            }
            Ok(Response { answer, payment })
        })
    }
}

pub(in super::super) struct TellerServices {
    trap: Option<Arc<Trap>>,
}

impl WrapService for TellerServices {
    const TYPE: &'static str = TYPE;
    const JOURNAL_KEPT: u64 = 1_000;
    const SNAPSHOT_EVERY: u64 = 3;
    type Request = TellerCommand;
    type Response = Response;
    type Service = TellerService;

    fn create(&self, _: &DurableId) -> TellerService {
        TellerService { noted: Noted::default(), trap: self.trap.clone() }
    }

    fn is_query(command: &TellerCommand) -> bool {
        matches!(command, TellerCommand::Look)
    }

    fn on_start(&self, turn: &mut Turn<'_, WrappedService<Self>>) -> Result<(), ActorError> {
        Ok(begin(turn)?)
    }

    fn on_answered(
        &self,
        answer: Result<&Response, &str>,
        turn: &mut Turn<'_, WrappedService<Self>>,
    ) -> Result<(), ActorError> {
        if let Ok(Response { payment: Some((sender, number)), .. }) = answer {
            pass_on(turn, *sender, *number);
        }
        Ok(())
    }

    fn snapshot(service: &TellerService) -> Option<Vec<u8>> {
        encode("a teller", &service.noted).ok().map(Into::into)
    }

    fn restore(&self, _: &DurableId, version: u32, bytes: &[u8]) -> Result<TellerService, CodecError> {
        Ok(TellerService { noted: decode("a teller", version, bytes)?, trap: self.trap.clone() })
    }
}

impl Teller for WrappedService<TellerServices> {
    const KEEPS_EVENTS: bool = true;

    fn register(builder: DurableBuilder, trap: Option<Arc<Trap>>) -> DurableBuilder {
        builder.wrap_service(TellerServices { trap })
    }

    fn answer(reply: Result<Response, String>) -> Result<Answer, String> {
        reply.map(|response| response.answer)
    }

    fn payment(event: &Body) -> Result<Option<(u32, u32)>, String> {
        Ok(match crate::wrap::read_request::<TellerServices>(event).map_err(|error| error.to_string())? {
            TellerCommand::Pay { sender, number } => Some((sender, number)),
            _ => None,
        })
    }
}
