//! What a pool says to what it is told, job by job.
