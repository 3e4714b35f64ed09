//! The command-line client of Pydio Cells.
