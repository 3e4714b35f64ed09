//! An in-process Pydio Cells server for tests and demonstrations.
