//! A store that is torn in the midst of its work, for real: a disk loses its power and a part of what was written, a connection is cut
//! within a word. Where that ends the process the next one begins with what is left.

use std::convert::Infallible;
use std::fmt::Display;
use std::future::{Future, pending, ready};
use std::pin::pin;

use futures_util::future::{Either, select};

use super::run::Trial;
use super::teller::Teller;
use crate::testing::store_suite::Place;

/// A place whose store is torn once, when it is opened first; later on it is in order. It says where it is torn.
pub trait Torn: Place + Display {
    /// Waits until it is torn so that the process is to end; forever, if it goes on.
    fn gone(&self) -> impl Future<Output = ()>;
}

impl<T: Teller> Trial<T> {
    /// Runs, and says whether the process was ended.
    ///
    /// # Errors
    ///
    /// What does not hold.
    pub(super) async fn tear(mut self, place: &impl Torn) -> Result<bool, String> {
        self.is_torn = true;
        let has_crashed = self.live_until_torn(place).await?;
        place.pass(self.lease * 2).await;
        self.is_torn = false;
        if has_crashed {
            self.process(self.watched(place.open().await, None), None).await?;
            place.pass(self.lease * 2).await;
        }
        self.judge(place).await?;
        Ok(has_crashed)
    }
    /// The first process. Whether it was ended.
    async fn live_until_torn(&self, place: &impl Torn) -> Result<bool, String> {
        let store = self.watched(place.open().await, None);
        let life = pin!(self.run_life(&store, None, ready(()), async |system| self.finish(&system).await));
        let gone = pin!(async {
            place.gone().await;
            store.crash();
            pending::<Infallible>().await
        });
        match select(life, gone).await {
            Either::Left((done, _)) => done,
            Either::Right((never, _)) => match never {},
        }
    }
}
