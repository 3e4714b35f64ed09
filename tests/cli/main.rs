//! The whole program, run as a user runs it, against a sandbox server and in a sealed environment.

#![allow(clippy::disallowed_methods, reason = "the rules for streams and the environment are for the program")]

#[path = "../support/raw.rs"]
mod raw;
#[path = "../support/trees.rs"]
mod trees;

mod support;

mod about;
mod accounts;
mod api;
mod archives;
mod browser;
mod cat;
mod clear;
mod completion;
mod configure;
mod contents;
mod cp;
mod doctor;
mod documents;
mod downloads;
mod du;
mod exact;
mod failures;
mod filters;
mod find;
mod globs;
mod idm;
mod info;
mod jobs;
mod keyring;
mod late_index;
mod limits;
mod links;
mod listings;
mod local_targets;
mod logs;
mod ls;
mod meta;
mod misread;
mod mkdir;
mod mkpath;
mod mv;
mod older_help;
mod older_scripts;
mod output;
mod pipes;
mod readme;
mod recipes;
mod refresh;
mod resume;
mod rm;
mod round_trips;
mod scp;
mod screen;
mod search;
#[cfg(unix)]
mod security;
mod selection;
mod share;
mod signals;
mod stat;
mod storage;
mod terminal;
mod tools;
mod trash;
mod tree;
mod tuning;
mod update;
mod uploads;
mod version;
#[cfg(target_os = "linux")]
mod walks;
