//! What the compiler does not check about the repository: the structure of the code, what its documents promise, and its
//! words.

mod layers;
mod prose;
mod reliability;
