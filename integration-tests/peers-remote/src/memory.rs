//! What memory this process took: requests, where the allocator counts, and what is resident.

use std::hint::black_box;

use stats_alloc::INSTRUMENTED_SYSTEM;

/// Requests for memory so far, new and grown; zero in a program whose allocator does not count.
pub(crate) fn allocations() -> u64 {
    let stats = INSTRUMENTED_SYSTEM.stats();
    (stats.allocations + stats.reallocations) as u64
}

/// Whether the allocator counts.
pub(crate) fn is_counted() -> bool {
    let before = allocations();
    drop(black_box(Box::new(1_u8)));
    allocations() > before
}

/// Resident bytes of this process; zero where nobody tells.
pub(crate) fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kilobytes.unwrap_or(0) * 1024
}
