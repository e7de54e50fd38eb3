//! What memory was taken: exactly, where the allocator counts, and as the
//! kernel sees it.

use std::hint::black_box;

use stats_alloc::{INSTRUMENTED_SYSTEM, Region};

/// The allocations since it was made, by all threads.
pub(crate) struct Count {
    region: Region<'static, std::alloc::System>,
}

impl Count {
    /// `None` in a program whose allocator does not count.
    pub(crate) fn start() -> Option<Count> {
        let count = Count { region: Region::new(&INSTRUMENTED_SYSTEM) };
        drop(black_box(Box::new(1u8)));
        (count.allocations() > 0).then(|| Count { region: Region::new(&INSTRUMENTED_SYSTEM) })
    }

    /// Requests for memory: new and grown.
    pub(crate) fn allocations(&self) -> u64 {
        let change = self.region.change();
        (change.allocations + change.reallocations) as u64
    }

    /// Bytes taken and not given back; of a reallocation, the difference.
    pub(crate) fn bytes(&self) -> i64 {
        let change = self.region.change();
        change.bytes_allocated as i64 - change.bytes_deallocated as i64
    }
}

/// Resident bytes of this process.
pub(crate) fn resident() -> i64 {
    field("/proc/self/status", "VmRSS:")
}

/// Bytes that could be had without hurting anyone; zero where nobody tells.
pub(crate) fn available() -> i64 {
    field("/proc/meminfo", "MemAvailable:")
}

fn field(file: &str, name: &str) -> i64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<i64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
