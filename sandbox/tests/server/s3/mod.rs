//! The S3 gateway of the sandbox, asked over real connections.

mod client;
mod compare;
mod faults;
mod listing;
mod locks;
mod objects;
mod parts;
mod puts;
mod recordings;
mod signatures;
mod vectors;
