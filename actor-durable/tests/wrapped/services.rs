//! A shop: a `tower` service as it may be met, and the little that makes it durable.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::{Context, Poll};

use actor_core::ActorError;
use actor_durable::{
    CodecError, DurableBuilder, DurableId, DurableRef, DurableSystem, MessageId, ServiceCalls, Turn,
    WrapService, WrappedService, decode,
};
use serde::{Deserialize, Serialize};
use tower_service::Service;

use crate::stage::{Account, Command};

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// Puts so many of these into the cart.
    Put(String, u32),
    /// The same, with an id.
    PutOnce(MessageId, String, u32),
    /// Counts that it was refused, and refuses.
    Refuse,
    /// Takes what is outside into the cart, as no service that is durable may.
    Drift,
    Look,
    Panic,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Response {
    pub(super) all: u32,
    pub(super) refused: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Cart {
    things: BTreeMap<String, u32>,
    refused: u32,
}

#[derive(Debug, thiserror::Error)]
#[error("refused for the {0}. time")]
pub(super) struct Refused(u32);

/// What is around the services.
#[derive(Clone, Debug, Default)]
pub(super) struct Around {
    /// How many requests reached a service.
    pub(super) calls: Arc<AtomicU32>,
    /// They are never ready.
    pub(super) is_stuck: Arc<AtomicBool>,
    /// They say that they will never be.
    pub(super) is_broken: Arc<AtomicBool>,
    pub(super) drift: Arc<AtomicU32>,
    /// How many services were made.
    pub(super) made: Arc<AtomicU32>,
}

/// A cart with more passes nothing on.
pub(super) const ALL_MAX: u32 = 1_000;

pub(super) struct Shop {
    pub(super) cart: Cart,
    around: Around,
}

impl Shop {
    pub(super) fn new(cart: Cart, around: Around) -> Self {
        Self { cart, around }
    }
}

impl Service<Request> for Shop {
    type Response = Response;
    type Error = ActorError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, ActorError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ActorError>> {
        if self.around.is_broken.load(Ordering::Relaxed) {
            return Poll::Ready(Err("it is closed".into()));
        }
        if self.around.is_stuck.load(Ordering::Relaxed) { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn call(&mut self, request: Request) -> Self::Future {
        self.around.calls.fetch_add(1, Ordering::Relaxed);
        let mut outcome = Ok(());
        match request {
            Request::Put(what, count) | Request::PutOnce(_, what, count) => {
                *self.cart.things.entry(what).or_default() += count;
            }
            Request::Refuse => {
                self.cart.refused += 1;
                outcome = Err(Refused(self.cart.refused).into());
            }
            Request::Drift => {
                let drift = self.around.drift.load(Ordering::Relaxed);
                *self.cart.things.entry("drift".to_owned()).or_default() += drift;
            }
            Request::Look => {}
            Request::Panic => {
                self.cart.refused += 1_000;
                panic!("so it was asked")
            }
        }
        let response = Response { all: self.cart.things.values().sum(), refused: self.cart.refused };
        Box::pin(async move {
            // It is not ready at once.
            let mut is_second = false;
            poll_fn(|cx| {
                if std::mem::replace(&mut is_second, true) {
                    return Poll::Ready(());
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await;
            outcome.map(|()| response)
        })
    }
}

/// The shops of which the journal is all there is.
#[derive(Clone, Debug, Default)]
pub(super) struct Shops(pub(super) Around);

impl WrapService for Shops {
    const TYPE: &'static str = "shop";
    type Request = Request;
    type Response = Response;
    type Service = Shop;

    fn create(&self, _: &DurableId) -> Shop {
        self.0.made.fetch_add(1, Ordering::Relaxed);
        Shop::new(Cart::default(), self.0.clone())
    }

    fn is_query(request: &Request) -> bool {
        matches!(request, Request::Look)
    }

    fn id(request: &Request) -> Option<MessageId> {
        match request {
            Request::PutOnce(id, ..) => Some(*id),
            _ => None,
        }
    }

    fn on_answered(
        &self,
        answer: Result<&Response, &str>,
        turn: &mut Turn<'_, WrappedService<Self>>,
    ) -> Result<(), ActorError> {
        if let Ok(response) = answer {
            if response.all > ALL_MAX {
                return Err("it is too much".into());
            }
            turn.send::<Account>("account", &Command::Add(response.all.into()))?;
        }
        Ok(())
    }
}

/// Those that give and take their state, and have answered otherwise in their first version.
#[derive(Clone, Debug, Default)]
pub(super) struct LaterShops(pub(super) Shops);

impl WrapService for LaterShops {
    const TYPE: &'static str = "shop";
    const VERSION: u32 = 2;
    const SNAPSHOT_EVERY: u64 = 4;
    const JOURNAL_KEPT: u64 = 2;
    type Request = Request;
    type Response = Response;
    type Service = Shop;

    fn create(&self, id: &DurableId) -> Shop {
        self.0.create(id)
    }

    fn snapshot(service: &Shop) -> Option<Vec<u8>> {
        Some(service.cart.things.iter().fold(service.cart.refused.to_string(), line).into_bytes())
    }

    fn restore(&self, _: &DurableId, version: u32, bytes: &[u8]) -> Result<Shop, CodecError> {
        let bad = || CodecError::Undecodable { what: "a cart", version, why: "it is no list".to_owned() };
        let mut lines = std::str::from_utf8(bytes).map_err(|_| bad())?.lines();
        let refused = lines.next().and_then(|line| line.parse().ok()).ok_or_else(bad)?;
        let thing = |line: &str| {
            let (what, count) = line.split_once('=')?;
            Some((what.to_owned(), count.parse().ok()?))
        };
        let things = lines.map(|line| thing(line).ok_or_else(bad)).collect::<Result<_, _>>()?;
        Ok(Shop::new(Cart { things, refused }, self.0.0.clone()))
    }

    fn upcast_request(version: u32, bytes: &[u8]) -> Result<Request, CodecError> {
        let mut request = decode("a request", version, bytes)?;
        // The first version counted in pairs.
        if let Request::Put(_, count) = &mut request {
            *count *= 2;
        }
        Ok(request)
    }
}

/// Those that give their state, and cannot take it.
#[derive(Clone, Debug, Default)]
pub(super) struct OneWayShops(pub(super) Shops);

impl WrapService for OneWayShops {
    const TYPE: &'static str = "shop";
    const SNAPSHOT_EVERY: u64 = 1;
    const JOURNAL_KEPT: u64 = 0;
    type Request = Request;
    type Response = Response;
    type Service = Shop;

    fn create(&self, id: &DurableId) -> Shop {
        self.0.create(id)
    }

    fn snapshot(service: &Shop) -> Option<Vec<u8>> {
        LaterShops::snapshot(service)
    }
}

fn line(text: String, (what, count): (&String, &u32)) -> String {
    format!("{text}\n{what}={count}")
}

impl Shops {
    pub(super) fn register(&self) -> impl FnOnce(DurableBuilder) -> DurableBuilder + use<> {
        let shops = self.clone();
        move |builder| builder.wrap_service(shops).register(Account::default())
    }
}

impl LaterShops {
    pub(super) fn register(&self) -> impl FnOnce(DurableBuilder) -> DurableBuilder + use<> {
        let shops = self.clone();
        move |builder| builder.wrap_service(shops)
    }
}

impl OneWayShops {
    pub(super) fn register(&self) -> impl FnOnce(DurableBuilder) -> DurableBuilder + use<> {
        let shops = self.clone();
        move |builder| builder.wrap_service(shops)
    }
}

pub(super) fn shop<W: WrapService>(system: &DurableSystem) -> DurableRef<WrappedService<W>> {
    system.actor("s").expect("a good id")
}

pub(super) fn calls(system: &DurableSystem) -> ServiceCalls<Shops> {
    ServiceCalls::new(shop(system))
}

pub(super) fn put(count: u32) -> Request {
    Request::Put("thing".to_owned(), count)
}

/// As callers of services do it.
pub(super) async fn ask<S: Service<Request>>(
    service: &mut S,
    request: Request,
) -> Result<S::Response, S::Error> {
    poll_fn(|cx| service.poll_ready(cx)).await?;
    service.call(request).await
}
