//! What the compiler does not check about the repository: the structure of the code, and what its documents promise.

mod layers;
mod reliability;
