//! Jobs (rest.md §3).
