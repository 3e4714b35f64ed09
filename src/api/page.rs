//! Paginated listings as streams (rest.md §1.3).
