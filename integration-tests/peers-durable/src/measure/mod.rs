//! Takes one reading, in this process.
//!
//! Every form checks what it is answered: a figure is of turns that were stored, each once and in order.

mod calls;
mod disk;
mod load;
mod postgres;
mod recover;
mod redb;
mod turn;

use tokio::runtime::{Builder, Runtime};

pub(crate) use self::recover::prepare;
use crate::flags::Task;
use crate::rows::{Form, Meter};

/// One measurement.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Reading {
    pub(crate) value: f64,
    pub(crate) note: Option<String>,
}

impl Reading {
    pub(crate) fn of(value: f64) -> Self {
        Self { value, note: None }
    }
}

pub(crate) fn measure(task: &Task) -> Reading {
    let runtime = runtime(task);
    let task = task.clone();
    // As a task of the runtime's workers, not beside them.
    let reading = runtime.spawn(async move {
        match (task.row.form, task.system) {
            (form, "fsync") => disk::measure(form, &task),
            (Form::Memory, system) => calls::memory(system, &task).await,
            (Form::Volatile, system) => calls::volatile(system, &task).await,
            (Form::Redb(_) | Form::RedbAlone, "redb") => redb::bare(&task),
            (Form::Redb(_) | Form::RedbAlone, _) => redb::ours(&task).await,
            (Form::Recover(past), _) => recover::measure(past, &task).await,
            (Form::Postgres(_) | Form::PostgresAlone, "ours") => postgres::ours(&task).await,
            (Form::Postgres(_) | Form::PostgresAlone, shape) => postgres::bare(shape, &task).await,
        }
    });
    runtime.block_on(reading).expect("the measurement panicked")
}

fn runtime(task: &Task) -> Runtime {
    // Instructions are counted of one thread, which never waits for another.
    let mut builder = match task.row.meter {
        Meter::Instructions => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(task.workers).enable_all().build();
    runtime.expect("a runtime can be built")
}
